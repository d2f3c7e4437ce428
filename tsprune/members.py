"""How a member of a blend is learned, and scored on rows that it has not learned from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from tsprune.detect import Threshold
from tsprune.errors import BadParameter, BadSeries
from tsprune.model.blend import score_complete
from tsprune.pipeline import Pipeline, fit_clone
from tsprune.series.split import held_back
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.model.part import Part
    from tsprune.series.table import Table
    from tsprune.types import Floats, Matrix

#: Rows on which members are calibrated, at the most.
MOST = 1500


class Learner:
    """Chains learned on one table; stages that several of them have in common are learned once.

    Parameters
    ----------
    table : Table
    members : sequence of Pipeline, optional
        All chains that will be learned.  What their stages make of the table is let go when the last one that needs it is learned: a view of
        a million rows is 200 MB.  Without, everything is kept.
    """

    def __init__(self, table: Table, members: Sequence[Pipeline] | None = None):
        self.known: dict[tuple[str, ...], tuple[tuple[Part, ...], Table]] = {(): ((), table)}
        self.wanted = None if members is None else Counter(path for member in members for path in _paths(_split(member)[0]))

    def chain(self, member: Pipeline) -> tuple[tuple[Part, ...], Any]:
        """The parts and the detector of a pipeline, learned."""
        stages, detector = _split(member)
        try:
            parts, table = self._through(stages)
        finally:
            self._let_go(stages)
        complete = table.values[~np.isnan(table.values).any(axis=1)]
        if len(complete) < 2:
            raise BadSeries(f"{len(complete)} of {len(table)} training rows are complete; a detector needs 2. Give a longer history.")
        return parts, fit_clone(detector, complete).part_

    def _through(self, stages: list[Stage]) -> tuple[tuple[Part, ...], Table]:
        """The parts of some stages, and what they make of the table."""
        known = self.known[()]
        for stage, path in zip(stages, _paths(stages), strict=True):
            if path not in self.known:
                fitted = clone(stage).learn(known[1])
                self.known[path] = ((*known[0], fitted.part_), fitted.taught(known[1]))
            known = self.known[path]
        return known

    def _let_go(self, stages: list[Stage]) -> None:
        """Forget what no later chain needs."""
        if self.wanted is None:
            return
        for path in _paths(stages):
            self.wanted[path] -= 1
            if self.wanted[path] == 0:
                self.known.pop(path, None)


def _paths(stages: list[Stage]) -> list[tuple[str, ...]]:
    """Of each stage a name that tells it, with the stages before it, from every other."""
    names = [f"{type(stage).__qualname__}{sorted(stage.get_params().items())}" for stage in stages]
    return [tuple(names[: k + 1]) for k in range(len(names))]


def behind(parts: tuple[Part, ...], table: Table, first: int) -> Matrix:
    """What learned parts make of the rows of a table from `first` on; of those before, only what these look back on is worked out."""
    slots = table.slots.absolute
    start = int(np.searchsorted(slots, slots[first] - sum(part.lookback for part in parts)))
    values, clock = table.values[start:], table.slots.taken(slice(start, None))
    for part in parts:
        values = part.apply(values, clock)
    return values[first - start :]


def calibrating(detector: Any, rows: Matrix) -> Floats:
    """Scores of rows held back, NaN for incomplete ones."""
    scores = score_complete(detector, rows)
    if np.isnan(scores).all():
        raise BadSeries(f"none of {len(scores)} rows held back for calibration has a score. Give a longer history, or fill the gaps.")
    return scores


def calibrated_on(n: int) -> list[tuple[int, int]]:
    """Where the rows held back of `n` begin and end; where too little can be learned from the others, all rows calibrate.

    >>> from tsprune.members import calibrated_on
    >>> calibrated_on(1000), calibrated_on(20)
    ([(700, 1000), (0, 1000)], [(0, 20)])
    """
    cut = held_back(n)
    return [*([(cut, min(cut + MOST, n))] if cut else []), (0, n)]


def taken(table: Table, stop: int, start: int = 0) -> Table:
    """The rows of a table from one to another, as a table."""
    return replace(table, values=table.values[start:stop], time=None if table.time is None else table.time[start:stop])


def _split(pipeline: Pipeline) -> tuple[list[Stage], Any]:
    """The stages and the detector of a pipeline; its threshold is of no use here."""
    steps = [step for _, step in pipeline.named_steps() if not isinstance(step, Threshold)]
    stages = [step for step in steps if isinstance(step, Stage)]
    if len(stages) != len(steps) - 1 or isinstance(steps[-1], Stage):
        raise BadParameter(f"a member has the steps {steps}; it has stages, and one detector behind them.")
    return stages, steps[-1]
