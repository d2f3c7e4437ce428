"""Cuts: fewer nodes, support vectors, reference points, at a price that is measured and may be refused.

`tsprune.prune` is this folder and, called, the function `prune(fitted_detector, X, ...)`: both names are public.
"""

import sys
from types import ModuleType
from typing import Any

from tsprune.prune.guard import Guard
from tsprune.prune.pruned import Pruned, prune

__all__ = ["Guard", "Pruned", "prune"]


class _CallableModule(ModuleType):
    """A folder that is also the function it is named after."""

    def __call__(self, *args: Any, **kwargs: Any) -> Pruned:
        return prune(*args, **kwargs)

    __call__.__doc__ = prune.__doc__
    __call__.__wrapped__ = prune  # type: ignore[attr-defined]


sys.modules[__name__].__class__ = _CallableModule
