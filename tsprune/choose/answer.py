"""`choose`: from a history, and nothing else, to a detector within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tsprune.blend import Blend
from tsprune.choose.budget import Budget
from tsprune.choose.choice import Choice
from tsprune.choose.front import Option, Views, blended, pareto
from tsprune.choose.look import Look, look_at
from tsprune.choose.members import Maker, Recipe, views_of
from tsprune.choose.race import EVENTS, Race, run_race
from tsprune.choose.sampler import check_optuna
from tsprune.errors import BadParameter
from tsprune.kernels.agreement import spearman
from tsprune.params import check_choice, check_count
from tsprune.series.split import HELD_BACK, held_back_events
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from tsprune.choose.trial import Trial
    from tsprune.detect import Threshold
    from tsprune.types import Ints


def choose(
    history: Any,
    labels: Any = None,
    *,
    preset: Literal["mixed", "point"] = "mixed",
    budget: Budget | None = None,
    placement: Literal["end", "cover"] = "end",
    threshold: Threshold | None = None,
    search: Literal["list", "optuna"] = "list",
    random_state: int = 0,
) -> Choice:
    """Build a detector for a series: no period, window, detector or contamination is needed.

    Several views of the series are each given a simple detector, and averaged as calibrated tails; measured on 100 real sources, that
    beats every single detector, and any way of picking one (docs/choosing.md).  Then members, reference points and
    neighbour searches are pruned until the budget is met.

    Parameters
    ----------
    history : Series, DataFrame or array
        In time order; it may hold some anomalies.
    labels : array-like of 0/1, optional
        One per row.  Members are then chosen by them, on the last 30 % of the rows, and rows of events are not learned from.
    preset : "mixed" or "point"
        "mixed" is seven views; "point" one view of point statistics, better where anomalies are short spikes.
    budget : Budget, optional
        Default: a minute of search, 1 MB, 50 microseconds per row.
    placement : "end" or "cover"
        "cover" is for records that are over, and looks ahead; see `Blend`.
    threshold : Threshold, optional
        How the alarm threshold is set.
    search : "list" or "optuna"
        "list": blends of the first views in the order of what they were worth elsewhere, and with labels one grown member by member.
        "optuna": also what Optuna's sampler finds among all combinations; an extra (`pip install 'tsprune[optuna]'`).
    random_state : int
        The same seed gives the same answer, unless the seconds run out.

    Returns
    -------
    Choice

    Raises
    ------
    BadParameter, BadSeries
        If an argument is out of its range, or nothing can be learned from the history.

    Examples
    --------
    >>> import tsprune as tsp
    >>> from tsprune.choose import Budget, choose
    >>> sea = tsp.datasets.load("elnino").frame["value"]
    >>> choice = choose(sea[:360], budget=Budget.small())
    >>> choice.pipeline.freeze().nbytes < 60_000
    True
    """
    budget = budget or Budget()
    check_choice(("mixed", "point"), preset=preset)
    check_choice(("end", "cover"), placement=placement)
    check_choice(("list", "optuna"), search=search)
    if search == "optuna":
        check_optuna()
    check_count(random_state=random_state, low=0)
    table = read_table(history, name="history")
    truth = None if labels is None else _truth(labels, len(table))
    look = look_at(table)
    views = views_of("point" if look.constant else preset, look.measured)
    maker = Maker(look, random_state)
    judging, told = _judging(truth)
    race = run_race(table, judging, maker, views, budget, random_state, sampler=search == "optuna")
    members = [(recipe.view, maker.pipeline(recipe)) for recipe in race.best.recipes]
    blend = Blend(members, None, placement, threshold).fit(_learned_from(history, truth))
    reasons = (*look.reasons, *told, *race.told, *_told(race.trial, race.best, look), _bought(race, views, budget))
    return Choice(blend, pareto(race.options, race.best), _report(race.trial, race.best), reasons)


def _truth(labels: Any, n: int) -> Ints:
    truth = np.asarray(labels)
    if truth.shape != (n,) or not np.isin(truth, (0, 1)).all():
        raise BadParameter(f"labels has shape {truth.shape}; it is one 0 (normal) or 1 (anomaly) for each of the {n} rows of the history.")
    return truth.astype(np.int64)


def _judging(truth: Ints | None) -> tuple[Ints | None, tuple[str, ...]]:
    """Labels that are fit to choose by, and what is to be said of them."""
    if truth is None:
        return None, (
            "no labels: members are those that earned their place on other series; neighbour searches stay first, then what agrees with the whole",
        )
    events = held_back_events(truth)
    if events < EVENTS:
        return None, (
            f"the labels hold {events} event(s) in the last {HELD_BACK:.0%} of the rows: too few to choose by, so they only say what not to learn from",
        )
    return truth, (f"members chosen by {events} labelled events in the last {HELD_BACK:.0%} of the rows",)


def _bought(race: Race, views: Views, budget: Budget) -> str:
    best = race.best
    told = f"{len(best.recipes)} of {len(views)} views, {best.nbytes:,} bytes, about {best.us_per_row:.0f} us per row"
    limit = " and ".join(
        text for text in (budget.bytes and f"{budget.bytes:,.0f} bytes", budget.us_per_row and f"{budget.us_per_row:g} us per row") if text
    )
    if not race.affordable:
        return f"nothing meets the budget of {limit}; this is the smallest there is: {told}"
    agreement = f", agreeing with the largest blend at {best.fidelity:.3f}" if race.trial.labels is None else ""
    return f"within the budget of {limit or 'nothing'}: {told}{agreement}"


def _told(trial: Trial, chosen: Option, look: Look) -> tuple[str, ...]:
    told = [f"left out: {view} ({reason})" for view, reason in trial.dropped.items()]
    if trial.late:
        told.append(f"the time was up: {trial.late} candidates were not tried, and another run may choose otherwise")
    if look.constant:
        return tuple(told)
    return (*told, "members: " + "; ".join(str(recipe) for recipe in chosen.recipes))


def _report(trial: Trial, chosen: Option) -> pd.DataFrame:
    """Every view with the largest detector that was tried, and those that were chosen."""
    said = blended(trial, chosen.recipes)
    rows = []
    best: dict[tuple[str, str], Recipe] = {}
    for recipe in trial.tried:
        key = (recipe.view, recipe.detector)
        if key not in best or recipe.references > best[key].references:
            best[key] = recipe
    for recipe in dict.fromkeys((*chosen.recipes, *best.values())):
        one = trial.tried[recipe]
        both = ~np.isnan(one.tails) & ~np.isnan(said)
        agreement = spearman(one.tails[both], said[both]) if both.sum() > 1 else float("nan")
        rows.append(
            {"view": recipe.view, "detector": recipe.detector, "references": recipe.references, "bytes": one.nbytes}
            | {"us_per_row": round(one.us_per_row, 1), "agreement": round(float(agreement), 3), "chosen": recipe in chosen.recipes}
        )
    return pd.DataFrame(rows)


def _learned_from(history: Any, truth: Ints | None) -> Any:
    """The history with the rows of events missing."""
    if truth is None:
        return history
    if isinstance(history, pd.Series | pd.DataFrame):
        without = history.astype(np.float64)
        without.iloc[np.flatnonzero(truth == 1)] = np.nan
        return without
    values = np.array(history, dtype=np.float64)
    values[truth == 1] = np.nan
    return values
