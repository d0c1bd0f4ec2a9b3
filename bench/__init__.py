"""Benchmarks that need no cluster. Ratios within one run; never a test."""
