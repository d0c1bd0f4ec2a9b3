"""The same decisions in virtual time: one heap, one seeded source of chance, no cluster.

What decides is `core`'s, what answers is the fake API server; this package adds when. Same seed,
same run, byte for byte: whatever is drawn is drawn in the order of events, and nothing depends on
hashes, clocks or the machine.
"""
