"""A second opinion on the explorer.

`DNSRace.tla` is the enactors' protocol, written in TLA+ from what it means, and explored by TLC,
another model checker. The explorer (`holdfast.check`) runs the enactors' own Python code over a
fake API server. The two share nothing but the size of a step, so a mistake in either shows as a
difference. Compared for every case:

- which invariants break, and after how many steps at the earliest;
- the reachable worlds: all that the API server holds, but uids and versions;
- the reachable views: a world, and the next call of each enactor with what it bears;
- the moves from view to view. Worlds alone are a blunt instrument: with a lock that never keeps
  anybody out the same worlds are reached.

States are not compared: the two remember in different ways.
"""
