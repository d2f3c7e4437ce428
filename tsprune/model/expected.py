"""The value that a model expects, in the unit of the series: the season and the level that its parts have learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.model.adapted import AdaptedSeason
from tsprune.model.clock import Slots
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother
from tsprune.model.trend import BlockTrend
from tsprune.model.windows import WIDE, WindowMatrix

if TYPE_CHECKING:
    from tsprune.types import Floats, Matrix

#: Features of a window that are in the unit of the series, so that their centre is its level.
_LEVELS = ("value", "median", "mean", "raw")


@dataclass(frozen=True)
class Expected:
    """Expected values (n, d), and the size of an everyday deviation of each column (d,)."""

    values: Matrix
    scale: Floats


def expected(model: Any, values: Floats, slots: Slots) -> Expected | None:
    """What the model expects at each row, without looking at the row itself.

    Parameters
    ----------
    model : Model
    values : ndarray, shape (n, d)
        In the unit of the series, with the lookback before the rows that count.
    slots : Slots

    Returns
    -------
    Expected, or None where the model has learned neither a trend nor the level of its windows.
    """
    d = model.n_features
    total = np.zeros((len(values), d))
    for part in getattr(model, "parts", ()):
        if isinstance(part, SeasonProfile | AdaptedSeason):
            total += part.foreseen(values, slots)[:, :d]
        elif isinstance(part, BlockTrend):
            return Expected(total + part.foreseen(values, slots)[:, :d], part.scale[:d, 0])
        elif isinstance(part, WindowMatrix):
            level = _level(part, d)
            return None if level is None else Expected(total + level[0], level[1])
        elif not (isinstance(part, Smoother) and part.add):  # that one leaves the columns where they are
            return None
        values = part.apply(values, slots)
    return None


def knows_expected(model: Any) -> bool:
    """Whether the model can tell what it expects."""
    return hasattr(model, "parts") and expected(model, np.zeros((1, model.n_features)), Slots.counted(1)) is not None


def _level(part: WindowMatrix, d: int) -> tuple[Floats, Floats] | None:
    """Centre and scale of the feature nearest to the value itself, for each of the first d columns."""
    widths = [length if name in WIDE else 1 for name, length in zip(part.features, part.lengths, strict=True)]
    ends = np.cumsum(widths)
    if not (part.centre.any() or (part.scale != 1.0).any()) or not set(_LEVELS) & set(part.features):
        return None  # windows that are not scaled have forgotten their level
    best = min((name for name in part.features if name in _LEVELS), key=_LEVELS.index)
    at = int(ends[part.features.index(best)]) - 1 + np.arange(d) * int(ends[-1])
    return part.centre[at], part.scale[at]
