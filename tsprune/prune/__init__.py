"""Cuts: fewer nodes, support vectors, reference points, at a price that is measured and may be refused.

`tsprune.prune` is this folder and, called, the function `prune(fitted_detector, X, ...)`: both names are public.
"""

from tsprune.callables import make_callable
from tsprune.prune.guard import Guard
from tsprune.prune.pruned import Pruned, prune

__all__ = ["Guard", "Pruned", "prune"]

make_callable(__name__, prune)
