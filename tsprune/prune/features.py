"""Which columns carry a detector's score, and the score with fewer of them.  By the detector's own evidence, without labels.

Two effects: *shuffled*, how far the order of rows changes when a column is shuffled and the detector stays (what it looks at);
*dropped*, how far it changes when a detector is fitted without the column (what it cannot do without).  The two differ for columns that
stand in for each other.  An effect says what a column does to the score, not whether that is good: noise carries the score of
an isolation forest too (`SelectFeatures(criterion="unrelated")` finds planted noise; no effect here does).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.detect import fit_detector
from tsprune.errors import BadParameter
from tsprune.kernels.agreement import lower_bound, spearman
from tsprune.params import check_count
from tsprune.prune.queries import spread
from tsprune.series.table import read_table

if TYPE_CHECKING:
    import pandas as pd

    from tsprune.model.chain import Detector
    from tsprune.prune.guard import Guard
    from tsprune.types import Floats, Matrix

#: Rows that effects are measured on, evenly spread, and shuffles that are averaged.
ROWS, SHUFFLES = 2000, 3


@dataclass(frozen=True)
class FeatureEffects:
    """One minus the rank correlation of the score before and after, for each column: 0 = the order of rows does not depend on it.

    Parameters
    ----------
    names : tuple of str
    shuffled, dropped : ndarray, shape (n_features,)
        `dropped` is NaN where no detector was fitted anew.
    """

    names: tuple[str, ...]
    shuffled: Floats
    dropped: Floats

    def to_frame(self) -> pd.DataFrame:
        """One row per column, the largest effect first."""
        import pandas as pd

        frame = pd.DataFrame({"shuffled": self.shuffled, "dropped": self.dropped}, index=pd.Index(self.names, name="feature"))
        return frame.sort_values("shuffled", ascending=False, kind="stable")

    def __str__(self) -> str:
        order = np.argsort(-self.shuffled, kind="stable")
        told = ", ".join(f"{self.names[j]} {self.shuffled[j]:.3f}" for j in order[:5])
        idle = int((self.shuffled == 0).sum())
        return f"the score rests on {told}{f'; {idle} of {len(order)} columns do not matter' if idle else ''}"


def feature_effects(detector: Any, X: Any, *, refit: bool = False, random_state: int | None = 0) -> FeatureEffects:
    """How far the score rests on each column.

    Parameters
    ----------
    detector : short name, estimator or Pruned
        Fitted here on the complete rows of X.
    X : DataFrame or array, shape (n, d)
    refit : bool
        Also fit without each column in turn: d more fits.
    random_state : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune.features import feature_effects
    >>> X = np.random.default_rng(0).normal(size=(500, 3)) * [1, 1, 0]
    >>> effects = feature_effects("iforest", X)
    >>> bool(effects.shuffled[0] > 0.1), float(effects.shuffled[2])
    (True, 0.0)
    """
    values, names = _complete(X)
    some = spread(values, ROWS)
    whole = _fit(detector, values, random_state)
    scores = whole.anomaly_score(some)
    shuffled = shuffled_effects(whole, some, random_state)
    dropped = np.full(len(names), np.nan)
    if refit and len(names) > 1:
        for j in range(len(names)):
            others = np.delete(np.arange(len(names)), j)
            dropped[j] = 1.0 - spearman(scores, _fit(detector, values[:, others], random_state).anomaly_score(some[:, others]))
    return FeatureEffects(names, shuffled, dropped)


def shuffled_effects(part: Detector, rows: Matrix, random_state: int | None = 0) -> Floats:
    """Effect of shuffling each column of rows (n, d) on a fitted part; columns that the part never reads have none and take no time."""
    rng = np.random.default_rng(random_state)
    scores = part.anomaly_score(rows)
    effects = np.zeros(rows.shape[1])
    for j in used_features(part):
        changed = rows.copy()
        for _ in range(SHUFFLES):
            changed[:, j] = rng.permutation(rows[:, j])
            effects[j] += (1.0 - spearman(scores, part.anomaly_score(changed))) / SHUFFLES
    return effects


def used_features(part: Any) -> list[int]:
    """Columns that a part reads: those that some node compares, some centre or reference point differs in; all where that is not known."""
    if hasattr(part, "used_features"):
        return [int(j) for j in part.used_features]
    return list(range(part.n_features))


@dataclass(frozen=True)
class Elimination:
    """Columns that stay, and what it cost to drop the others, one by one.

    Parameters
    ----------
    kept : tuple of str
    steps : tuple of (str, float)
        Each column dropped, and the fidelity to the score of all columns after it went.
    """

    kept: tuple[str, ...]
    steps: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        if not self.steps:
            return f"all {len(self.kept)} columns stay"
        told = ", ".join(name for name, _ in self.steps)
        return (
            f"{len(self.kept)} of {len(self.kept) + len(self.steps)} columns stay at a fidelity of {self.steps[-1][1]:.3f}; dropped {told}"
        )


def eliminate(detector: Any, X: Any, n_features: int, *, guard: Guard | None = None, random_state: int | None = 0) -> Elimination:
    """Drop columns one by one, always the one that the score rests on least, and fit anew, down to a number of columns.

    Parameters
    ----------
    detector : short name, estimator or Pruned
    X : DataFrame or array, shape (n, d)
        The last quarter is held back and judges.
    n_features : int
        The budget.
    guard : Guard, optional
        Stop before the lower bound of the fidelity falls below the guard's.
    random_state : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune.features import eliminate
    >>> X = np.random.default_rng(0).normal(size=(600, 4)) * [3, 1, 2, 0]
    >>> eliminate("ocsvm", X, 3).steps[0][0]
    'x3'
    """
    values, names = _complete(X)
    if check_count(n_features=n_features) > len(names):
        raise BadParameter(f"n_features is {n_features}; X has {len(names)} columns.")
    cut = len(values) - max(1, len(values) // 4)
    train, held = values[:cut], values[cut:]
    part = _fit(detector, train, random_state)
    scores = part.anomaly_score(held)
    some = spread(train, ROWS)
    kept, steps = list(range(len(names))), []
    while len(kept) > n_features:
        least = int(np.argmin(shuffled_effects(part, some[:, kept], random_state)))
        rest = kept[:least] + kept[least + 1 :]
        part = _fit(detector, train[:, rest], random_state)
        after = part.anomaly_score(held[:, rest])
        if guard is not None and not guard.accepts(
            lower_bound(spearman, scores, after, confidence=guard.confidence, random_state=random_state)
        ):
            break
        steps.append((names[kept[least]], spearman(scores, after)))
        kept = rest
    return Elimination(tuple(names[j] for j in kept), tuple(steps))


def _fit(detector: Any, values: Matrix, random_state: int | None) -> Detector:
    from tsprune.prune.pruned import Pruned  # it imports the cutters, which stand beside this module

    if isinstance(detector, Pruned):
        from sklearn.base import clone

        return clone(detector).fit(values).part_
    return fit_detector(detector, values, random_state=random_state).part_


def _complete(X: Any) -> tuple[Matrix, tuple[str, ...]]:
    table = read_table(X, flat=False)
    return table.values[~np.isnan(table.values).any(axis=1)], table.columns
