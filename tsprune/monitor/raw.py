"""What a source was given, before and after it is rows: columns of anything, numbers, and the span that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.monitor.rows import Rows, coded
from tsprune.monitor.stamps import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.monitor.stamps import Stamps
    from tsprune.types import Floats


class RawTable:
    """Columns of equal length as Python objects, and the number of lines that were no rows."""

    def __init__(self, times: Sequence[Any], series: Sequence[Any] | None, values: Sequence[Sequence[Any]], broken: int = 0):
        self.times, self.series, self.values, self.broken = times, series, values, broken


def rows_of(raw: RawTable, stamps: Stamps, clock: Any, name: str, *, in_order: bool = True) -> Rows:
    """Columns as a source gave them, as rows; without a column of series all rows are of one, named as the job."""
    n = len(raw.times)
    names, code = coded(raw.series) if raw.series is not None else ((name,), np.zeros(n, np.int64))
    step, origin = (clock.step, clock.origin) if clock.kind == "time" else (1, 0)
    time = stamps.parse(raw.times, code, step, origin)
    fine = time != UNREADABLE
    values = np.column_stack([_numbers(column) for column in raw.values]) if n else np.empty((0, len(raw.values)))
    return Rows.of(names, code[fine], time[fine], values[fine], int((~fine).sum()) + raw.broken, in_order=in_order)


def _numbers(column: Sequence[Any]) -> Floats:
    """Numbers, texts of numbers, and anything else as missing."""
    try:
        return np.array(column, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return np.array([_number(value) for value in column])


def _number(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return np.nan


def between(rows: Rows, since: int, until: int, series: Sequence[str] | None) -> Rows:
    """Those of the rows that were asked for."""
    mask = (rows.time >= since) & (rows.time <= until)
    if series is not None:
        wanted = set(series)
        mask &= np.array([name in wanted for name in rows.names], dtype=bool)[rows.code]
    taken = rows.taken(mask)
    return Rows(taken.names, taken.code, taken.time, taken.values, rows.unreadable, rows.duplicates)
