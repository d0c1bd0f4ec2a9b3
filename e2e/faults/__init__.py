"""Faults, systematically: a proxy before the real API server, and every write of a plan's life."""
