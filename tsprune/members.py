"""How a member of a blend is learned, and scored on rows that it has not learned from."""

from __future__ import annotations

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
    from tsprune.model.part import Part
    from tsprune.series.table import Table
    from tsprune.types import Floats, Matrix

#: Rows on which members are calibrated, at the most.
MOST = 1500


class Learner:
    """Chains learned on one table; stages that begin several of them are learned once.

    What a whole chain of stages makes of the table is kept where `keep` says that another detector will want it: a view of a million rows
    is 200 MB.
    """

    def __init__(self, table: Table, *, keep: bool = False):
        self.table, self.keep = table, keep
        self.known: dict[tuple[str, ...], tuple[tuple[Part, ...], Table]] = {(): ((), table)}

    def chain(self, member: Pipeline) -> tuple[tuple[Part, ...], Any]:
        """The parts and the detector of a pipeline, learned."""
        stages, detector = _split(member)
        path: tuple[str, ...] = ()
        for stage in stages:
            parts, table = self.known[path]
            path = (*path, f"{type(stage).__qualname__}{sorted(stage.get_params().items())}")
            if path not in self.known:
                fitted = clone(stage).learn(table)
                self.known[path] = ((*parts, fitted.part_), fitted.taught(table))
        parts, table = self.known[path]
        if path and not self.keep:
            del self.known[path]
        complete = table.values[~np.isnan(table.values).any(axis=1)]
        if len(complete) < 2:
            raise BadSeries(f"{len(complete)} of {len(table)} training rows are complete; a detector needs 2. Give a longer history.")
        return parts, fit_clone(detector, complete).part_


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
