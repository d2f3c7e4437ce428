"""Blends that Optuna finds among all combinations of the candidates that were tried."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tsprune.choose.front import Option, blended, option_of
from tsprune.errors import BadParameter

if TYPE_CHECKING:
    from tsprune.choose.budget import Budget
    from tsprune.choose.members import Recipe
    from tsprune.choose.trial import Trial

#: Combinations that are looked at; each is a mean of tails that are known already.
LOOKS = 300
#: Stands for a view that is left out.
OUT = "out"


def check_optuna() -> None:
    """Refuse where Optuna is not installed.

    Raises
    ------
    BadParameter
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise BadParameter("search='optuna' needs the package optuna, which is not here: pip install 'tsprune[optuna]'.") from error


def sampled(trial: Trial, found: list[Option], budget: Budget, seed: int, seconds: float) -> list[Option]:
    """The best blend within the budget that a tree-structured Parzen estimator comes upon in so many seconds; none where it finds none."""
    import optuna

    whole = blended(trial, max(found, key=lambda option: option.nbytes).recipes)
    kinds: dict[str, dict[str, Recipe]] = {}
    for recipe in trial.tried:
        kinds.setdefault(recipe.view, {})[str(recipe)] = recipe
    seen: dict[tuple[Recipe, ...], Option] = {}

    def worth(asked: Any) -> float:
        drawn = [asked.suggest_categorical(view, [OUT, *named]) for view, named in kinds.items()]
        recipes = tuple(named[name] for name, named in zip(drawn, kinds.values(), strict=True) if name != OUT)
        if not recipes:
            return -1.0
        if recipes not in seen:
            seen[recipes] = option_of(trial, recipes, whole)
        option = seen[recipes]
        return sum(option.merit) if budget.allows(option.nbytes, option.us_per_row) else -budget.excess(option.nbytes, option.us_per_row)

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(worth, LOOKS, timeout=None if math.isinf(seconds) else max(seconds, 0.0))
    finally:
        optuna.logging.set_verbosity(before)
    allowed = [option for option in seen.values() if budget.allows(option.nbytes, option.us_per_row)]
    return sorted(allowed, key=lambda option: option.merit)[-1:]
