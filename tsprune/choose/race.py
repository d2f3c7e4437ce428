"""A race of blends on a growing history: what loses on few rows is not tried on many.

Successive halving (Jamieson and Talwalkar, 2016), with blends for arms and rows for the resource.  It ends early where two heats
buy the same blend: then a longer history no longer changes the choice.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tsprune.choose.front import Option, Views, bought, grown, options, recipes_of
from tsprune.choose.sampler import sampled
from tsprune.choose.trial import Trial, run_trial
from tsprune.errors import BadSeries
from tsprune.members import taken
from tsprune.series.split import held_back_events

if TYPE_CHECKING:
    from tsprune.choose.budget import Budget
    from tsprune.choose.members import Maker, Recipe
    from tsprune.series.table import Table
    from tsprune.types import Ints

#: Rows of the first heat, as many as the choices were measured on (docs/choosing.md); of each further one so many times more.
FIRST, GROWTH = 12_000, 3
#: Share of the blends that stay in the race.
STAY = 1 / 3
#: Labelled events among the held-back rows below which labels do not choose: one event would choose what fits that event.
EVENTS = 2

#: How a race ends.
SETTLED, WHOLE, LATE = "two heats bought the same blend", "there are no more rows", "the time was up"


@dataclass(frozen=True)
class Race:
    """The last heat of a race: its trial, the blends that ran in it, the one that was bought, and whether it meets the budget."""

    trial: Trial
    options: list[Option]
    best: Option
    affordable: bool
    heats: tuple[int, ...]  # rows of each that was run
    lost: int  # candidates that were out before the last heat
    ended: str

    @property
    def told(self) -> tuple[str, ...]:
        """What is to be said of the race."""
        if len(self.heats) == 1 and self.ended == WHOLE:
            return ()
        rows = ", ".join(f"{n:,}" for n in self.heats)
        return (f"raced on the last {rows} rows: {self.lost} candidates were out before the last heat, and {self.ended}",)


def heats(n: int) -> list[int]:
    """How many of `n` rows, the last ones, each heat is run on.

    >>> from tsprune.choose.race import heats
    >>> heats(9_000), heats(35_000), heats(400_000)
    ([9000], [12000, 35000], [12000, 36000, 108000, 400000])
    """
    rows = [FIRST]
    while 2 * rows[-1] <= n:
        rows.append(GROWTH * rows[-1])
    return [*rows[:-1], n]


def run_race(table: Table, labels: Ints | None, maker: Maker, views: Views, budget: Budget, seed: int, *, sampler: bool) -> Race:
    """Try all candidates on the last rows, and those of the better blends on more and more of the history."""
    deadline = math.inf if budget.seconds is None else time.monotonic() + budget.seconds
    recipes = every = recipes_of(views, len(table))
    race: Race | None = None
    for n in heats(len(table)):
        if race is not None and time.monotonic() > deadline:
            return replace(race, ended=LATE)
        trial = _heat(table, n, labels, maker, recipes, deadline, seed)
        if trial is None:
            continue
        if race is not None and trial.late:
            return replace(race, ended=LATE)
        found = options(trial, views, budget)
        found += [grown(trial, budget)] if trial.labels is not None else []
        found += sampled(trial, found, budget, seed, deadline - time.monotonic()) if sampler else []
        best, affordable = bought(found, budget)
        settled = race is not None and best.recipes == race.best.recipes
        ended = SETTLED if settled else WHOLE
        race = Race(trial, found, best, affordable, (*(race.heats if race else ()), n), len(every) - len(recipes), ended)
        if settled:
            break
        recipes = _staying(recipes, trial, found, best, budget)
    assert race is not None
    return race


def _heat(table: Table, n: int, labels: Ints | None, maker: Maker, recipes: list[Recipe], deadline: float, seed: int) -> Trial | None:
    """The candidates on the last `n` rows; None where these say nothing, but the whole history may."""
    truth = None if labels is None else labels[-n:]
    if n == len(table):
        return run_trial(table, truth, maker, recipes, deadline, seed)
    if truth is not None and held_back_events(truth) < EVENTS:
        return None
    with suppress(BadSeries):
        return run_trial(taken(table, len(table), len(table) - n), truth, maker, recipes, deadline, seed)
    return None


def _staying(recipes: list[Recipe], trial: Trial, found: list[Option], best: Option, budget: Budget) -> list[Recipe]:
    """The candidates of the best blends that the budget allows, and of the largest, with which they are compared; and those not tried."""
    allowed = [option for option in found if budget.allows(option.nbytes, option.us_per_row)]
    ranked = sorted(allowed, key=lambda option: option.merit, reverse=True)
    stay = [best, *ranked[: math.ceil(STAY * len(ranked))], max(found, key=lambda option: option.nbytes)]
    return [recipe for recipe in recipes if recipe not in trial.tried or any(recipe in option.recipes for option in stay)]
