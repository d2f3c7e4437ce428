"""The clock of an index: step, origin, zone, and what is wrong with it.

The step is the median difference of neighbouring rows, made a round duration where the rows jitter; a row belongs
to the nearest slot.  Counts of duplicates, missing slots and off-grid rows are facts for the report, not reasons to fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.errors import BadSeries
from tsprune.model.clock import NANOSECONDS, Clock

if TYPE_CHECKING:
    from tsprune.types import Ints

#: Wall-clock changes are frozen into the model for these years; rules beyond are not known to anybody.
_CHANGES_FROM, _CHANGES_TO = "1970-01-01", "2100-01-01"

#: Durations that people sample at, in nanoseconds.
_ROUND = tuple(
    count * unit
    for unit, counts in (
        (10**6, (1, 2, 5, 10, 20, 25, 40, 50, 100, 125, 200, 250, 500)),
        (NANOSECONDS["s"], (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)),
        (NANOSECONDS["min"], (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)),
        (NANOSECONDS["h"], (1, 2, 3, 4, 6, 8, 12)),
        (NANOSECONDS["D"], (1, 2, 7, 14)),
    )
    for count in counts
)


def times(index: pd.Index) -> Ints:
    """The times of an index: nanoseconds since 1970 in UTC for timestamps, else its whole numbers.

    Raises
    ------
    BadSeries
        If the index is neither of timestamps nor of whole numbers, or misses a time.
    """
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        if index.hasnans:
            raise BadSeries(f"the index misses a time (NaT) at row {int(np.flatnonzero(index.isna())[0])}. Drop that row or give its time.")
        return index.as_unit("ns").asi8
    if isinstance(index, pd.RangeIndex) or (pd.api.types.is_integer_dtype(index.dtype) and not isinstance(index, pd.MultiIndex)):
        return index.to_numpy(np.int64)
    shown = f" (first value: {index[0]!r})" if len(index) else ""
    raise BadSeries(
        f"the index is a {type(index).__name__} of dtype {index.dtype}{shown}; it is a DatetimeIndex or whole numbers. "
        f"Convert it: frame.index = pd.to_datetime(frame.index), or frame.reset_index(drop=True) to count rows."
    )


def learn_clock(index: pd.Index | None, step: int | None = None) -> Clock:
    """The clock of an index; without one, rows are counted.

    Parameters
    ----------
    index : DatetimeIndex (with zone or without), PeriodIndex, integer Index, or None
    step : int, optional
        Nanoseconds (or index units) between two rows; found as the usual difference where not given: the median, or a quarter's where that divides the rest.
    """
    if index is None:
        return Clock.index()
    stamps = times(index)
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        step = step or _median_step(stamps)
        return Clock.index(step, _origin(stamps, step))
    months = _month_step(index) if step is None else None
    if months is not None:
        first = int(stamps[:1].astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)[0]) if len(stamps) else 0
        return Clock("month", months, first % months, np.empty(0, np.int64), np.zeros(1, np.int64))
    step = step or _time_step(stamps)
    changes, offsets = _wall_changes(index.tz if isinstance(index, pd.DatetimeIndex) else None)
    return Clock("time", step, _origin(stamps, step), changes, offsets)


def _median_step(stamps: Ints, default: int = 1) -> int:
    """The lower median of the positive differences: a true difference, not the mean of two.

    Where more than half of the rows are missing it is two steps or more; then the lower quartile divides the others.
    """
    steps = np.diff(stamps)
    steps = np.sort(steps[steps > 0])
    if not len(steps):
        return default
    quartile, median = (int(steps[(len(steps) - 1) // parts]) for parts in (4, 2))
    divides = median <= 4 * quartile and 10 * (steps % quartile == 0).sum() >= 9 * len(steps)  # rows sent twice a second apart are no step
    return quartile if divides else median


def _time_step(stamps: Ints) -> int:
    """The median step where most rows keep it; else the mean step, or the round duration within 2 % of that.

    A step that is wrong by a thousandth drifts through a whole slot in a thousand rows.
    """
    step = _median_step(stamps, default=NANOSECONDS["s"])
    gaps = np.diff(stamps)
    gaps = gaps[gaps > 0]
    if 2 * (gaps % step == 0).sum() >= len(gaps):
        return step
    mean = gaps.sum() / max(1, int(np.rint(gaps / step).sum()))
    nearest = min(_ROUND, key=lambda duration: abs(duration - mean))
    return nearest if abs(nearest - mean) < 0.02 * mean else max(1, round(mean))


def _origin(stamps: Ints, step: int) -> int:
    """Where in a step the rows stand: the remainder most rows share, else the circular mean of jittered ones."""
    if not len(stamps):
        return 0
    remainders, counts = np.unique(stamps % step, return_counts=True)
    if 2 * counts.max() >= len(stamps):
        return int(remainders[np.argmax(counts)])
    angle = np.angle(np.exp(2j * np.pi * (remainders / step)) @ counts)
    return int(angle / (2 * np.pi) % 1.0 * step) % step


def _month_step(index: pd.DatetimeIndex | pd.PeriodIndex) -> int | None:
    """Months between two rows when all stand on the same day of their month (or all on the last day), else None."""
    stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    stamps = stamps.tz_localize(None) if stamps.tz is not None else stamps
    if len(stamps) < 3 or _median_step(stamps.as_unit("ns").asi8) < 28 * NANOSECONDS["D"]:
        return None
    if not (len(set(stamps.day)) == 1 or bool(stamps.is_month_end.all())):
        return None
    return _median_step((stamps.year * 12 + stamps.month).to_numpy(np.int64))


def _wall_changes(zone: Any) -> tuple[Ints, Ints]:
    """When the wall clock of a zone changes: UTC seconds, and the offsets before, between and after them."""
    if zone is None:
        return np.empty(0, np.int64), np.zeros(1, np.int64)
    day = NANOSECONDS["D"] // NANOSECONDS["s"]
    low = np.arange(np.datetime64(_CHANGES_FROM, "s").astype(np.int64), np.datetime64(_CHANGES_TO, "s").astype(np.int64), day)
    at_low = _offsets(low, zone)
    changed = np.flatnonzero(np.diff(at_low))
    low, high, before = low[changed], low[changed + 1], at_low[changed]
    while len(low) and (high - low > 1).any():
        middle = (low + high) // 2
        same = _offsets(middle, zone) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return high, np.concatenate([at_low[:1], _offsets(high, zone)])


def _offsets(seconds: Ints, zone: Any) -> Ints:
    """Wall clock minus UTC, in seconds, at UTC seconds."""
    index = pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(zone)
    return index.tz_localize(None).as_unit("s").asi8 - seconds


@dataclass(frozen=True)
class ClockFacts:
    """What was found in an index."""

    n_rows: int
    n_slots: int
    n_missing: int
    n_gaps: int
    longest_gap: int
    n_duplicates: int
    n_off_grid: int

    @classmethod
    def of(cls, stamps: Ints, clock: Clock) -> ClockFacts:
        """Count duplicates, missing slots and rows that stand off the grid by more than a tenth of a step."""
        slots = clock.slots(stamps).absolute
        steps = np.diff(slots)
        off = np.abs((stamps - clock.origin + clock.step // 2) % clock.step - clock.step // 2) > clock.step // 10
        span = int(slots[-1] - slots[0]) + 1 if len(slots) else 0
        return cls(
            n_rows=len(slots),
            n_slots=span,
            n_missing=span - len(np.unique(slots)),
            n_gaps=int((steps > 1).sum()),
            longest_gap=int(steps.max() - 1) if len(steps) and steps.max() > 1 else 0,
            n_duplicates=int((steps == 0).sum()),
            n_off_grid=0 if clock.kind == "month" else int(off.sum()),
        )
