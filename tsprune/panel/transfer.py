"""A new series with little history starts from the fleet: the typical season on its own level and scale.

The less a series has shown, the more of what it starts from is the fleet's.  With fourteen cycles of its own it learns alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadSeries
from tsprune.kernels.season import phase
from tsprune.kernels.smooth import scale_of
from tsprune.model.adapted import AdaptedSeason
from tsprune.model.member import Fleet, Member
from tsprune.model.season import SeasonProfile
from tsprune.panel.learn import History, learn_alone
from tsprune.series.table import Cycle
from tsprune.signal import Deseason
from tsprune.signal.period import in_calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsprune.model.clock import Clock, Slots
    from tsprune.model.roster import Roster
    from tsprune.panel.plan import Plan
    from tsprune.types import Floats

    #: Kind and length of the step, then bins of the season's terms, and whether it follows the clock on the wall.
    Kind = tuple[tuple[str, int], tuple[tuple[int, ...], bool]]

#: Cycles of the longest typical period from which a series learns alone.
CYCLES = 14
#: Cycles of its own that weigh as much as the fleet's typical season; values that weigh as much as the fleet's scale.
PRIOR_CYCLES, PRIOR_VALUES = 4.0, 8.0


def typical_members(members: Roster, clocks: tuple[Clock, ...]) -> tuple[Member, ...]:
    """For each step of time the median series: its season in units of its scale; none where most have no season."""
    counts = Counter(kind for kind, _ in _seasonal(members, clocks))
    usual = {step: max((count, shape) for (own, shape), count in counts.items() if own == step) for step, _ in sorted(counts)}
    return tuple(_typical(members, clocks, (step, shape), count) for step, (count, shape) in usual.items() if shape[0])


def _seasonal(members: Roster, clocks: tuple[Clock, ...]) -> Iterator[tuple[Kind, Member]]:
    """The series that have a season, each with its step and the shape of the season."""
    for member in members.values():
        if member.stages and isinstance(member.stages[0], SeasonProfile | AdaptedSeason):
            clock = clocks[member.clock]
            yield ((clock.kind, clock.step), _shape(member)), member


def _typical(members: Roster, clocks: tuple[Clock, ...], kind: Kind, count: int) -> Member:
    """The median of `count` series of a kind."""
    own = (member for known, member in _seasonal(members, clocks) if known == kind)
    profiles = np.empty((count, sum(kind[1][0])))
    rows, first = 0, None
    for k, member in enumerate(own):
        profiles[k] = _season(member).profiles / member.scale[0]
        rows, first = rows + member.rows, first or member
    assert first is not None
    season = replace(_season(first), profiles=np.median(profiles, axis=0))
    return Member(first.clock, 0, rows, 0.0, np.zeros(1), np.ones(1), (season,))


def _shape(member: Member) -> tuple[tuple[int, ...], bool]:
    season = _season(member)
    whole = len(season.periods) == len(season.bins) and (season.periods == np.array(season.bins)).all()
    return (season.bins, season.wall) if whole else ((), False)


def _season(member: Member) -> SeasonProfile:
    """What a series learned as its season; a correction by its last cycles is not passed on."""
    first: Any = member.stages[0]
    season: SeasonProfile = first.season if isinstance(first, AdaptedSeason) else first
    return season


def typical_for(fleet: Fleet, clock: Clock) -> SeasonProfile | None:
    """The typical season of series with this step, in units of their scale."""
    for member in fleet.typical:
        known = fleet.clocks[member.clock]
        if (known.kind, known.step) == (clock.kind, clock.step):
            return _season(member)
    return None


def is_new(fleet: Fleet, history: History, plan: Plan) -> bool:
    """Whether a series has too little history to learn its season alone, and the fleet has one to start from."""
    season = typical_for(fleet, history.clock)
    starts = bool(plan.stages) and isinstance(plan.stages[0], Deseason)
    return starts and season is not None and len(history.value) < CYCLES * season.periods.max()


def start_from_fleet(fleet: Fleet, history: History, plan: Plan) -> tuple[Member, Floats]:
    """The facts of a series with little history, and its channels, shape (n, channels).

    Its season is the typical one, as high as its own values say, moved towards its own medians by phase as cycles come in.

    Raises
    ------
    BadSeries
        If there is nothing to start from: no value at all, or no typical season and too few values.
    """
    season = typical_for(fleet, history.clock)
    if season is None or not plan.stages or not isinstance(plan.stages[0], Deseason):
        return learn_alone(history, plan)
    if not len(history.value):
        raise BadSeries(f"series {history.name!r} has no value; it needs one to start from the fleet.")
    slots = history.slots
    level, height = _level_and_height(history.value, season.seasonal(slots)[:, 0])
    started = _moved(replace(season, profiles=season.profiles * height), history.value - level, slots)
    rest = history.value - started.seasonal(slots)[:, 0]
    n = len(rest)
    cycle = Cycle(season.shortest()[0], plan.stages[0].period != "auto" or in_calendar(season.shortest()[0], history.clock))
    own = replace(plan, stages=plan.stages[1:])
    member, channels = learn_alone(replace(history, value=rest), own, cycle) if n > 1 else _one(rest)
    if len(plan.stages) == 1:
        scale = np.sqrt((n * member.scale**2 + PRIOR_VALUES * height**2) / (n + PRIOR_VALUES))
        channels = channels * (member.scale / scale)
        member = replace(member, scale=scale)
    return replace(member, stages=(started, *member.stages)), channels


def _one(rest: Floats) -> tuple[Member, Floats]:
    return Member(0, 0, 1, 0.0, rest.copy(), np.ones(1), ()), np.zeros((1, 1))


def _level_and_height(values: Floats, season: Floats) -> tuple[float, float]:
    """Level and height of the typical season that fit some values, robustly: slopes between values far apart in phase."""
    spread = np.ptp(season)
    if len(values) < 4 or spread <= 0.0:
        return float(np.median(values)), scale_of(values)
    order = np.argsort(season, kind="stable")
    half = len(values) // 2
    low, high = order[:half], order[-half:]
    across = season[high] - season[low]
    useful = across > 0.25 * spread
    height = float(np.median((values[high] - values[low])[useful] / across[useful])) if useful.any() else 0.0
    if height <= 0.0:
        height = scale_of(values) / max(1.0, scale_of(season))
    return float(np.median(values - height * season)), height


def _moved(season: SeasonProfile, values: Floats, slots: Slots) -> SeasonProfile:
    """A season moved towards the medians by phase of some values, the first term only: as far as their number says."""
    bins = int(season.bins[0])
    at = phase(slots.wall if season.wall else slots.absolute, float(season.periods[0]), bins)
    rest = values - season.seasonal(slots)[:, 0]
    profiles = season.profiles.copy()
    order = np.argsort(at, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(at[order])) + 1):
        profiles[at[own[0]]] += np.median(rest[own]) * len(own) / (len(own) + PRIOR_CYCLES)
    return replace(season, profiles=profiles)
