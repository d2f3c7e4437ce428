"""Blends of all sizes from the candidates that were tried, and which one a budget buys.

Without labels a small blend is judged as every cut is in this package: by how far it agrees with the whole, here the largest
blend, on rows that were held back and on the same rows with anomalies written into them.  That agreement underrates neighbour
searches, which find the rare shapes: more of them come first (docs/choosing.md).  With labels it is judged by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from tsprune.choose.members import REFERENCES, Recipe
from tsprune.kernels.agreement import spearman
from tsprune.metrics import default_buffer, vus_pr

if TYPE_CHECKING:
    from tsprune.choose.budget import Budget
    from tsprune.choose.trial import Trial
    from tsprune.types import Floats, Ints

Views = Sequence[tuple[str, Literal["nearest", "subspace"]]]


@dataclass(frozen=True)
class Option:
    """A blend that could be chosen; what it says of the judged rows decides."""

    recipes: tuple[Recipe, ...]
    nbytes: int
    us_per_row: float
    fidelity: float
    quality: float  # NaN without labels

    @property
    def searches(self) -> int:
        """Members that search neighbours."""
        return sum(recipe.references > 0 for recipe in self.recipes)

    @property
    def merit(self) -> tuple[float, float]:
        """What options are ordered by."""
        return (self.searches, self.fidelity) if np.isnan(self.quality) else (self.quality, np.nan_to_num(self.fidelity))


def recipes_of(views: Views, n_rows: int) -> list[Recipe]:
    """Every candidate of these views for a history of so many rows, the ones with the best prospects first."""
    sizes = [n for k, n in enumerate(REFERENCES) if n < n_rows or k + 1 == len(REFERENCES) or REFERENCES[k + 1] < n_rows]
    subspaces = [Recipe(view, "subspace") for view, _ in views]
    searches = [Recipe(view, "nearest", n) for n in sorted(sizes, key=lambda n: abs(n - 2000)) for view, kind in views if kind == "nearest"]
    return [*searches[: len(views)], *subspaces, *searches[len(views) :]]


def options(trial: Trial, views: Views, budget: Budget) -> list[Option]:
    """Blends of all views, and of those that the budget allows alone: the first ones, with none to all of their neighbour searches."""
    known = trial.tried
    alone = {recipe.view for recipe, one in known.items() if budget.allows(one.nbytes, one.us_per_row)}
    sets = dict.fromkeys([*_sets(trial, views), *_sets(trial, [(view, kind) for view, kind in views if view in alone])])
    whole = blended(trial, max(sets, key=lambda recipes: sum(known[recipe].nbytes for recipe in recipes)))
    return [option_of(trial, recipes, whole) for recipes in sets]


def _sets(trial: Trial, views: Views) -> list[tuple[Recipe, ...]]:
    """The first views with as many neighbour searches as there can be, of every size, to the first view alone."""
    known = trial.tried
    sets: dict[tuple[Recipe, ...], None] = {}
    searched = [view for view, kind in views if kind == "nearest"]
    for n in sorted({recipe.references for recipe in known} - {0}, reverse=True) or [0]:
        for n_searched in range(len(searched) + 1):
            for n_views in range(len(views), 0, -1):
                recipes = [
                    Recipe(view, "nearest", n) if view in searched[:n_searched] else Recipe(view, "subspace") for view, _ in views[:n_views]
                ]
                found = tuple(recipe for recipe in recipes if recipe in known)
                if found:
                    sets.setdefault(found)
    return list(sets)


def grown(trial: Trial, budget: Budget, most: int = 8) -> Option:
    """With labels: members are added one by one while the quality rises and the budget allows it."""
    best: Option | None = None
    while best is None or len(best.recipes) < most:
        chosen = best.recipes if best else ()
        wider = [option_of(trial, (*chosen, recipe), None) for recipe in trial.tried if recipe.view not in {r.view for r in chosen}]
        allowed = [option for option in wider if budget.allows(option.nbytes, option.us_per_row)] or ([] if best else wider)
        top = max(allowed, key=lambda option: (option.quality, -option.nbytes), default=None)
        if top is None or (best is not None and top.quality <= best.quality):
            break
        best = top
    assert best is not None
    return best


def bought(found: list[Option], budget: Budget) -> tuple[Option, bool]:
    """The best option within the budget, of equal ones the smaller; the smallest and False where none is."""
    allowed = [option for option in found if budget.allows(option.nbytes, option.us_per_row)]
    if not allowed:
        return min(found, key=lambda option: (option.nbytes, option.us_per_row)), False
    return max(allowed, key=lambda option: (*(round(value, 3) for value in option.merit), -option.nbytes)), True


def pareto(found: list[Option], chosen: Option) -> pd.DataFrame:
    """The options that no other one beats in merit, size and speed at once; and the chosen one."""
    rows = []
    for option in sorted(found, key=lambda option: option.nbytes):
        beaten = any(
            other.merit >= option.merit
            and other.nbytes <= option.nbytes
            and other.us_per_row <= option.us_per_row
            and (other.merit, -other.nbytes, -other.us_per_row) != (option.merit, -option.nbytes, -option.us_per_row)
            for other in found
        )
        if option is chosen or not beaten:
            rows.append(
                {
                    "members": len(option.recipes),
                    "searches": option.searches,
                    "references": max(recipe.references for recipe in option.recipes),
                    "bytes": option.nbytes,
                    "us_per_row": round(option.us_per_row, 1),
                    "fidelity": round(option.fidelity, 4),
                    "quality": option.quality,
                    "chosen": option is chosen,
                }
            )
    return pd.DataFrame(rows)


def blended(trial: Trial, recipes: Sequence[Recipe]) -> Floats:
    """The mean of the candidates' tails on the judged rows, where half of them have one."""
    tails = np.array([trial.tried[recipe].tails for recipe in recipes])
    there = ~np.isnan(tails)
    count = there.sum(axis=0)
    mean: Floats = np.where(there, tails, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(2 * count >= len(recipes), mean, np.nan)


def option_of(trial: Trial, recipes: tuple[Recipe, ...], whole: Floats | None) -> Option:
    """A blend of candidates, how far it agrees with the whole, and with labels its quality."""
    said = blended(trial, recipes)
    nbytes = sum(trial.tried[recipe].nbytes for recipe in recipes)
    us_per_row = sum(trial.tried[recipe].us_per_row for recipe in recipes)
    quality = float("nan") if trial.labels is None else quality_of(trial.labels, said)
    fidelity = float("nan") if whole is None else _agreement(whole, said)
    return Option(recipes, nbytes, us_per_row, fidelity, quality)


def _agreement(whole: Floats, said: Floats) -> float:
    both = ~np.isnan(whole) & ~np.isnan(said)
    return float(spearman(whole[both], said[both])) if both.sum() > 1 else 0.0


def quality_of(labels: Ints, scores: Floats) -> float:
    """VUS-PR on labelled rows."""
    return float(vus_pr(labels, scores, buffer=default_buffer(labels)))
