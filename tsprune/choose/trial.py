"""What each candidate says of rows that it has not learned from, once as they are and once with anomalies written into them.

The anomalies give the candidates something to agree or disagree on.  They are no estimate of quality: measured, the
best injected score of a series says nothing about the quality reached there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.choose.budget import estimated_us
from tsprune.errors import BadSeries
from tsprune.members import Learner, behind, calibrated_on, calibrating, taken
from tsprune.model.blend import Tail
from tsprune.model.nearest import Nearest
from tsprune.progress import track
from tsprune.series.inject import inject
from tsprune.series.split import late_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.choose.members import Maker, Recipe
    from tsprune.series.table import Table
    from tsprune.types import Floats, Ints, Matrix

#: Injected anomalies, and rows that each needs.
EVENTS, ROOM = 24, 48


@dataclass(frozen=True)
class Tried:
    """A candidate: its calibrated tails on the judged rows, and what it costs."""

    recipe: Recipe
    tails: Floats
    nbytes: int
    us_per_row: float


@dataclass(frozen=True)
class Trial:
    """Candidates on the same rows.

    Attributes
    ----------
    tried : dict of Recipe to Tried
    labels : ndarray of 0 and 1, or None
        Of the judged rows, where labels were given and hold enough events.
    dropped : dict of str to str
        Views that cannot be learned here, and why.
    late : int
        Candidates that were left out when the time was up.
    """

    tried: dict[Recipe, Tried]
    labels: Ints | None
    dropped: dict[str, str]
    late: int


def run_trial(table: Table, labels: Ints | None, maker: Maker, recipes: Sequence[Recipe], deadline: float, seed: int) -> Trial:
    """Learn every candidate on the first rows, and let it speak of the last; those not tried by the deadline are left out."""
    if labels is not None:
        first = late_from(len(table))
        bench = Bench(Learner(taken(_without_events(table, labels), first)), [table], first, labels[first:], len(table))
        return _some(_each_tried(bench, maker, recipes, deadline), len(table))
    for cut, stop in calibrated_on(len(table)):
        clean = taken(table, stop)
        bench = Bench(Learner(taken(table, cut) if cut else table), [clean, *_injected(clean, cut, seed)], cut, None, len(table))
        trial = _each_tried(bench, maker, recipes, deadline)
        if trial.tried:
            return trial
    return _some(trial, len(table))


def _some(trial: Trial, n: int) -> Trial:
    """The trial, if any candidate could be tried."""
    if not trial.tried:
        raise BadSeries(f"no view can be learned from {n} rows: {next(iter(trial.dropped.values()))}")
    return trial


@dataclass(frozen=True)
class Bench:
    """What candidates learn from, and the tables of which they judge the rows from `first` on; what a view makes of these is kept."""

    learner: Learner
    judged: list[Table]
    first: int
    labels: Ints | None
    n_rows: int
    seen: dict[str, list[Matrix]] = field(default_factory=dict)


def _each_tried(bench: Bench, maker: Maker, recipes: Sequence[Recipe], deadline: float) -> Trial:
    tried: dict[Recipe, Tried] = {}
    dropped: dict[str, str] = {}
    late = 0
    for recipe in track(recipes, "trying views of the series"):
        if time.monotonic() > deadline and tried:
            late += 1
        elif recipe.view not in dropped:
            try:
                tried[recipe] = _try(recipe, maker, bench)
            except BadSeries as error:
                dropped[recipe.view] = str(error)
    return Trial(tried, bench.labels, dropped, late)


def _try(recipe: Recipe, maker: Maker, bench: Bench) -> Tried:
    pipeline = maker.pipeline(recipe)
    parts, detector = bench.learner.chain(pipeline)
    if recipe.view not in bench.seen:
        bench.seen[recipe.view] = [behind(parts, table, bench.first) for table in bench.judged]
    scores = [calibrating(detector, rows) for rows in bench.seen[recipe.view]]
    tail = Tail.of(scores[0] if bench.labels is None else np.where(bench.labels == 1, np.nan, scores[0]))
    if isinstance(detector, Nearest):  # the whole history has more rows to keep
        detector = replace(detector, codes=np.resize(detector.codes, (min(recipe.references, bench.n_rows), detector.n_features)))
    nbytes = sum(part.nbytes for part in (*parts, detector, tail))
    return Tried(recipe, tail.u(np.concatenate(scores)), nbytes, estimated_us(parts, detector))


def _without_events(table: Table, labels: Ints | None) -> Table:
    """The rows with those of events missing: nothing is learned from them."""
    if labels is None:
        return table
    values = table.values.copy()
    values[labels == 1] = np.nan
    return replace(table, values=values)


def _injected(table: Table, cut: int, seed: int) -> list[Table]:
    """The judged rows with anomalies written into them; none where there is no room."""
    rows = table.values[cut:]
    n_events = min(EVENTS, len(rows) // ROOM)
    frame: Any = pd.DataFrame(rows, columns=list(table.columns))
    try:
        changed, _, _ = inject(frame, n_events=max(1, n_events), random_state=seed)
    except BadSeries:
        return []
    return [replace(table, values=np.concatenate([table.values[:cut], changed.to_numpy(dtype=np.float64)]))]
