"""The run path of a season: profiles looked up by slot, and how far the last cycles have moved away from them.

Order statistics, and sums in one order: a row has the same bits in one batch, in chunks and alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.trend import compiled
from tsprune.kernels.windows import middle_of, nan_median

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints

#: Share of the weight that a smoothed phase needs, and cycles that a correction needs.
ENOUGH, FEWEST = 0.3, 3


def phase(slots: Ints, period: float, bins: int) -> Ints:
    """The bin of each slot within its cycle, 0 ... bins - 1; slot 0 begins a cycle."""
    if period == bins:
        return slots % bins
    return np.minimum((slots % period) * (bins / period), bins - 1).astype(np.int64)


def at_phase(slots: Ints, period: float, profile: Floats) -> Floats:
    """The profile's value at each slot, shape (n,)."""
    bins = len(profile)
    if period == bins and len(slots) > 1 and slots[-1] - slots[0] == len(slots) - 1 and (np.diff(slots) == 1).all():
        return np.resize(np.roll(profile, -(int(slots[0]) % bins)), len(slots))
    return profile[phase(slots, period, bins)]


def subtract_profile(values: Floats, slots: Ints, profile: Floats) -> None:
    """Subtract from each value, in place, the profile at its slot; one entry of the profile per slot of a cycle."""
    if compiled(len(values)):
        from tsprune.kernels import compiled_signal

        compiled_signal.subtract_profile(values, slots, profile)
    else:
        values -= at_phase(slots, len(profile), profile)


def drift(values: Floats, slots: Ints, period: float, cycles: int, half: int) -> Floats:
    """How the shape of the last cycles differs from nothing: the median over them, at each row's phase.

    Parameters
    ----------
    values : ndarray, shape (n,)
        What the profile leaves; NaN where missing.
    slots : ndarray of int, shape (n,)
        Of the wall clock perhaps: rows whose hour comes twice may go back.
    period : float
        Slots of a cycle; of a fractional one, cycles are a slot longer or shorter by turns.
    cycles : int
        How many whole cycles before a row's own are looked at.
    half : int
        Each cycle is smoothed around its ends by tricube weights over so many slots to either side.

    Returns
    -------
    ndarray, shape (n,)
        In the unit of the values; 0 where fewer than three of the cycles have a value there.  The median of each cycle is taken away
        before: a level is no season.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.season import drift
    >>> drift(np.tile([1.0, 5.0, 3.0], 5), np.arange(15), period=3, cycles=4, half=0)[-4:]
    array([ 0., -2.,  2.,  0.])
    """
    cycle, place, width = _places(slots, period)
    number = np.maximum.accumulate(cycle)
    rank = np.cumsum(np.diff(number, prepend=number[:1]) > 0)
    grid = np.full((rank[-1] + 1, width), np.nan)
    early = number == cycle  # rows of an hour that comes again after its cycle has ended are no history
    grid[rank[early], place[early]] = values[early]
    shape = _smoothed(grid - nan_median(grid)[:, None], half)
    first = np.searchsorted(rank, np.arange(len(grid)))
    at = np.cumsum(np.minimum(np.diff(number[first], prepend=number[0]), cycles + 1))  # a longer gap looks the same from behind it
    line = np.full((cycles + at[-1] + 1, width), np.nan)
    line[cycles + at] = shape
    middle, count = middle_of([line[at + back] for back in range(cycles)])
    return np.where(count >= FEWEST, middle, 0.0)[rank, place]


def _places(slots: Ints, period: float) -> tuple[Ints, Ints, int]:
    """The cycle of each slot, its place within, and the places of the longest cycle."""
    if period == int(period):
        cycle = slots // int(period)
        return cycle, slots - cycle * int(period), int(period)
    cycle = (slots // period).astype(np.int64)
    width = math.ceil(period)
    return cycle, np.clip((slots - cycle * period).astype(np.int64), 0, width - 1), width


def _smoothed(cycles: Floats, half: int) -> Floats:
    """Each row smoothed around its ends over the values that are there; NaN where too few are."""
    if half == 0:
        return cycles
    there = ~np.isnan(cycles)
    complete = bool(there.all())
    known = cycles if complete else np.where(there, cycles, 0.0)
    total, weight = np.zeros_like(cycles), np.zeros(1) if complete else np.zeros_like(cycles)
    whole = 0.0
    for offset in range(-half, half + 1):
        tap = (1.0 - (abs(offset) / (half + 1)) ** 3) ** 3
        total += tap * np.roll(known, -offset, axis=1)
        weight += tap if complete else tap * np.roll(there, -offset, axis=1)
        whole += tap
    return np.where(weight > ENOUGH * whole, total / np.maximum(weight, 1e-300), np.nan)
