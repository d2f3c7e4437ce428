"""Series of one form as matrices: slots down, series across.

Series with the same times need no copying about.  Others stand on the union of their slots, where a slot without a row is a
missing value: the two mean the same everywhere.  Only series with several rows in one slot go alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.clock import Slots
from tsprune.panel.rows import concatenated_ranges

if TYPE_CHECKING:
    from tsprune.model.clock import Clock
    from tsprune.panel.rows import Rows
    from tsprune.types import Ints, Mask, Matrix

#: A union of slots may be so many times larger than its rows, or by so many values; else the series are divided.
PADDING, SLACK = 3, 1 << 16


@dataclass(frozen=True)
class Block:
    """Some series of a common clock on common slots."""

    series: Ints  # numbers of the series, as in the rows
    rows: Ints  # which of the rows are in it
    slots: Slots
    values: Matrix  # (n_slots, n_series)
    place: Ints | None  # of each row in the flattened transposed matrix, increasing; None: all rows fill it in order
    skip: int  # first slots in which no row is new


def blocks(rows: Rows, clock: Clock, new: Mask | None = None) -> Iterator[Block | int]:
    """The series of some rows as blocks; a series that has several rows in one slot comes as its number.

    Parameters
    ----------
    rows : Rows
    clock : Clock
        Of all the series.
    new : ndarray of bool, optional
        Rows that are to be scored; the others are context.
    """
    bounds = rows.bounds()
    sizes = np.diff(bounds)
    everything = np.arange(len(rows.names))
    n = int(sizes[0]) if len(sizes) else 0
    if n and (sizes == n).all():
        matrix = rows.time.reshape(-1, n)
        if (matrix == matrix[0]).all():
            slots = clock.slots(matrix[0])
            if len(np.unique(slots.absolute)) == n:
                skip = 0 if new is None else int(np.argmax(new.reshape(-1, n).any(axis=0)))
                yield Block(everything, np.empty(0, np.int64), slots, rows.value.reshape(-1, n).T, None, skip)
                return
    yield from _divided(rows, clock, new, bounds, everything[sizes > 0])


def _divided(rows: Rows, clock: Clock, new: Mask | None, bounds: Ints, series: Ints) -> Iterator[Block | int]:
    times, at = np.unique(rows.time, return_inverse=True)
    slots = clock.slots(times)
    slot, wall = slots.absolute[at], slots.wall[at]
    same = (np.diff(rows.code) == 0) & (np.diff(slot) == 0)
    crowded = np.zeros(len(rows.names), dtype=bool)
    crowded[rows.code[1:][same]] = True
    for number in np.flatnonzero(crowded):
        yield int(number)
    alone = series[~crowded[series]]
    pending = [alone[np.argsort(slot[bounds[alone]], kind="stable")]] if len(alone) else []
    while pending:
        some = pending.pop()
        block = _block(rows, new, bounds, some, slot, wall)
        if block is not None:
            yield block
        else:
            pending += [some[len(some) // 2 :], some[: len(some) // 2]]


def _block(rows: Rows, new: Mask | None, bounds: Ints, some: Ints, slot: Ints, wall: Ints) -> Block | None:
    """Some series on the union of their slots; None where that is mostly empty, or one slot has two times on the wall."""
    here = concatenated_ranges(bounds[some], bounds[some + 1])
    union, first, row = np.unique(slot[here], return_index=True, return_inverse=True)
    walls = wall[here][first]
    if len(some) > 1 and (len(union) * len(some) > PADDING * len(here) + SLACK or (walls[row] != wall[here]).any()):
        return None
    place = np.repeat(np.arange(len(some)), bounds[some + 1] - bounds[some]) * len(union) + row
    values = np.full(len(some) * len(union), np.nan)
    values[place] = rows.value[here]
    skip = 0 if new is None or not new[here].any() else int(row[new[here]].min())
    return Block(some, here, Slots(union, walls), values.reshape(len(some), -1).T, place, skip)
