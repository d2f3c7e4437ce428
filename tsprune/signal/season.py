"""Deseason: the seasonal pattern of the history as a profile per phase, subtracted from every row by its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from tsprune.errors import BadParameter, BadSeries
from tsprune.kernels.fill import phase_medians
from tsprune.kernels.profile import seasonal_profile
from tsprune.kernels.smooth import mad
from tsprune.model.season import SeasonProfile
from tsprune.params import check_count
from tsprune.series.stage import Stage
from tsprune.signal.grid import on_grid
from tsprune.signal.period import periods_on_grid

if TYPE_CHECKING:
    from tsprune.series.table import Table
    from tsprune.types import Floats

#: Cycles that a period needs when the user gives it; one that is found needs more (`find_periods`).
CYCLES = 2

#: With fewer values than this share of the slots there is no pattern to be learned.
LEAST_PRESENT = 0.4

#: The second profile (the week behind the day) is smoothed over this share of the first period, to either side.
SMOOTHED = 1 / 24


class Deseason(Stage):
    """Subtract the seasonal pattern that robust periodic STL finds in the history.

    The pattern is learned once and frozen: an anomaly in new rows cannot leak into it, and nothing in the future can change
    the past.  Its phase comes from the time of a row, not from its number: gaps do not shift it.

    Parameters
    ----------
    period : "auto", int, or tuple of int
        Rows per cycle, or two of them (a day and a week).  "auto" finds them in each column, and where there is none the
        column stays as it is (`periods_` says so).
    wall : bool or "auto"
        Whether the pattern follows the clock on the wall (people) or absolute time (machines).  They differ only where the
        time zone changes its clock.  "auto" takes the wall clock unless a change within the history speaks against it.

    Attributes
    ----------
    part_ : SeasonProfile
    periods_ : dict of str to tuple of int
        The periods of each column in rows; empty for a column without.
    strength_ : dict of str to float
        Share of the robust variance of each column that its pattern explains.

    Source
    ------
    Cleveland et al., STL: A Seasonal-Trend Decomposition Procedure Based on Loess, J. Official Statistics 6, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal import Deseason
    >>> day = np.array([1.0, 5.0, 3.0, 2.0])
    >>> x = np.tile(day, 20)[:, None]
    >>> stage = Deseason(period=4).fit(x)
    >>> float(np.abs(stage.transform(x) - day.mean()).max().round(6))
    0.0
    """

    additive: ClassVar[bool] = True

    def __init__(self, period: int | tuple[int, ...] | Literal["auto"] = "auto", wall: bool | Literal["auto"] = "auto"):
        self.period = period
        self.wall = wall

    def facts(self) -> dict[str, float]:
        """The longest and shortest period in rows (0 for none), and the median strength over the columns with one."""
        periods = [p for own in self.periods_.values() for p in own]
        strengths = [self.strength_[name] for name, own in self.periods_.items() if own]
        return {
            "period": float(min(periods, default=0)),
            "longest_period": float(max(periods, default=0)),
            "columns_with_a_period": float(sum(bool(own) for own in self.periods_.values())),
            "strength": float(np.median(strengths)) if strengths else 0.0,
        }

    def _learn(self, table: Table) -> SeasonProfile:
        if self.wall not in (True, False, "auto"):
            raise BadParameter(f"wall is {self.wall!r}; it is True, False or 'auto'.")
        given = self._given(len(table))
        walls = (True, False) if self.wall == "auto" else (bool(self.wall),)
        if not table.clock.has_changes:
            walls = (False,)
        elif np.ptp(table.slots.wall - table.slots.absolute) == 0:
            walls = walls[:1]  # no change within the history: nothing to tell the two apart
        part = min([self._profile(table, given, wall) for wall in walls], key=lambda part: _left(part, table))
        left = part.apply(table.values, table.slots)
        self.periods_: dict[str, tuple[int, ...]] = dict.fromkeys(table.columns, ())
        for column, period in zip(part.columns, part.periods, strict=True):
            self.periods_[table.columns[column]] += (int(period),)
        self.strength_ = {name: _strength(table.values[:, j], left[:, j]) for j, name in enumerate(table.columns)}
        return part

    def _given(self, n: int) -> tuple[int, ...] | None:
        if isinstance(self.period, str):
            if self.period != "auto":
                raise BadParameter(f"period is {self.period!r}; it is 'auto', a number of rows, or a tuple of them.")
            return None
        periods = self.period if isinstance(self.period, tuple) else (self.period,)
        for period in periods:
            check_count(period=period, low=2)
            if n < CYCLES * period:
                raise BadSeries(
                    f"Deseason(period={period}) needs {CYCLES} cycles, {CYCLES * period} samples, and got {n}. "
                    f"Give a longer history or a shorter period."
                )
        return tuple(sorted(int(period) for period in periods))

    def _profile(self, table: Table, given: tuple[int, ...] | None, wall: bool) -> SeasonProfile:
        slots = table.slots.wall if wall else table.slots.absolute
        columns: list[int] = []
        periods: list[int] = []
        profiles: list[Floats] = []
        for j, name in enumerate(table.columns):
            grid = on_grid(table.values[:, j], slots)
            found = periods_on_grid(grid, table.clock) if given is None else given
            if found and np.isnan(grid).mean() > 1.0 - LEAST_PRESENT:
                if given is None:
                    continue
                raise BadSeries(
                    f"column {name!r} has values in {1 - np.isnan(grid).mean():.0%} of its slots; Deseason needs {LEAST_PRESENT:.0%}. "
                    f"Leave the column out, or resample to a longer step."
                )
            for period, profile in _terms(grid, int(slots.min()), found):
                columns.append(j)
                periods.append(period)
                profiles.append(profile)
        flat = np.concatenate(profiles) if profiles else np.zeros(0)
        return SeasonProfile(
            table.values.shape[1], tuple(columns), np.array(periods, dtype=np.float64), tuple(len(p) for p in profiles), flat, wall
        )


def _terms(grid: Floats, first: int, periods: tuple[int, ...]) -> list[tuple[int, Floats]]:
    """A profile per period, slot 0 at its start: the shortest by STL, each longer one from what the shorter ones leave."""
    terms = []
    rest = grid
    for k, period in enumerate(periods):
        if k == 0:
            cycle = seasonal_profile(rest, period)
        else:
            cycle = _smoothed(phase_medians(rest, period), max(0, round(SMOOTHED * periods[0])))
            cycle = cycle - np.median(cycle)
        rest = rest - cycle[np.arange(len(rest)) % period]
        terms.append((period, np.roll(cycle, first % period)))
    return terms


def _smoothed(cycle: Floats, half: int) -> Floats:
    """A cycle smoothed around its ends by tricube weights over `half` samples to either side."""
    offsets = np.arange(-half, half + 1)
    weights = (1.0 - (np.abs(offsets) / (half + 1)) ** 3) ** 3
    return np.sum([w * np.roll(cycle, -k) for k, w in zip(offsets, weights / weights.sum(), strict=True)], axis=0)


def _left(part: SeasonProfile, table: Table) -> float:
    """Spread that a profile leaves, over all columns, each in its own unit."""
    left = part.apply(table.values, table.slots)
    return float(sum(1.0 - _strength(table.values[:, j], left[:, j]) for j in range(left.shape[1])))


def _strength(before: Floats, after: Floats) -> float:
    """Share of the robust variance that is gone, in [0, 1]."""
    whole, rest = mad(before), mad(after)
    return max(0.0, 1.0 - (rest / whole) ** 2) if whole > 0.0 else 0.0
