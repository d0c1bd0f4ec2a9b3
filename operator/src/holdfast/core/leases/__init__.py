"""Droplet leases: the second loop of the incident, as decisions without clock, chance or I/O.

A *manager* of one zone keeps a lease on every droplet by state checks: work that is queued, waits,
is taken by a worker, and counts only if it ends within a deadline that runs from its queueing. That
is all it takes for a collapse: once the queue is longer than what can be done within the deadline,
everything that is done is done in vain, and the same load that was fine before keeps it so.
"""
