"""Makes a real kind cluster of one control plane and three zone workers on this machine.

Run `python3 -m e2e.cluster up` from the checkout's root. Only the standard library is needed.
"""
