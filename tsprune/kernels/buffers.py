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

from tsprune.kernels.labelled import Runs, ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsprune.types import Floats, Ints

#: A distance that no series has.
_FAR = 2**48


@dataclass(frozen=True)
class Near:
    """The rows in or near events, ascending; how far the nearest and the second nearest event are (0 inside)."""

    rows: Ints
    nearest: Ints
    second: Ints

    @classmethod
    def of(cls, events: Runs, reach: int, n: int) -> Near:
        """The rows of a series of length n that lie in events or at most `reach` rows from one."""
        apart = events.first[1:] - events.last[:-1] > 2 * reach
        first, last = events.first[np.append(True, apart)], events.last[np.append(apart, True)]
        rows = ranges(np.maximum(first - reach, 0), np.minimum(last + reach, n - 1) + 1)
        before = np.concatenate([[-_FAR, -_FAR], events.last])
        after = np.concatenate([events.first, [_FAR, _FAR]])
        event = np.searchsorted(events.first, rows, "right")  # events that have begun
        left, right = rows - before[event + 1], after[event] - rows
        others = np.minimum(rows - before[event], after[event + 1] - rows)
        return cls(rows, np.maximum(np.minimum(left, right), 0), np.minimum(np.maximum(left, right), others))


class Weights:
    """Buffered label of the rows outside events, by the threshold that first predicts them, for rising windows.

    Parameters
    ----------
    near : Near
    step : ndarray of int, shape (len(near.rows),)
        The threshold that first predicts a row; rows with a step outside 0 ... n_steps - 1 are left out.
    """

    def __init__(self, near: Near, step: Ints, n_steps: int) -> None:
        kept = np.flatnonzero((near.nearest > 0) & (step >= 0) & (step < n_steps))
        kept = kept[np.argsort(near.second[kept], kind="stable")]
        self._second = near.second[kept]
        self._cell = (near.nearest[kept] - 1) * n_steps + step[kept]
        n_cells = int(near.nearest.max(initial=0)) * n_steps
        self._table = np.bincount(self._cell, minlength=n_cells).astype(np.float64).reshape(-1, n_steps)
        self._whole = np.zeros(n_steps)  # rows of weight 1
        self._n_whole = 0

    def of(self, windows: Ints) -> Floats:
        """Weight per window and step, shape (len(windows), n_steps); windows rise, also from call to call."""
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


def segment_steps(events: Runs, near: Near, step: Ints) -> Iterator[Ints]:
    """The threshold that first predicts a row of each segment, for events grown by 0, 1, 2, ... rows."""
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
