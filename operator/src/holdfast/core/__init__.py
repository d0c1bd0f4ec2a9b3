"""The decisions: frozen values and generators, without clock, chance or I/O.

A *flow* is a generator. It yields *intents* (one API call, one DNS query or one wait each) and is
sent *replies*, and every reply carries the time. A `yield` is the only place where the world can
change under a flow, so a decision that spans a `yield` is a race, visible in the source.
Engines differ only in what performs an intent.
"""
