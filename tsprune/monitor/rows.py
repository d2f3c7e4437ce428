"""Rows of many series: sorted by series, then by time; one row per series and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.types import Floats, Ints, Mask, Matrix


@dataclass(frozen=True)
class Rows:
    """What a source gives: n rows of d values, each of one series at one time."""

    names: tuple[str, ...]  # of the series
    code: Ints  # (n,) which of the names
    time: Ints  # (n,) nanoseconds since 1970, UTC
    values: Matrix  # (n, d), NaN where missing
    unreadable: int = 0  # rows left out since their time could not be read
    duplicates: int = 0  # rows left out since another of the same series and time came after them

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def of(cls, names: Sequence[str], code: Ints, time: Ints, values: Floats, unreadable: int = 0, *, in_order: bool = True) -> Rows:
        """Rows in any order; of several with the same series and time one counts.  Infinite values count as missing.

        It is the last one where the order of rows means something; else the one with the largest values: the same every time.
        """
        values = np.where(np.isinf(values), np.nan, values)
        if len(time) == 0 or (np.diff(code) * 2 + np.sign(np.diff(time)) > 0).all():
            return cls(tuple(names), code, time, values, unreadable)
        order = np.lexsort((time, code) if in_order else (*values.T[::-1], time, code))
        code, time, values = code[order], time[order], values[order]
        last = np.append((np.diff(code) != 0) | (np.diff(time) != 0), True)
        return cls(tuple(names), code[last], time[last], values[last], unreadable, int((~last).sum()))

    @classmethod
    def none(cls, width: int) -> Rows:
        """No rows."""
        return cls((), np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, width)))

    def taken(self, mask: Mask) -> Rows:
        """Some of the rows; the codes stay."""
        return Rows(self.names, self.code[mask], self.time[mask], self.values[mask])

    def bounds(self) -> Ints:
        """Where each series begins, and the end: shape (number of names + 1,)."""
        return np.searchsorted(self.code, np.arange(len(self.names) + 1))


def coded(names: Sequence[object]) -> tuple[tuple[str, ...], Ints]:
    """Names of rows as distinct clean names and, for each row, which of them it has.

    >>> from tsprune.monitor.rows import coded
    >>> coded(["b", "a", "b"])
    (('b', 'a'), array([0, 1, 0]))
    """
    by_name: dict[str, int] = {}
    code = {raw: by_name.setdefault(clean(raw), len(by_name)) for raw in dict.fromkeys(names)}
    return tuple(by_name), np.fromiter(map(code.__getitem__, names), np.int64, len(names))


def clean(name: object) -> str:
    """A series name that every store can hold: text, without NUL and half characters, which are written as escapes.

    >>> from tsprune.monitor.rows import clean
    >>> clean("a\\0b"), clean(7), clean(None)
    ('a\\\\x00b', '7', '')
    """
    told = "" if name is None else str(name)
    return told.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
