"""The checker: every interleaving of flows over the fake API server, within stated bounds."""

from holdfast.check.explorer import Exploration, Explorer, TooLarge
from holdfast.check.model import DONE, Actor, Budgets, Model

__all__ = ["DONE", "Actor", "Budgets", "Exploration", "Explorer", "Model", "TooLarge"]
