"""Rows of many series, whatever frame they came in: sorted by series, then by time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tsprune.errors import BadSeries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tsprune.types import AnyArray, Floats, Ints, Mask


@dataclass(frozen=True)
class Rows:
    """Values of several series, each at a time.

    Parameters
    ----------
    names : tuple of str
        Of the series, in order.
    code : ndarray of int, shape (n,)
        Which of the names; not decreasing.
    time : ndarray of int, shape (n,)
        Nanoseconds since 1970 in UTC, or numbers of an integer index; not decreasing within a series.
    value : ndarray, shape (n,)
        NaN where missing.
    stamps : bool
        Whether times are timestamps.
    zone : str or None
        Time zone of the clock on the wall.
    order : ndarray of int, shape (n,), or None
        Where in the source each row stood; None: in this order.
    """

    names: tuple[str, ...]
    code: Ints
    time: Ints
    value: Floats
    stamps: bool = True
    zone: str | None = None
    order: Ints | None = None

    def __len__(self) -> int:
        return len(self.code)

    @classmethod
    def of(cls, names: Sequence[str], code: Ints, time: Ints, value: Floats, *, stamps: bool, zone: str | None) -> Rows:
        """Rows in any order.  Those of one series and time come in order of value: nothing depends on the order of the source."""
        if np.isinf(value).any():
            row = int(np.flatnonzero(np.isinf(value))[0])
            raise BadSeries(f"series {names[code[row]]!r} holds an infinity (row {row}). Replace it by a missing value.")
        by_name = np.argsort(np.array(names, dtype=object), kind="stable") if len(names) else np.empty(0, np.int64)
        rank = np.empty(len(names), np.int64)
        rank[by_name] = np.arange(len(names))
        names, code = tuple(names[k] for k in by_name), rank[code]
        step, later = np.diff(code), np.diff(time)
        if ((step > 0) | ((step == 0) & (later > 0))).all():
            return cls(names, code, time, value, stamps, zone)
        order = np.lexsort((time, code))
        twice = (np.diff(code[order]) == 0) & (np.diff(time[order]) == 0)
        if twice.any():
            order = np.lexsort((value, time, code))
        return cls(names, code[order], time[order], value[order], stamps, zone, order)

    def bounds(self) -> Ints:
        """Where each series begins, and the end: shape (n_series + 1,)."""
        return np.searchsorted(self.code, np.arange(len(self.names) + 1))

    def only(self, chosen: Iterable[int]) -> Rows:
        """The rows of some series, given by their numbers in order; without their places in the source."""
        codes = np.fromiter(chosen, np.int64)
        if len(codes) == len(self.names):
            return replace(self, order=None)
        bounds = self.bounds()
        rows = concatenated_ranges(bounds[codes], bounds[codes + 1])
        names = tuple(self.names[k] for k in codes)
        code = np.repeat(np.arange(len(codes)), bounds[codes + 1] - bounds[codes])
        return Rows(names, code, self.time[rows], self.value[rows], self.stamps, self.zone)

    def in_source_order(self, values: AnyArray) -> AnyArray:
        """One value per row, back where the rows stood."""
        if self.order is None:
            return values
        placed = np.empty_like(values)
        placed[self.order] = values
        return placed


def concatenated_ranges(starts: Ints, stops: Ints) -> Ints:
    """start ... stop - 1 of each range, one after the other.

    >>> import numpy as np
    >>> from tsprune.panel.rows import concatenated_ranges
    >>> concatenated_ranges(np.array([5, 0]), np.array([7, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    sizes = stops - starts
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)


def joined(context: Rows, rows: Rows) -> tuple[Rows, Mask]:
    """Rows with what came before them, and which of them are new (in the order of `rows`)."""
    if context.stamps != rows.stamps:
        raise BadSeries("context and rows have times of another kind; give both timestamps, or both whole numbers.")
    beside = _side_by_side(context, rows)
    if beside is not None:
        return beside
    names = tuple(sorted({*context.names, *rows.names}))
    place = {name: k for k, name in enumerate(names)}
    codes = [np.array([place[name] for name in part.names], dtype=np.int64)[part.code] for part in (context, rows)]
    new = np.concatenate([np.zeros(len(context), np.int64), np.ones(len(rows), np.int64)])
    code, time = np.concatenate(codes), np.concatenate([context.time, rows.time])
    order = np.argsort(code, kind="stable")  # two runs in order: quick, and enough where all context lies before the rows
    if ((np.diff(time[order]) < 0) & (np.diff(code[order]) == 0)).any():
        order = np.lexsort((new, time, code))
    value = np.concatenate([context.value, rows.value])
    return Rows(names, code[order], time[order], value[order], rows.stamps, rows.zone), new[order] == 1


def _side_by_side(context: Rows, rows: Rows) -> tuple[Rows, Mask] | None:
    """The same where each series has as much context, and as many rows, as any other: no sorting."""
    d = len(rows.names)
    if not d or context.names != rows.names or len(context) % d or len(rows) % d or not len(context):
        return None
    n, more = len(context) // d, len(rows) // d
    if more == 0 or (context.code[::n] != np.arange(d)).any() or (context.code[n - 1 :: n] != np.arange(d)).any():
        return None
    if (rows.code[::more] != np.arange(d)).any() or (rows.code[more - 1 :: more] != np.arange(d)).any():
        return None
    if (context.time[n - 1 :: n] > rows.time[::more]).any():
        return None
    code = np.repeat(np.arange(d), n + more)
    time, value = (
        np.concatenate([before.reshape(d, n), new.reshape(d, more)], axis=1).ravel()
        for before, new in ((context.time, rows.time), (context.value, rows.value))
    )
    return Rows(rows.names, code, time, value, rows.stamps, rows.zone), np.tile(np.arange(n + more) >= n, d)
