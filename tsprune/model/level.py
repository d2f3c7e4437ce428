"""The threshold above which a score is an alarm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.windows import smallest_behind
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.types import Floats, Mask


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
        """Rows before the first one that its alarm depends on, by their scores."""
        return self.min_length - 1

    def exceeded(self, scores: Floats) -> Mask:
        """Whether each score is above the threshold, strictly, and those before it that have to be."""
        return above(smallest_behind(scores, self.min_length), self.threshold)

    def check(self) -> None:
        if not 1 <= self.min_length <= 2**20:
            raise ValueError(f"an alarm of {self.min_length} rows at the least")


def above(scores: Floats, limits: Floats | float) -> Mask:
    """Whether each score is above its limit, strictly; not where it is missing."""
    return np.greater(scores, limits, where=~np.isnan(scores), out=np.zeros(len(scores), dtype=bool))
