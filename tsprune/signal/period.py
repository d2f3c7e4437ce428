"""Find how long a cycle is, from a series of pandas or numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter
from tsprune.kernels.periods import MOST, find
from tsprune.model.clock import NANOSECONDS
from tsprune.params import check_count
from tsprune.series.clock import learn_clock
from tsprune.series.table import read_table
from tsprune.signal.grid import on_grid

if TYPE_CHECKING:
    import datetime

    from tsprune.model.clock import Clock
    from tsprune.types import Floats

#: What people and their machines go by, in nanoseconds.
HABITS = (NANOSECONDS["h"], 12 * NANOSECONDS["h"], NANOSECONDS["D"], NANOSECONDS["W"])
#: For records of a sample a day or slower; 365.25 days.
YEAR = 31_557_600 * NANOSECONDS["s"]


@dataclass(frozen=True)
class Period:
    """A period that was found.

    Parameters
    ----------
    samples : float
        Samples per cycle; a fraction where cycles do not fit the grid.
    strength : float
        Share of variance, once the mean of each cycle is taken away, that the mean of the other cycles foresees; up to 1.
    source : {"calendar", "spectrum", "acf"}
        Where the candidate came from.
    whole : int
        The whole number of samples after which the pattern fits the grid again: `samples`, or a multiple of it.  Profiles by
        slot need this one.
    """

    samples: float
    strength: float
    source: Literal["calendar", "spectrum", "acf"]
    whole: int

    def __str__(self) -> str:
        exact = f"{self.samples:g} samples" if self.samples == self.whole else f"{self.samples:.4g} samples ({self.whole} in whole ones)"
        return f"a period of {exact} from the {self.source}, which foresees {self.strength:.0%} of the variance"


def find_periods(
    x: Any, step: str | pd.Timedelta | datetime.timedelta | np.timedelta64 | None = None, max_periods: int = 2
) -> list[Period]:
    """Find the periods of a series: none, a cycle, or a cycle and a longer one (a day and its week).

    Parameters
    ----------
    x : Series, DataFrame of one column, or array, shape (n,)
        On a DatetimeIndex or an integer index (gaps are taken as missing values), or one value per row; NaN is missing.
        The last 100,000 samples are looked at.
    step : duration, optional
        Time between two samples, "5min" or a Timedelta: with it hours, days, weeks and years are looked at first.
        A DatetimeIndex knows its own.
    max_periods : int
        1 for the shortest only.

    Returns
    -------
    list of Period
        The shorter first; empty where no period is certain or fewer than four cycles are there.

    Raises
    ------
    BadSeries
        If there is no row, time goes back, or a value is infinite.
    BadParameter
        If there is more than one column, or `step` is no positive duration.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal.period import find_periods
    >>> hours = np.arange(24 * 28)
    >>> x = np.sin(2 * np.pi * hours / 24) + np.random.default_rng(0).normal(0, 0.5, len(hours))
    >>> [(period.samples, period.source) for period in find_periods(x, step="1h")]
    [(24.0, 'calendar')]
    >>> find_periods(np.random.default_rng(0).normal(size=1000).cumsum())
    []

    Source
    ------
    Own method: see `tsprune.kernels.periods`.
    """
    check_count(low=1, max_periods=max_periods)
    duration = None if step is None else _nanoseconds(step)
    table = read_table(x, name="x")
    if table.values.shape[1] > 1:
        raise BadParameter(f"x has {table.values.shape[1]} columns; find_periods takes one. Give frame[{table.columns[0]!r}].")
    if isinstance(getattr(x, "index", None), pd.DatetimeIndex) and duration is not None:
        table = read_table(x, clock=learn_clock(x.index, duration), name="x")
    slots = table.slots.absolute
    last = slots > slots[-1] - MOST  # a gap of years costs no memory
    found = find(on_grid(table.values[last, 0], slots[last]), _calendar(table.clock, duration), max_periods)
    return [Period(*period) for period in found]


def _nanoseconds(step: Any) -> int:
    try:
        if isinstance(step, int | float | np.number):
            raise ValueError
        duration = int(pd.Timedelta(step).as_unit("ns").value)
    except (ValueError, TypeError):
        duration = 0
    if duration <= 0:
        raise BadParameter(
            f"step is {step!r}; it is the time between two samples, longer than 0, with its unit. For 5 minutes, give '5min'."
        )
    return duration


def in_calendar(period: float, clock: Clock) -> bool:
    """Whether a period in samples is one of people's: a day, a week, a year of months.

    >>> import pandas as pd
    >>> from tsprune.series.clock import learn_clock
    >>> from tsprune.signal.period import in_calendar
    >>> hours = learn_clock(pd.date_range("2026-01-01", periods=9, freq="h"))
    >>> in_calendar(24.0, hours), in_calendar(23.0, hours)
    (True, False)
    """
    return period in _calendar(clock, None)


def _calendar(clock: Clock, duration: int | None) -> list[int]:
    """The periods to expect, in samples."""
    if clock.kind == "month":
        return [12 // clock.step] if 12 % clock.step == 0 else []
    step = clock.step if clock.kind == "time" else duration
    if step is None:
        return []
    periods = [habit // step for habit in HABITS if habit % step == 0]
    return [*periods, round(YEAR / step)] if step >= NANOSECONDS["D"] else periods


def find_on_grid(grid: Floats, clock: Clock, max_periods: int = 2) -> tuple[Period, ...]:
    """The periods of values on the slots of a clock; the shorter first, none where none is certain."""
    return tuple(Period(*found) for found in find(grid, _calendar(clock, None), max_periods))
