"""The threshold above which a score is an alarm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.windows import smallest_behind
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Ints, Mask


@dataclass(frozen=True)
class Level(Part):
    """A fixed threshold; a row without a score is no alarm.

    Parameters
    ----------
    threshold : float
    min_length : int
        Rows in a row that have to be above it: the last of them is an alarm.  A missing score breaks the row.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.level import Level
    >>> Level(1.0, min_length=2).exceeded(np.array([2.0, 2.0, 0.0, 2.0]))
    array([False,  True, False, False])
    """

    threshold: float
    min_length: int = field(default=1, kw_only=True)

    @property
    def lookback(self) -> int:
        """Slots before a row whose scores its alarm depends on."""
        return self.min_length - 1

    def exceeded(self, scores: Floats, slots: Slots | None = None) -> Mask:
        """Whether each score is above its limit, strictly, and those before it that have to be.

        With the slots of the rows a row that is not there breaks an event as one without a score does.
        """
        return self.compared(scores, slots)[0]

    def compared(self, scores: Floats, slots: Slots | None = None) -> tuple[Mask, Floats]:
        """Which scores are alarms, and the limit of each."""
        lasting = self.lasting(scores, slots)
        limits = self.limits(lasting, slots)
        return above(lasting, limits), limits

    def lasting(self, scores: Floats, slots: Slots | None = None) -> Floats:
        """The smallest of each score and those before it that have to be above the threshold as well; NaN where one is missing."""
        at = _places(slots, len(scores), self.min_length - 1)
        spread = np.full(at[-1] + 1 if len(at) else 0, np.nan)
        spread[at] = scores
        return smallest_behind(spread, self.min_length)[at]

    def limits(self, scores: Floats, slots: Slots | None = None) -> Floats:
        """What each score is compared with, shape (n,)."""
        return np.full(len(scores), self.threshold)

    def check(self) -> None:
        if not 1 <= self.min_length <= 2**20:
            raise ValueError(f"an alarm of {self.min_length} rows at the least")


def _places(slots: Slots | None, n: int, lookback: int) -> Ints:
    """Where each row stands when those that are missing have a place; no more of them than are looked back on."""
    if slots is None or not lookback or slots.regular:
        return np.arange(n)
    return np.cumsum(np.clip(np.diff(slots.absolute, prepend=slots.absolute[:1] - 1), 1, lookback + 1)) - 1


def above(scores: Floats, limits: Floats) -> Mask:
    """Whether each score is above its limit, strictly; not where it is missing."""
    return np.greater(scores, limits, where=~np.isnan(scores), out=np.zeros(len(scores), dtype=bool))
