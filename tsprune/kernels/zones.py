"""Zones of affiliation: the series cut into one zone per event, at the middle of the gaps between events.

Affiliation precision and recall are sums of what single predicted rows add, so that all thresholds come out of one pass:

- precision: a row is worth the share of its zone that is at least as far from the event as the row is;
- recall: a row that is predicted splits the gap between its predicted neighbours, and only within that gap do points of
  the event come nearer to a prediction.

Positions are counted in half rows: zones begin and end at rows or at halves of rows.  A row that an edge cuts in two has a
piece in both zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tsprune.kernels.labelled import Runs
    from tsprune.types import Floats, Ints, Mask


class Pieces(NamedTuple):
    """Rows that some threshold predicts: their zone, and the step at which they first are; by zone, then by row."""

    rows: Ints
    zone: Ints
    step: Ints

    def taken(self, which: Ints) -> Pieces:
        """Some of the pieces."""
        return Pieces(self.rows[which], self.zone[which], self.step[which])

    @classmethod
    def joined(cls, pieces: list[Pieces]) -> Pieces:
        """Pieces of successive blocks."""
        return cls(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))


@dataclass(frozen=True)
class Zones:
    """Events and the zones around them, in half rows; zone k reaches from edges[k] to edges[k + 1]."""

    first: Ints
    stop: Ints
    edges: Ints

    @classmethod
    def of(cls, events: Runs, n: int) -> Zones:
        """The zones of a series of n rows."""
        middles = events.stop[:-1] + events.first[1:]
        return cls(2 * events.first, 2 * events.stop, np.concatenate([[0], middles, [2 * n]]))

    def pieces(self, rows: Ints, step: Ints) -> Pieces:
        """Rows and their zones; a row that an edge cuts stands twice."""
        zone = np.searchsorted(self.edges, 2 * rows, "right") - 1
        cut = self.edges[zone + 1] == 2 * rows + 1
        if cut.any():
            twice = np.repeat(np.arange(len(rows)), 1 + cut)
            zone = zone[twice]
            zone[np.flatnonzero(cut) + np.cumsum(cut[cut])] += 1
            rows, step = rows[twice], step[twice]
        return Pieces(rows, zone, step)

    def may_split(self, pieces: Pieces, n_steps: int) -> Ints:
        """Pieces that can come between an event and the nearest prediction: within it, or ahead of all that lie nearer."""
        left = np.flatnonzero(2 * pieces.rows < self.first[pieces.zone])[::-1]
        right = np.flatnonzero(2 * pieces.rows >= self.stop[pieces.zone])
        apart = pieces.zone * n_steps  # so that every step of the next zone is ahead of all in this one
        kept = np.ones(len(pieces.rows), np.bool_)
        kept[left] = _new_minimum(pieces.step[left] + apart[left])
        kept[right] = _new_minimum(pieces.step[right] - apart[right])
        return np.flatnonzero(kept)


class ZonePrecision:
    """Mean over zones of the worth of the predicted rows, per threshold; rows come zone by zone, in any number of parts."""

    def __init__(self, zones: Zones, n_steps: int) -> None:
        self._zones, self._n_steps = zones, n_steps
        self._total, self._n_touched = np.zeros((2, n_steps))
        self._zone = -1  # the last zone stays open: more of its rows may follow
        self._worth, self._length = np.zeros((2, 1, n_steps))

    def add(self, pieces: Pieces) -> None:
        """Count the next rows."""
        if len(pieces.rows) == 0:
            return
        begins = np.concatenate([[pieces.zone[0] != self._zone], pieces.zone[1:] != pieces.zone[:-1]])
        place = np.cumsum(begins)  # 0: the open zone
        cell, n_cells = place * self._n_steps + pieces.step, (place[-1] + 1) * self._n_steps
        worth, length = (
            np.bincount(cell, each, n_cells).reshape(-1, self._n_steps).astype(np.float64, copy=False)
            for each in _worth(pieces, self._zones)
        )
        worth[0] += self._worth[0]
        length[0] += self._length[0]
        self._close(worth[:-1], length[:-1])
        self._zone, self._worth, self._length = int(pieces.zone[-1]), worth[-1:], length[-1:]

    def mean(self) -> Floats:
        """Precision per threshold, NaN where nothing is predicted; asked for once, when all rows are in."""
        self._close(self._worth, self._length)
        return np.where(self._n_touched > 0, self._total / np.maximum(self._n_touched, 1), np.nan)

    def _close(self, worth: Floats, length: Floats) -> None:
        worth, length = np.cumsum(worth, axis=1), np.cumsum(length, axis=1)
        self._total += np.sum(worth / np.maximum(length, 1), axis=0)
        self._n_touched += np.count_nonzero(length, axis=0)


def zone_recall(zones: Zones, pieces: Pieces, n_steps: int) -> Floats:
    """Mean over zones of the nearness of the event's points to the predictions in the zone, per threshold.

    The first row of a zone brings it from 0 to something; each further row splits a gap.  `pieces` holds at least those
    that `may_split`.
    """
    if len(pieces.rows) == 0:
        return np.zeros(n_steps)
    begins = np.concatenate([[True], pieces.zone[1:] != pieces.zone[:-1]])
    place = np.arange(len(begins)) + np.cumsum(begins)  # a wall before each zone, and one behind the last
    step = np.full(place[-1] + 2, -1)
    step[place] = pieces.step
    far = 2 * int(zones.edges[-1])
    ends, starts = np.full(len(step), -far), np.full(len(step), far)
    ends[place], starts[place] = 2 * pieces.rows + 2, 2 * pieces.rows
    left = ends[_nearest(step, place, -1, np.less_equal)]  # of rows predicted at once, the left one comes first
    right = starts[_nearest(step, place, 1, np.less)]
    lost = [_distance(zones, pieces.zone, *gap) for gap in ((left, right), (left, starts[place]), (ends[place], right))]
    nearer = (lost[0] - lost[1] - lost[2]) / (zones.stop - zones.first)[pieces.zone]
    return np.cumsum(np.bincount(pieces.step, nearer, n_steps)) / len(zones.first)


def _worth(pieces: Pieces, zones: Zones) -> tuple[Floats, Floats]:
    """For each piece, the integral over its points of the share of the zone at least as far from the event; and its length."""
    lower, upper = zones.edges[pieces.zone], zones.edges[pieces.zone + 1]
    first, stop = zones.first[pieces.zone], zones.stop[pieces.zone]
    start, end = np.maximum(2 * pieces.rows, lower), np.minimum(2 * pieces.rows + 2, upper)
    length, middle = (end - start).astype(np.float64), (start + end) / 2
    distance = np.maximum(first - middle, middle - stop)
    both = np.minimum(first - lower, upper - stop)  # up to here a distance is found on both sides of the event
    # Distance and capped distance are straight within a piece, but for the cap in the middle of a row: that costs a triangle.
    nearer = length * (stop - first + distance + np.minimum(distance, both)) - (distance == both) / 2
    return np.where(distance < 0, length, length - nearer / (upper - lower)), length


def _distance(zones: Zones, zone: Ints, left: Ints, right: Ints) -> Floats:
    """Integral over the event's points in a gap of the share of the zone that is nearer than the nearest end of the gap.

    A gap without a predicted row at either end loses all of the event.
    """
    lower, upper = zones.edges[zone], zones.edges[zone + 1]
    start = np.maximum(left, zones.first[zone])
    end = np.maximum(np.minimum(right, zones.stop[zone]), start)
    middle: Floats = np.clip((left + right) / 2, start, end)
    # Of the zone, d + min(d, upper - left - d) is nearer than d to a point at distance d right of `left`: twice the smaller
    # of d and half of upper - left.
    lost = _capped((upper - left) / 2, start - left, middle - left) + _capped((right - lower) / 2, right - end, right - middle)
    return np.where((left < 0) & (right > upper), end - start, 2 * lost / (upper - lower))


def _capped(top: Floats, near: Floats | Ints, far: Floats | Ints) -> Floats:
    """Integral of min(d, top) over d = near ... far."""
    low, high = np.minimum(near, top), np.minimum(far, top)
    return (high - low) * (low + high) / 2 + top * ((far - near) - (high - low))


def _nearest(step: Ints, place: Ints, side: int, stops: np.ufunc) -> Ints:
    """The nearest place on one side whose step is smaller (or equal, as `stops` says) than a place's own; walls are -1."""
    nearest = np.arange(len(step)) + side
    todo = place
    while len(todo):
        todo = todo[~stops(step[nearest[todo]], step[todo])]
        nearest[todo] = nearest[nearest[todo]]
    return nearest[place]


def _new_minimum(values: Ints) -> Mask:
    """Which values are smaller than all before them."""
    return np.concatenate([[True], values[1:] < np.minimum.accumulate(values)[:-1]])[: len(values)]
