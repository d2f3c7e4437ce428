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
from tsprune.signal import Deseason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsprune.model.clock import Clock, Slots
    from tsprune.panel.plan import Plan
    from tsprune.types import Floats

#: Cycles of the longest typical period from which a series learns alone.
CYCLES = 14
#: Cycles of its own that weigh as much as the fleet's typical season; values that weigh as much as the fleet's scale.
PRIOR_CYCLES, PRIOR_VALUES = 4.0, 8.0


def typical_members(members: Iterable[Member], clocks: tuple[Clock, ...]) -> tuple[Member, ...]:
    """For each step of time the median series: its season in units of its scale; none where most have no season."""
    by_step: dict[tuple[str, int], list[Member]] = {}
    for member in members:
        clock = clocks[member.clock]
        if member.stages and isinstance(member.stages[0], SeasonProfile | AdaptedSeason):
            by_step.setdefault((clock.kind, clock.step), []).append(member)
    found = [_typical(own) for _, own in sorted(by_step.items())]
    return tuple(member for member in found if member is not None)


def _typical(members: list[Member]) -> Member | None:
    shapes = Counter(_shape(member) for member in members)
    (bins, wall), _ = max(shapes.items(), key=lambda item: (item[1], item[0]))
    if not bins:
        return None
    own = [member for member in members if _shape(member) == (bins, wall)]
    profile = np.median([_season(member).profiles / member.scale[0] for member in own], axis=0)
    season = replace(_season(own[0]), profiles=profile)
    return Member(own[0].clock, 0, sum(member.rows for member in own), 0.0, np.zeros(1), np.ones(1), (season,))


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
    member, channels = learn_alone(replace(history, value=rest), replace(plan, stages=plan.stages[1:])) if len(rest) > 1 else _one(rest)
    n = len(rest)
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
