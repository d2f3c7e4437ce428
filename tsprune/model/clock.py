"""Time to slots: whole numbers that count steps, so that a gap is a gap and a phase stays a phase.

Everything behind the clock works on slot numbers, never on row numbers: one missing row would
shift every later phase, and a clock change would shift it by an hour.  Two numbers stand for each row:
the *absolute* slot (steps since 1970 in UTC, or the integer index) for trends and windows, and the *wall*
slot (what a clock on the wall shows) for daily and weekly patterns of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tsprune.errors import BadParameter, BadSeries
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints

NANOSECONDS = {"s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9, "W": 7 * 86400 * 10**9}


@dataclass(frozen=True)
class Slots:
    """The slot numbers of some rows, in order; `wall` equals `absolute` where no clock ever changes."""

    absolute: Ints
    wall: Ints

    @classmethod
    def counted(cls, n: int) -> Slots:
        """Slots 0, 1, ... n - 1."""
        slots = np.arange(n)
        return cls(slots, slots)

    def __len__(self) -> int:
        return len(self.absolute)

    @cached_property
    def regular(self) -> bool:
        """Whether every row stands one slot after the row before it; each step is tested."""
        return bool((np.diff(self.absolute) == 1).all())

    def taken(self, rows: slice) -> Slots:
        """The slots of some of the rows."""
        return Slots(self.absolute[rows], self.wall[rows])

    def positions(self, reach: int) -> Ints:
        """Row positions on a grid of slots on which no gap is longer than `reach` slots.

        Nothing that looks back `reach` slots can tell the shortened gap from the true one, and a gap of
        years costs no memory.
        """
        steps = np.minimum(np.diff(self.absolute, prepend=self.absolute[:1]), reach)
        return np.cumsum(steps)

    def line(self, values: Floats, length: int) -> tuple[Floats, Ints]:
        """Values one slot after the other behind `length - 1` missing ones, and the place of each row; first axis: rows.

        Gaps longer than a window are shortened.  Of several rows in one slot the last one stands on the line.
        """
        at = np.arange(length - 1, length - 1 + len(values)) if self.regular else length - 1 + self.positions(length)
        line = np.full((at[-1] + 1, *values.shape[1:]), np.nan)
        line[slice(length - 1, None) if self.regular else at] = values
        return line, at

    def windows(self, values: Floats, length: int) -> Floats:
        """The trailing window of each row, shape (n, length), the row's own value last; missing slots are NaN.

        Of several rows in one slot each is the end of its own window, and the last one is history to later rows.
        """
        line, at = self.line(values, length)
        windows = sliding_window_view(line, length)
        if self.regular:
            return windows
        windows = windows[at - (length - 1)]
        windows[:, -1] = values
        return windows


@dataclass(frozen=True)
class Clock(Part):
    """How a time becomes a slot; learned from the index of the training series."""

    kind: str  # "time": steps of nanoseconds; "month": calendar months; "index": plain numbers
    step: int  # nanoseconds, months, or units of the index
    origin: int  # the time of slot 0, within [0, step)
    changes: Ints  # UTC seconds at which the wall clock's offset changes
    offsets: Ints  # wall clock minus UTC in seconds: before the first change, after it, ...

    @classmethod
    def index(cls, step: int = 1, origin: int = 0) -> Clock:
        """The clock of an integer index."""
        return cls("index", step, origin, np.empty(0, np.int64), np.zeros(1, np.int64))

    def check(self) -> None:
        if self.kind not in ("time", "month", "index") or self.step < 1 or not 0 <= self.origin < self.step:
            raise ValueError(f"a clock of kind {self.kind!r} with step {self.step} and origin {self.origin}")
        if len(self.offsets) != len(self.changes) + 1 or (np.diff(self.changes) <= 0).any():
            raise ValueError("the clock changes are not in order")
        if np.abs(self.offsets).max() > 86400 or (len(self.changes) and np.abs(self.changes).max() > 2**40):
            raise ValueError("a clock change is out of range")

    @property
    def has_changes(self) -> bool:
        """Whether the wall clock is ever set forward or back."""
        return len(self.changes) > 0

    def slots(self, time: Any = None, n: int | None = None) -> Slots:
        """The slots of rows at these times.

        Parameters
        ----------
        time : array of datetime64, or of int64 (nanoseconds since 1970 in UTC; index values for an integer clock)
            Not decreasing.  Without it the rows stand in slots 0, 1, ...
        n : int
            Number of rows, needed where `time` is None.

        Raises
        ------
        BadSeries
            If a time is missing, or earlier than the one before it.
        """
        if time is None:
            return Slots.counted(n or 0)
        stamps = _as_integers(time, self.kind)
        if self.kind == "month":
            absolute = (stamps.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64) - self.origin) // self.step
            wall = absolute
        else:
            absolute = (stamps - self.origin + self.step // 2) // self.step
            wall = absolute
            if self.has_changes:
                offset = self.offsets[np.searchsorted(self.changes, stamps // NANOSECONDS["s"], side="right")]
                wall = (stamps + offset * NANOSECONDS["s"] - self.origin + self.step // 2) // self.step
        back = np.flatnonzero(np.diff(stamps) < 0)
        if len(back):
            row = int(back[0]) + 1
            raise BadSeries(
                f"time goes back at row {row}: {_shown(time, row)} stands after {_shown(time, row - 1)}. Sort the rows by time."
            )
        return Slots(absolute, wall)

    def duration(self, slots: int) -> int:
        """Nanoseconds that so many slots last at the most (index units for an integer clock)."""
        return slots * (31 * self.step * NANOSECONDS["D"] if self.kind == "month" else self.step)


def _as_integers(time: Any, kind: str) -> Ints:
    stamps = np.asarray(time)
    if stamps.ndim != 1:
        raise BadParameter(f"time has shape {stamps.shape}; it is one axis, one value per row.")
    if stamps.dtype.kind == "M":
        if kind == "index":
            raise BadParameter("time is datetime64, but the model learned on an integer index: give slot numbers.")
        if np.isnat(stamps).any():
            raise BadSeries(f"time is missing (NaT) at row {int(np.flatnonzero(np.isnat(stamps))[0])}. Drop that row or give its time.")
        return stamps.astype("datetime64[ns]").astype(np.int64)
    if stamps.dtype.kind not in "iu":
        raise BadParameter(
            f"time is of dtype {stamps.dtype}; it is datetime64, or whole numbers (nanoseconds since 1970, or slot numbers)."
        )
    return stamps.astype(np.int64)


def _shown(time: Any, row: int) -> str:
    return str(np.asarray(time)[row])
