"""What a cut took away and why; and which features, at which times, make a row anomalous.

A feature's part in a score is what the score loses when the feature alone is set to its usual value, the median of the training
rows: the same question for every detector, in the unit of the score.  Parts need not sum to the score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.model.boundary import Boundary
from tsprune.model.columns import Columns
from tsprune.model.density import Density
from tsprune.model.expected import expected
from tsprune.model.forest import Forest
from tsprune.model.smooth import Smoother
from tsprune.model.windows import WIDE, WindowMatrix
from tsprune.params import check_count
from tsprune.series.table import joined, read_table

if TYPE_CHECKING:
    from tsprune.model.chain import Detector, Model
    from tsprune.types import Floats, Matrix

#: Rows of a list in a sentence.
FEW = 8


def story(before: Detector, after: Detector, kept: Detector) -> str:
    """What a cut took away and why, in a sentence or two.

    Parameters
    ----------
    before, kept, after : Detector
        As fitted, after cleaning (the same where nothing is cleaned), and after the cut.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.density import Density
    >>> from tsprune.prune.explain import story
    >>> rng = np.random.default_rng(0)
    >>> whole = Density.of(np.append(rng.normal(size=(99, 2)), [[9.0, 9.0]], axis=0), 5)
    >>> print(story(whole, whole, Density.of(whole.points[:99], 5)))
    1 of 100 reference points went: farther from the others than the rule allows; the first are rows 99.
    """
    told = _cleaning(before, kept) if isinstance(before, Density) and isinstance(kept, Density) else ""
    if after is kept or after is before:
        return told or f"nothing went: all {before.n_parts} parts stay."
    if isinstance(after, Forest) and isinstance(before, Forest):
        told += _collapse(before, after)
    elif isinstance(after, Boundary) and isinstance(before, Boundary):
        told += (
            f"{before.n_parts} support vectors are rewritten as {after.n_parts} centres, placed and weighted where the score follows best."
        )
    elif isinstance(after, Density):
        told += f" {kept.n_parts - after.n_parts} more went: near enough to one that stays, which speaks for them."
    else:
        told += f"a {type(after).__name__} of {after.n_parts} parts has learned the scores and takes the place of the detector."
    return told.strip()


def _cleaning(before: Density, kept: Density) -> str:
    if kept.n_parts == before.n_parts:
        return ""
    stays = {row.tobytes() for row in kept.points}
    gone = [i for i, row in enumerate(before.points) if row.tobytes() not in stays]
    first = ", ".join(map(str, gone[:FEW])) + (", ..." if len(gone) > FEW else "")
    told = f"{before.n_parts - kept.n_parts} of {before.n_parts} reference points went: farther from the others than the rule allows"
    return f"{told}; the first are rows {first}."


def _collapse(before: Forest, after: Forest) -> str:
    idle = sorted(set(before.used_features.tolist()) - set(after.used_features.tolist()))
    told = (
        f"{before.n_parts - after.n_parts} of {before.n_parts} nodes went, and {before.n_trees - after.n_trees} of {before.n_trees} trees "
        "with them: splits whose loss changes path lengths least; the leaves that stay have learned to make up for them."
    )
    columns = ", ".join(map(str, idle[:FEW])) + (", ..." if len(idle) > FEW else "")
    return told + (f" Columns {columns} are not read any more." if idle else "")


def explain(pipeline: Any, rows: Any, context: Any = None, *, top: int = 3, n_rows: int = 20) -> pd.DataFrame:
    """Which features, at which times, make the most anomalous rows anomalous.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    rows, context : Series, DataFrame or array
        As in `Pipeline.anomaly_score`; context of the same kind.
    top : int
        Features per row.
    n_rows : int
        Rows, those of the highest scores.

    Returns
    -------
    DataFrame
        One line per row and feature, the highest score and its first feature first: `row` (its label), `score`, `feature`, `part`
        (what the score loses when the feature is as usual), `value` and `usual` (of the feature), `first` and `last` (labels of the rows that the feature
        looks at, no row missing between), `column`, `observed` and `expected` (at the last of these, in the original unit; NaN where the
        model expects nothing).

    Examples
    --------
    >>> import numpy as np
    >>> import tsprune as tsp
    >>> from tsprune.prune.explain import explain
    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> pipeline = tsp.Pipeline(["lof"]).fit(x)
    >>> x[7, 1] = 9.0
    >>> explain(pipeline, x, top=1, n_rows=1)[["row", "feature", "value"]]
       row feature  value
    0    7      x1    9.0
    """
    check_count(top=top)
    check_count(n_rows=n_rows)
    model: Model = pipeline.model_
    behind = joined(context, rows)
    table = read_table(behind, clock=pipeline.clock_, name="rows")
    labels = behind.index if isinstance(behind, pd.Series | pd.DataFrame) else pd.RangeIndex(len(table))
    features = model.features(table.values, table.slots)
    scores = model.anomaly_score(table.values, table.time)
    scores[: len(table) - len(rows)] = np.nan
    chosen = np.argsort(-scores, kind="stable")[: min(n_rows, int((~np.isnan(scores)).sum()))]
    usual = _usual(pipeline)
    parts = occlusion(model.detector, features[chosen], usual)
    foreseen = expected(model, table.values, table.slots)
    origins = _origins(model)
    lines = []
    for i, row in enumerate(chosen):
        for j in np.argsort(-parts[i], kind="stable")[:top]:
            column, first, last = origins[j]
            at = max(row - last, 0)
            lines.append(
                {
                    "row": labels[row],
                    "score": scores[row],
                    "feature": pipeline.features_[j],
                    "part": parts[i, j],
                    "value": features[row, j],
                    "usual": usual[j],
                    "first": labels[max(row - first, 0)],
                    "last": labels[at],
                    "column": model.columns[column],
                    "observed": table.values[at, column],
                    "expected": np.nan if foreseen is None else foreseen.values[at, column],
                }
            )
    return pd.DataFrame(lines)


def occlusion(part: Detector, features: Matrix, usual: Floats) -> Matrix:
    """What each row's score loses when one feature is as usual, shape (n_rows, n_features); negative where it hides the anomaly."""
    n, d = features.shape
    if n == 0:
        return np.empty((0, d))
    changed = np.repeat(features, d, axis=0)
    changed[np.arange(n * d), np.tile(np.arange(d), n)] = np.tile(usual, n)
    return part.anomaly_score(features)[:, None] - part.anomaly_score(changed).reshape(n, d)


def _usual(pipeline: Any) -> Floats:
    history = read_table(pipeline.history_, clock=pipeline.clock_, name="history")
    features = pipeline.model_.features(history.values, history.slots)
    return np.asarray(np.nanmedian(features, axis=0))


def _origins(model: Model) -> list[tuple[int, int, int]]:
    """For each feature the number of the column it is made of, and the slots back where its window begins and ends."""
    origins = [(column, 0, 0) for column in range(model.n_features)]
    for part in model.parts:
        times = part.n_out // part.n_features
        if isinstance(part, Columns):
            origins = [origins[j] for j in part.kept]
        elif isinstance(part, WindowMatrix):
            origins = [(column, *span) for column, _, _ in origins for span in _spans(part)]
        elif isinstance(part, Smoother):
            origins = origins * times  # what it adds stands behind
        else:
            origins = [origin for origin in origins for _ in range(times)]
    return origins


def _spans(part: WindowMatrix) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for name, length in zip(part.features, part.lengths, strict=True):
        spans += [(back, back) for back in range(length - 1, -1, -1)] if name in WIDE else [(length - 1, 0)]
    return spans
