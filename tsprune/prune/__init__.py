"""Cuts: fewer nodes, support vectors, reference points, at a price that is measured and may be refused."""

from tsprune.prune.guard import Guard
from tsprune.prune.pruned import Pruned, prune

__all__ = ["Guard", "Pruned", "prune"]
