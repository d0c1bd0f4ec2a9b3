"""What became of a system once its fault was over, at constant load: the verdict on metastability.

After Bronson et al., Metastable Failures in Distributed Systems (HotOS 2021).
"""

from typing import Literal, TypeAlias

Metastability: TypeAlias = Literal["Untouched", "RecoveredByItself", "NeededShedding", "Stuck"]
"""`NeededShedding`: it came back after a human had work dropped or kept out, and not before."""
