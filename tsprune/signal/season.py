"""Deseason: the seasonal pattern of the history as a profile per phase, subtracted from every row by its slot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from tsprune.errors import BadParameter, BadSeries
from tsprune.kernels.fill import phase_medians
from tsprune.kernels.profile import seasonal_profile
from tsprune.kernels.smooth import mad, scale_of
from tsprune.model.adapted import AdaptedSeason, moved
from tsprune.model.clock import NANOSECONDS
from tsprune.model.season import SeasonProfile
from tsprune.params import check_count, check_number
from tsprune.series.stage import Stage
from tsprune.series.table import Cycle
from tsprune.signal.grid import on_grid
from tsprune.signal.period import Period, find_on_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.series.table import Table
    from tsprune.types import Floats, Mask

#: Cycles that a period needs when the user gives it; one that is found needs more (`find_periods`).
CYCLES = 2

#: With fewer values than this share of the slots there is no pattern to be learned.
LEAST_PRESENT = 0.4

#: Bins of a fractional period's profile for each of its samples.
FINE = 4

#: A correction without a bound: a model file holds finite numbers only.
FREE = float(np.finfo(np.float64).max)

#: Cycles whose median corrects the pattern: the fewest regrets of 3, 5, 7 and 14 on drifting series.
ADAPTED = 7

#: Of that correction, the share which a pattern without a calendar gets: the average of a frozen pattern and one that follows freely.
BELIEVED = 0.5

#: The second profile (the week behind the day) is smoothed over this share of the first period, to either side.
SMOOTHED = 1 / 24


class Deseason(Stage):
    """Subtract the seasonal pattern that robust periodic STL finds in the history.

    The pattern of the calendar, or of a period that is given, is learned once and frozen: an anomaly in new rows cannot leak
    into it.  One that was only found follows half-way (`adapt`).  Nothing in the future can change the past.  The phase comes
    from the time of a row, not from its number: gaps do not shift it.

    Parameters
    ----------
    period : "auto", int, or tuple of int
        Rows per cycle, or two of them (a day and a week).  "auto" finds them in each column, and where there is none the
        column stays as it is (`periods_` says so).
    wall : bool or "auto"
        Whether the pattern follows the clock on the wall (people) or absolute time (machines).  They differ only where the
        time zone changes its clock.  "auto" takes the wall clock unless a change within the history speaks against it.
    adapt : "auto" or float
        How far the last seven cycles correct the pattern, by the median of what they left at the same phase.  A number is the
        largest correction, in MADs of what the pattern leaves of the history; `inf` for any, and 0 keeps the pattern frozen: a fault
        that fills four of seven cycles would enter the correction, and come back as its own ghost when it is over.  "auto"
        freezes patterns of the calendar and those whose period is given.  Where a period was only found (hearts, machines), cycles
        drift: there half of the correction is made, the average of the frozen and the freely adapted pattern.

    Attributes
    ----------
    part_ : SeasonProfile, or AdaptedSeason
    periods_ : dict of str to tuple of float
        The periods of each column in rows; empty for a column without.
    strength_ : dict of str to float
        Share of the robust variance of each column that its pattern explains.
    spread_ : ndarray, shape (d,)
        MAD of what the pattern leaves of each column of the history.

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

    def __init__(
        self,
        period: int | tuple[int, ...] | Literal["auto"] = "auto",
        wall: bool | Literal["auto"] = "auto",
        adapt: float | Literal["auto"] = "auto",
    ):
        self.period = period
        self.wall = wall
        self.adapt = adapt

    def facts(self) -> dict[str, float]:
        """The longest and shortest period in rows (0 for none), the median strength over the columns with one, and the drift.

        `season_moved` is the share of the phases of the history's last cycle that the seven cycles before it contradict by more
        than one MAD, in the column where it is largest.  Well above .2, the pattern has moved: learn it again.
        """
        periods = [p for own in self.periods_.values() for p in own]
        strengths = [self.strength_[name] for name, own in self.periods_.items() if own]
        return {
            "period": float(min(periods, default=0)),
            "longest_period": float(max(periods, default=0)),
            "columns_with_a_period": float(sum(bool(own) for own in self.periods_.values())),
            "strength": float(np.median(strengths)) if strengths else 0.0,
            "season_moved": self.season_moved_,
        }

    def _learn(self, table: Table) -> SeasonProfile | AdaptedSeason:
        if self.wall not in (True, False, "auto"):
            raise BadParameter(f"wall is {self.wall!r}; it is True, False or 'auto'.")
        bound = self._bound()
        given = self._given(len(table))
        walls = (True, False) if self.wall == "auto" else (bool(self.wall),)
        if not table.clock.has_changes:
            walls = (False,)
        elif np.ptp(table.slots.wall - table.slots.absolute) == 0:
            walls = walls[:1]  # no change within the history: nothing to tell the two apart
        frozen, drifting = min([self._profile(table, given, wall) for wall in walls], key=lambda own: _left(own[0], table))
        left = frozen.apply(table.values, table.slots)
        self.spread_ = np.array([scale_of(column) for column in left.T])
        self.periods_: dict[str, tuple[float, ...]] = dict.fromkeys(table.columns, ())
        for column, period in zip(frozen.columns, frozen.periods, strict=True):
            self.periods_[table.columns[column]] += (float(period),)
        self.strength_ = {name: _strength(table.values[:, j], left[:, j]) for j, name in enumerate(table.columns)}
        self.season_moved_ = float(self._moved(frozen, table).max())
        cycles = [Cycle(period, not drifting[j]) for j, period in frozen.shortest().items()]
        self._cycle = max(cycles, key=lambda cycle: cycle.samples, default=None)
        clip = np.where(drifting, FREE, 0.0) if bound is None else np.minimum(bound * self.spread_, FREE)
        if clip.max() == 0.0:
            return frozen
        margin = int(np.ptp(table.clock.offsets)) * NANOSECONDS["s"] // table.clock.step + 1 if frozen.wall else 0
        return AdaptedSeason(frozen, ADAPTED, clip, margin, BELIEVED if bound is None else 1.0)

    def through(self, table: Table) -> Table:
        """The rows of a table behind this stage, and the cycle that is gone from them."""
        return replace(super().through(table), cycle=self._cycle or table.cycle)

    def season_moved(self, X: Any) -> dict[str, float]:
        """Of each column, the share of the phases of its latest cycle that have moved: a reason to learn again.

        A phase has moved where the median of the seven cycles before stands more than one MAD of the history's residual from
        the profile; a correction of `adapt=1` stands at its clip there.

        Parameters
        ----------
        X : Series, DataFrame or array, shape (n, d)
            The latest eight cycles, or more.

        Returns
        -------
        dict of str to float
            In [0, 1]; 0 for a column without a period.
        """
        table = self._read(X)
        part = self.part_
        season = part.season if isinstance(part, AdaptedSeason) else part
        assert isinstance(season, SeasonProfile)
        return dict(zip(table.columns, self._moved(season, table).tolist(), strict=True))

    def _moved(self, season: SeasonProfile, table: Table) -> Floats:
        slots = season.slots(table.slots)
        away = np.abs(moved(season, season.apply(table.values, table.slots), slots, ADAPTED))
        shares = np.zeros(season.n_features)
        for column, period in season.shortest().items():
            shares[column] = np.mean(away[slots > slots[-1] - period, column] > self.spread_[column])
        return shares

    def _bound(self) -> float | None:
        """The largest correction in MADs; None where it depends on the period."""
        if isinstance(self.adapt, str):
            if self.adapt != "auto":
                raise BadParameter(f"adapt is {self.adapt!r}; it is 'auto', or a number of MADs from 0 on, inf for no bound.")
            return None
        return float(self.adapt) if self.adapt == np.inf else check_number(adapt=self.adapt, low=0.0)

    def _given(self, n: int) -> tuple[Period, ...] | None:
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
        return tuple(Period(float(period), 1.0, "calendar", int(period)) for period in sorted(periods))

    def _profile(self, table: Table, given: tuple[Period, ...] | None, wall: bool) -> tuple[SeasonProfile, Mask]:
        """The pattern of each column, and which columns go by no calendar."""
        slots = table.slots.wall if wall else table.slots.absolute
        columns: list[int] = []
        periods: list[float] = []
        profiles: list[Floats] = []
        drifting = np.zeros(len(table.columns), dtype=bool)
        for j, name in enumerate(table.columns):
            grid = on_grid(table.values[:, j], slots)
            found = find_on_grid(grid, table.clock) if given is None else given
            if found and np.isnan(grid).mean() > 1.0 - LEAST_PRESENT:
                if given is None:
                    continue
                raise BadSeries(
                    f"column {name!r} has values in {1 - np.isnan(grid).mean():.0%} of its slots; Deseason needs {LEAST_PRESENT:.0%}. "
                    f"Leave the column out, or resample to a longer step."
                )
            drifting[j] = len(found) > 0 and found[0].source != "calendar"
            for period, profile in _terms(grid, int(slots.min()), found):
                columns.append(j)
                periods.append(period)
                profiles.append(profile)
        d = table.values.shape[1]
        flat = np.concatenate(profiles) if profiles else np.zeros(0)
        bins = tuple(len(profile) for profile in profiles)
        return SeasonProfile(d, tuple(columns), np.array(periods), bins, flat, wall), drifting


