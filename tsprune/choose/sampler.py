"""Blends that Optuna finds among all combinations of the candidates that were tried."""

from __future__ import annotations

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


def sampled(trial: Trial, found: list[Option], budget: Budget, seed: int) -> list[Option]:
    """The best blend within the budget that a tree-structured Parzen estimator comes upon; none where it finds none.

    Raises
    ------
    BadParameter
        If Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise BadParameter("search='optuna' needs the package optuna, which is not here: pip install 'tsprune[optuna]'.") from error
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
        option = seen.setdefault(recipes, option_of(trial, recipes, whole))
        return sum(option.merit) if budget.allows(option.nbytes, option.us_per_row) else -budget.excess(option.nbytes, option.us_per_row)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)).optimize(worth, LOOKS)
    allowed = [option for option in seen.values() if budget.allows(option.nbytes, option.us_per_row)]
    return sorted(allowed, key=lambda option: option.merit)[-1:]
