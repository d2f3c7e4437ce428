"""The steps of a pipeline: their names, their parameters by name, and pipelines with some of them left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator, clone

from tsprune.detect import Threshold, unfitted
from tsprune.detect.fitted import MOST_ROWS
from tsprune.errors import BadParameter, OverPruned
from tsprune.prune import Guard, Pruned
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from tsprune.report import Report


class Steps(BaseEstimator):
    """A list of steps: stages, a detector, where it likes a threshold."""

    def __init__(self, steps: list[Any]):
        self.steps = steps

    def named_steps(self) -> list[tuple[str, Any]]:
        """The steps with their names: given, or the class in lower case."""
        if not isinstance(self.steps, list | tuple) or not self.steps:
            raise BadParameter(f"steps is {self.steps!r}; it is a list of stages that ends with a detector.")
        named: list[tuple[str, Any]] = []
        for step in self.steps:
            pair = isinstance(step, tuple) and len(step) == 2 and isinstance(step[0], str)
            name, stage = step if pair else (step if isinstance(step, str) else type(step).__name__.lower(), step)
            taken = sum(other == name or other.rpartition("-")[0] == name for other, _ in named)
            if pair and taken:
                raise BadParameter(f"the step name {name!r} stands twice; give each step its own.")
            named.append((f"{name}-{taken + 1}" if taken else name, stage))
        return named

    def _sorted_steps(self) -> tuple[list[tuple[str, Stage]], tuple[str, Any], tuple[str, Threshold]]:
        named = self.named_steps()
        threshold = named.pop() if isinstance(named[-1][1], Threshold) else ("threshold", Threshold())
        if not named or isinstance(named[-1][1], Stage):
            raise BadParameter("steps ends without a detector; put one last, such as 'iforest' or Pruned('lof').")
        detector = named.pop()
        for name, stage in named:
            if not isinstance(stage, Stage):
                raise BadParameter(f"step {name!r} is {stage!r}; before the detector come stages such as Deseason() or Windows().")
        return named, detector, threshold

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the pipeline and, by `name__parameter`, of its steps."""
        params: dict[str, Any] = {"steps": self.steps}
        if deep:
            for name, stage in self.named_steps():
                params[name] = stage
                if hasattr(stage, "get_params"):
                    params |= {f"{name}__{key}": value for key, value in stage.get_params(deep=True).items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set `steps`, a step by its name, or a parameter of a step by `name__parameter`."""
        if "steps" in params:
            self.steps = params.pop("steps")
        names = [name for name, _ in self.named_steps()]
        for key, value in params.items():
            name, _, parameter = key.partition("__")
            if name not in names:
                raise BadParameter(f"{key!r} is no parameter; the steps are {', '.join(names)}.")
            if parameter:
                dict(self.named_steps())[name].set_params(**{parameter: value})
            else:
                self._replace_step(names.index(name), value)
        return self

    def _replace_step(self, at: int, value: Any) -> None:
        old = self.steps[at]
        steps = list(self.steps)
        steps[at] = (old[0], value) if isinstance(old, tuple) else value
        self.steps = steps

    def without(self, *names: str) -> Self:
        """A new, unfitted pipeline without some stages; a `Pruned` detector gives way to the detector it prunes."""
        return type(self)(
            [(name, _bared(stage, name in names)) for name, stage in self.named_steps() if name not in names or _is_detector(stage)]
        )

    def only(self, *names: str) -> Self:
        """A new, unfitted pipeline of the bare detector and, of the other stages, only these."""
        others = [name for name, stage in self.named_steps() if name not in names and not isinstance(stage, Threshold)]
        return self.without(*others)

    def guarded(self, report: Report, guard: Guard | None = None) -> Self:
        """A new, unfitted pipeline without the stages that a guard refuses on the evidence of a report.

        Raises
        ------
        OverPruned
            If a stage is refused and the guard says `on_fail="raise"`.
        """
        guard = guard or Guard()
        refused = report.refused(guard)
        if refused and guard.on_fail == "raise":
            told = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
            raise OverPruned(f"{told}. Leave these stages out, or allow a larger quality_loss.")
        return self.without(*refused)


def _is_detector(stage: Any) -> bool:
    return not isinstance(stage, Stage | Threshold)


def _bared(stage: Any, bare: bool) -> Any:
    """An unfitted copy of a step; of a `Pruned` to be left out, the detector within, with the same seed."""
    if bare and isinstance(stage, Pruned):
        seedless = isinstance(stage.detector, str) and stage.detector in MOST_ROWS  # the name says how many rows it learns from
        return stage.detector if seedless else unfitted(stage.detector, stage.random_state, stage.n_jobs)
    return stage if isinstance(stage, str) else clone(stage, safe=False)
