"""A threshold that moves with the scores: a series that drifts away from its history is not one long alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.level import Level

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Ints

#: Rows judged together: their windows share all but so many scores.
BLOCK = 64


@dataclass(frozen=True)
class RollingLevel(Level):
    """A row is an alarm when its score is above all but a share of the last scores; a row without a score is none.

    The limit is an order statistic of exactly the `rows` scores before a row, so any chunks that begin so many rows early
    give the same alarms.  Where fewer than half of them are there, the fixed threshold decides.

    Parameters
    ----------
    threshold : float
    rate : float
        Share of the rows that may be above the limit.
    rows : int
        Scores that are looked back on.  An event among them that is shorter than `rate * rows` moves the limit only as far as
        the next highest scores.
    min_length : int
        Rows in a row that have to be above; what counts as a row's score is the smallest of the last so many.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.rolling import RollingLevel
    >>> drift = np.r_[np.tile([1.0, 2.0], 50), np.tile([11.0, 12.0], 100)]
    >>> level = RollingLevel(threshold=5.0, rate=0.05, rows=40)
    >>> int(Level(5.0).exceeded(drift).sum()), int(level.exceeded(drift).sum())
    (200, 5)
    """

    rate: float
    rows: int

    @property
    def lookback(self) -> int:
        """Rows before the first one that its alarm depends on, by their scores."""
        return self.rows + super().lookback

    def limits(self, scores: Floats, slots: Slots | None = None) -> Floats:
        """The limit of each row, shape (n,), from the scores of the `rows` slots before it; those before the first one are missing."""
        at = np.arange(len(scores))
        first = np.maximum(at - self.rows, 0) if slots is None else np.searchsorted(slots.absolute, slots.absolute - self.rows)
        ranked = np.where(np.isnan(scores), -np.inf, scores)
        known = np.concatenate([[0], np.cumsum(ranked > -np.inf)])
        k = int(self.rate * self.rows) + 1
        limits = [_kth_largest(ranked, first[start : start + BLOCK], start, k) for start in range(0, len(scores), BLOCK)]
        enough = 2 * (known[at] - known[first]) >= self.rows
        return np.where(enough, np.concatenate([np.empty(0), *limits]), self.threshold)

    def check(self) -> None:
        super().check()
        if not 0.0 < self.rate < 1.0 or not 1 <= self.rows <= 2**24:
            raise ValueError(f"a threshold at the share {self.rate} of {self.rows} rows")


def _kth_largest(scores: Floats, first: Ints, start: int, k: int) -> Floats:
    """The k-th largest of the scores from `first` to before each of the rows `start`, ...: what they share is ranked once."""
    n, edge = len(first), min(int(first[-1]), start)
    shared = np.sort(scores[edge:start])[-k:]
    own = np.full((n, edge - int(first[0]) + n), -np.inf)
    for place, begin in enumerate(first.tolist()):
        before, after = scores[begin:edge], scores[max(start, begin) : start + place]
        own[place, : len(before)] = before
        own[place, len(before) : len(before) + len(after)] = after
    every = np.concatenate([np.tile(shared, (n, 1)), own], axis=1)
    return np.partition(every, every.shape[1] - k, axis=1)[:, every.shape[1] - k] if every.shape[1] >= k else np.full(n, -np.inf)