def _terms(grid: Floats, first: int, periods: Sequence[Period]) -> list[tuple[float, Floats]]:
    """A profile per period, slot 0 at its start: the shortest by STL, each longer one from what the shorter ones leave."""
    terms: list[tuple[float, Floats]] = []
    rest = grid
    for k, period in enumerate(periods):
        whole = period.whole
        if k == 0:
            cycle = seasonal_profile(rest, whole)
        else:
            cycle = _smoothed(phase_medians(rest, whole), max(0, round(SMOOTHED * periods[0].samples)))
            cycle = cycle - np.median(cycle)
        rest = rest - cycle[np.arange(len(rest)) % whole]
        cycle = np.roll(cycle, first % whole)
        terms.append((float(whole), cycle) if period.samples == whole else (period.samples, _folded(cycle, period.samples)))
    return terms


def _folded(cycle: Floats, samples: float) -> Floats:
    """A cycle of several periods laid over each other: each value goes, by its distance, to the bins of one period near it."""
    bins = FINE * round(samples)
    at = np.arange(len(cycle)) % samples * (bins / samples)
    away = np.abs(at[None, :] - (np.arange(bins) + 0.5)[:, None])
    away = np.minimum(away, bins - away) / FINE  # in samples
    weights = np.maximum(0.0, 1.0 - away)
    return np.asarray(weights @ cycle / weights.sum(axis=1))


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
