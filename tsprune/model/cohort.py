"""Series of one clock and one form, scored side by side: every stage sees one matrix with a column for each.

Each score is, to the bit, what the series gets as a `Model` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.panel import scale_in_place, window_features
from tsprune.model import joining
from tsprune.model.columns import Columns
from tsprune.model.joining import Phases
from tsprune.model.windows import WindowMatrix

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tsprune.model.clock import Slots
    from tsprune.model.member import Fleet, Member
    from tsprune.types import Floats, Ints, Mask, Matrix

#: Series that go through the stages together, at most and at least; and which share of those left a piece takes, so that threads
#: end at about the same time.
MOST, LEAST, SHARE = 256, 64, 4
#: Windows that go through the detector together at the most: each call costs a turn at the interpreter, which threads share.
WINDOWS = 1 << 16
#: Values that go through the stages, and features through the detector, at a time: what bounds the memory.
VALUES = 1 << 20
#: Up to so many new rows, so many series go together: the detector is fast on many windows only.
FEW, WIDE = 32, 1 << 14


def form(member: Member) -> Hashable:
    """Series of equal form can stand side by side: same clock, same stages with the same lengths."""
    return (member.clock, *(joining.form(part) for part in member.stages))


@dataclass(frozen=True)
class Cohort:
    """Members of one form and the fleet they share."""

    fleet: Fleet
    members: Sequence[Member]

    def taken(self, which: Ints) -> Cohort:
        """Some of the members, by their numbers."""
        return Cohort(self.fleet, [self.members[k] for k in which])

    @property
    def channels(self) -> int:
        """Columns that each series has behind its stages."""
        return self.members[0].n_out

    @cached_property
    def lookback(self) -> int:
        """Slots of context that make a row's score equal to the whole-record result."""
        return max(member.lookback for member in self.members) + self.fleet.lookback

    @cached_property
    def thresholds(self) -> Floats:
        """Of each series."""
        return np.array([member.threshold for member in self.members])

    def anomaly_score(self, values: Matrix, slots: Slots, skip: int = 0) -> Matrix:
        """Scores of rows, higher = more anomalous.

        Parameters
        ----------
        values : ndarray, shape (n, n_series)
            A column for each series; NaN where missing, also where a series has no row.
        slots : Slots
            Of the n rows; each slot stands once.
        skip : int
            First rows that are context only.

        Returns
        -------
        ndarray, shape (n - skip, n_series)
            NaN where a row, or a row its features need, is missing.
        """
        scores = np.empty((len(values) - skip, values.shape[1]))
        for low, high, work in self.strips(values, slots, skip):
            scores[:, low:high] = work()
        return scores

    def strips(self, values: Matrix, slots: Slots, skip: int = 0) -> list[tuple[int, int, Callable[[], Matrix]]]:
        """The work in pieces that threads can share: first and last series, and what gives their scores."""

        def work(strip: _Strip, low: int, high: int) -> Callable[[], Matrix]:
            return lambda: strip.anomaly_score(values[:, low:high], slots, self.lookback, skip)

        return [(low, high, work(strip, low, high)) for low, high, strip in self._strips(len(values) - skip)]

    def channel_values(self, values: Matrix, slots: Slots) -> Floats:
        """What comes out of the signal stages, centred and scaled: shape (n, n_series, channels)."""
        phases = Phases(slots)
        pieces = [strip.signal(values[:, low:high], slots, phases) for low, high, strip in self._strips(len(values))]
        return np.concatenate(pieces, axis=1).reshape(len(values), -1, self.channels)

    def _strips(self, n_rows: int) -> list[tuple[int, int, _Strip]]:
        """First and last members of each piece, and their parts joined; kept for the next call with as few rows, or as many."""
        few = n_rows <= FEW
        if few not in self._joined:
            cuts = pairwise(_cuts(len(self.members), few))
            self._joined[few] = [(low, high, _Strip(self.fleet, self.members[low:high])) for low, high in cuts]
        return self._joined[few]

    @cached_property
    def _joined(self) -> dict[bool, list[tuple[int, int, _Strip]]]:
        return {}


