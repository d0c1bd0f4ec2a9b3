"""The pieces of e2e/bench_leases.py."""
