"""Buffers around events: how much buffered label the predicted rows carry, and which grown events they touch.

For a window w, labels get ramps sqrt(1 - d / w) at the distances d = 1 ... w // 2 from an event, added up and cut at 1; and
events grown by w // 2 rows on both sides are merged into segments.  Three facts make all windows cheap and keep them exact:

- rows further than W / 2 from every event carry nothing in any window: they are never visited;
- rows at one distance carry one weight, so a table of rows by distance and threshold stands for all of them;
- a ramp is at least sqrt(1/2) where it is not 0, so two ramps on one row always reach the cut at 1: the distances to the
  nearest and to the second nearest event say everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.labelled import Runs, ranges, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tsprune.types import Floats, Ints

    Counts = NDArray[np.int32]

#: Rows are placed in blocks of so many: they stay in the cache.
BLOCK = 2**13

#: A distance that no series has.
_FAR = 2**48


@dataclass(frozen=True)
class Near:
    """The rows in or near events, ascending, and the threshold at which each is first predicted."""

    rows: Ints
    nearest: Counts  # rows to the nearest event, 0 inside
    second: Counts  # rows to the second nearest event; what is out of reach stands as reach + 1
    step: Counts
    reach: int

    @classmethod
    def of(cls, events: Runs, rows: Ints, scores: Floats, thresholds: Floats, reach: int) -> Near:
        """Place the `rows_near` events among the events and among descending thresholds."""
        before = np.concatenate([[-_FAR, -_FAR], events.last])
        after = np.concatenate([events.first, [_FAR, _FAR]])
        nearest, second, step = np.empty((3, len(rows)), np.int32)
        for start in range(0, len(rows), BLOCK):
            block = slice(start, start + BLOCK)
            here = rows[block]
            event = np.searchsorted(events.first, here, "right")  # events that have begun
            left, right = here - before[event + 1], after[event] - here
            others = np.minimum(here - before[event], after[event + 1] - here)
            nearest[block] = np.maximum(np.minimum(left, right), 0)
            second[block] = np.minimum(np.minimum(np.maximum(left, right), others), reach + 1)
            step[block] = steps(scores[here], thresholds, strict=False)
        return cls(rows, nearest, second, step, reach)


class Weights:
    """Buffered label of the rows outside events, by the threshold that first predicts them, for rising windows.

    Parameters
    ----------
    near : Near
    first, n_steps : int
        The first threshold, and how many; rows that others predict first are left out.
    """

    def __init__(self, near: Near, first: int, n_steps: int) -> None:
        kept = np.flatnonzero((near.nearest > 0) & (near.step >= first) & (near.step < first + n_steps))
        second = near.second[kept]
        cell = (near.nearest[kept].astype(np.int64) - 1) * n_steps + (near.step[kept] - first)
        n_cells = int(near.nearest.max(initial=0)) * n_steps
        self._table = np.bincount(cell, minlength=n_cells).astype(np.float64).reshape(-1, n_steps)
        twice = np.flatnonzero(second <= near.reach)
        narrow = np.uint16 if near.reach < 2**16 else np.int64  # 16 bits are sorted by radix
        twice = twice[np.argsort(second[twice].astype(narrow), kind="stable")]
        self._second, self._cell = second[twice], cell[twice]
        self._whole = np.zeros(n_steps)  # rows of weight 1
        self._n_whole = 0

    def of(self, windows: Ints) -> Floats:
        """Weight per window and threshold, shape (len(windows), n_steps); windows rise, also from call to call."""
        growth = windows // 2
        distance = np.arange(1, len(self._table) + 1)
        ramp = np.sqrt(np.maximum(1.0 - distance / np.maximum(windows, 1)[:, None], 0.0)) * (distance <= growth[:, None])
        between = np.searchsorted(self._second, [growth[0], growth[-1]], "right")
        starts = np.searchsorted(growth, np.unique(np.append(growth[0], self._second[slice(*between)])))
        weights = np.empty((len(windows), self._table.shape[1]))
        for start, stop in zip(starts, np.append(starts[1:], len(windows)), strict=True):
            self._reach_twice(growth[start])
            reach = growth[stop - 1]
            np.matmul(ramp[start:stop, :reach], self._table[:reach], out=weights[start:stop])
            weights[start:stop] += self._whole
        return weights

    def _reach_twice(self, growth: int) -> None:
        """Rows that two events reach by now weigh 1, whatever the ramp."""
        stop = int(np.searchsorted(self._second, growth, "right"))
        cell = self._cell[self._n_whole : stop]
        np.subtract.at(self._table.reshape(-1), cell, 1.0)
        self._whole += np.bincount(cell % len(self._whole), minlength=len(self._whole))
        self._n_whole = stop


def rows_near(events: Runs, reach: int, n: int) -> Ints:
    """The rows of a series of length n that lie in events or at most `reach` rows from one, ascending."""
    apart = events.first[1:] - events.last[:-1] > 2 * reach
    first, last = events.first[np.append(True, apart)], events.last[np.append(apart, True)]
    return ranges(np.maximum(first - reach, 0), np.minimum(last + reach, n - 1) + 1)


def segment_steps(events: Runs, near: Near) -> Iterator[Counts]:
    """The threshold that first predicts a row of each segment, for events grown by 0, 1, 2, ... rows."""
    step = near.step
    first, last = np.searchsorted(near.rows, events.first), np.searchsorted(near.rows, events.last)
    best = np.minimum.reduceat(np.where(near.nearest == 0, step, step.max()), first)
    gaps = events.first[1:] - events.last[:-1]
    for growth in count():
        # beyond the ends of the series: a row that the segment has already
        best = np.minimum(best, step[np.maximum(first - growth, 0)])
        best = np.minimum(best, step[np.minimum(last + growth, len(step) - 1)])
        apart = gaps > 2 * growth
        if not apart.all():
            best = np.minimum.reduceat(best, np.append(0, np.flatnonzero(apart) + 1))
            first, last, gaps = first[np.append(True, apart)], last[np.append(apart, True)], gaps[apart]
        yield best