def _cuts(n: int, few: bool) -> list[int]:
    """Where the pieces of `n` series begin and end: large ones first."""
    cuts = [0]
    while left := n - cuts[-1]:
        cuts.append(cuts[-1] + min(left, WIDE if few else max(LEAST, min(MOST, left // SHARE))))
    return cuts


class _Strip:
    """Some members of one form as joined parts: columns are series after series, each with its channels."""

    def __init__(self, fleet: Fleet, members: Sequence[Member]):
        self.fleet = fleet
        self.n = len(members)
        self.channels = members[0].n_out
        self.stages = [joining.joined([member.stages[k] for member in members]) for k in range(len(members[0].stages))]
        self.centre = np.concatenate([member.centre for member in members])
        self.scale = np.concatenate([member.scale for member in members])
        self.detector_of = np.array([member.detector for member in members])
        self.windows, self.kept = _feature_parts(fleet)
        self.width = self.channels if self.windows is None else self.windows.n_out
        if self.windows is None:
            centre, scale = np.zeros(self.width), np.ones(self.width)
        else:
            centre, scale = self.windows.centre, self.windows.scale
        self.away, self.unit = (centre, scale) if self.kept is None else (centre[self.kept], scale[self.kept])

    def signal(self, values: Matrix, slots: Slots, phases: Phases) -> Matrix:
        """Centred and scaled channels, shape (n, n_series * channels)."""
        values = np.ascontiguousarray(values)
        for stage in self.stages:
            values = stage(values, slots, phases)
        values = values - self.centre
        values /= self.scale
        return values

    def anomaly_score(self, values: Matrix, slots: Slots, lookback: int, skip: int) -> Matrix:
        """Scores of the rows after `skip`, a stretch at a time: bounds the memory, and changes no bit."""
        scores = np.empty((len(values) - skip, self.n))
        size = max(VALUES // self.n, 2 * lookback)
        for start in range(skip, len(values), size):
            stop = min(start + size, len(values))
            begin = int(np.searchsorted(slots.absolute, slots.absolute[start] - lookback)) if start else 0
            here = slots.taken(slice(begin, stop))
            scores[start - skip : stop - skip] = self._stretch(values[begin:stop], here, start - begin)
        return scores

    def _stretch(self, values: Matrix, slots: Slots, skip: int) -> Matrix:
        channels = self.signal(values, slots, Phases(slots))
        scores = np.empty((len(values) - skip, self.n))
        reach = self.fleet.lookback
        at = slots.positions(reach + 1) + reach if reach else np.arange(len(values))
        grid = np.full((int(at[-1]) + 1, channels.shape[1]), np.nan) if reach else channels
        if reach:
            grid[at] = channels
        step = max(1, min(WINDOWS, VALUES // self.width) // self.n)
        for low in range(skip, len(values), step):
            ends = at[low : low + step]
            first = int(ends[0]) - reach
            scores[low - skip : low - skip + step] = self._detected(grid[first : int(ends[-1]) + 1], ends - first)
        return scores

    def _detected(self, grid: Matrix, ends: Ints) -> Matrix:
        """Scores of the rows that end at some places of a grid, shape (r, n_series)."""
        features, complete = self._features(grid, ends)
        rows = features.reshape(-1, features.shape[2])
        scores = np.full(len(rows), np.nan)
        for k, detector in enumerate(self.fleet.detectors):
            chosen: Mask = complete if len(self.fleet.detectors) == 1 else complete & (np.tile(self.detector_of, len(ends)) == k)
            if chosen.all():
                return detector.anomaly_score(rows).reshape(len(ends), self.n)
            if chosen.any():
                scores[chosen] = detector.anomaly_score(rows[chosen])
        return scores.reshape(len(ends), self.n)

    def _features(self, grid: Matrix, ends: Ints) -> tuple[Floats, Mask]:
        """What the detector sees, shape (r, n_series, n_features), and which of these rows miss nothing, shape (r * n_series,)."""
        windows = self.windows
        features = grid[ends].reshape(len(ends), self.n, self.channels) if windows is None else _raw(windows, grid, ends, self.n)
        if self.kept is not None:
            features = np.ascontiguousarray(features[:, :, self.kept])
        return features, scale_in_place(features, self.away, self.unit)


def _feature_parts(fleet: Fleet) -> tuple[WindowMatrix | None, Ints | None]:
    """The window features, and which of them stay; None where a step is not there."""
    windows: WindowMatrix | None = None
    kept: Ints | None = None
    for part in fleet.windows:
        if isinstance(part, WindowMatrix):
            windows = part
        elif isinstance(part, Columns):
            kept = np.array(part.kept) if kept is None else kept[list(part.kept)]
    return windows, kept


def raw_features(part: WindowMatrix, channels: Matrix, slots: Slots) -> Floats:
    """Features of one series before they are scaled, shape (n, n_out): what the fleet's scaling is learned from."""
    reach = part.lookback
    at = slots.positions(reach + 1) + reach
    grid = np.full((int(at[-1]) + 1, channels.shape[1]), np.nan)
    grid[at] = channels
    return _raw(part, grid, at, 1)[:, 0]


def _raw(part: WindowMatrix, grid: Matrix, ends: Ints, n: int) -> Floats:
    """Features of n series side by side, not yet scaled, shape (r, n, n_out)."""
    features = window_features(grid, ends, part.features, part.lengths, np.tile(part.floor, n), part.bridge)
    return features.reshape(len(ends), n, part.n_out)
