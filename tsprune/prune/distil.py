"""Students: small models of ours that learn the scores of a detector which has no form of ours, and can then be saved.

A student sees training rows and label-free rows around them, with the scores of its teacher.  A few Gaussian bumps follow smooth
scores, boosted trees those that have edges (histograms, copulas).  Whether it is faithful is for the guard to say, on rows that it
has not seen: many detectors have no small student, `docs/pruning.md` tells which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from tsprune.detect.forest import floored
from tsprune.errors import NotPrunable
from tsprune.model.forest import LARGEST, Forest
from tsprune.prune.queries import jittered, pushed_outwards
from tsprune.prune.reduce import Reduction

if TYPE_CHECKING:
    from tsprune.model.boundary import Boundary
    from tsprune.model.chain import Detector
    from tsprune.types import Floats, Ints, Matrix

Student = Callable[[], "Detector"]

#: Rows that nobody saw and a student learns from, and the most of those seen.
UNSEEN, SEEN = 4000, 8000
#: Centres of students that are few bumps; trees and leaves of those that are forests.
CENTRES, TREES = (16, 64), ((100, 16), (300, 16), (1000, 8))
#: A score counts as at most this many times as far above the 99 % quantile as that is above the median: it is an alarm anyway.
REACH = 10.0
#: Binary logarithms between the lowest and the highest score that a forest tells apart.
SPAN = 8.0


@dataclass(frozen=True)
class Lesson:
    """Rows with the scores that a student is to give them, shape (n, d) and (n,)."""

    rows: Matrix
    scores: Floats

    @classmethod
    def of(cls, teacher: Detector, X: Matrix, random_state: int | None = None) -> Lesson:
        """Training rows (8,000 at the most), rows around them, and the teacher's scores, the highest of them cut off.

        Raises
        ------
        NotPrunable
            If the teacher has no finite score for any training row.
        """
        rng = np.random.default_rng(random_state)
        seen = X[np.sort(rng.permutation(len(X))[:SEEN])]
        rows = (
            np.vstack([seen, jittered(seen, UNSEEN, rng), pushed_outwards(seen[:UNSEEN], random_state)])
            .astype(np.float32)
            .astype(np.float64)
        )
        scores = teacher.anomaly_score(rows)
        finite = np.isfinite(scores)
        if not finite[: len(seen)].any():
            raise NotPrunable(f"{type(teacher).__name__} gives no training row a finite score; there is nothing to learn from it.")
        middle, high = np.quantile(scores[: len(seen)][finite[: len(seen)]], (0.5, 0.99))
        return cls(rows[finite], np.minimum(scores[finite], high + REACH * max(high - middle, 1e-9 * abs(high))))


def students(teacher: Detector, X: Matrix, *, random_state: int | None = None) -> tuple[Student, ...]:
    """What each makes a student of a detector when called: few bumps first, then forests, from small to large.

    Parameters
    ----------
    teacher : Detector
        Anything with `anomaly_score`.
    X : ndarray, shape (n_samples, n_features)
        Rows that the students may see.
    random_state : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from pyod.models.hbos import HBOS
    >>> from tsprune.detect import to_part
    >>> from tsprune.kernels.agreement import spearman
    >>> from tsprune.prune.distil import students
    >>> X = np.random.default_rng(0).normal(size=(1000, 2))
    >>> teacher = to_part(HBOS().fit(X))
    >>> largest = students(teacher, X, random_state=0)[-1]()
    >>> spearman(teacher.anomaly_score(X), largest.anomaly_score(X)) > 0.97
    True
    """
    lesson = Lesson.of(teacher, X, random_state)
    few = [partial(few_bumps, lesson, n, random_state) for n in CENTRES if 4 * n <= len(X)]
    return (*few, *(partial(boosted, lesson, trees, leaves, random_state) for trees, leaves in TREES))


def few_bumps(lesson: Lesson, n_centres: int, random_state: int | None = None) -> Boundary:
    """A sum of so many Gaussian bumps, their centres moved to where the sum follows the scores best."""
    width = lesson.rows.shape[1] * max(float(lesson.rows.var()), 1e-12)
    offset = float(lesson.scores.max())
    return Reduction.to_scores(lesson.rows, offset - lesson.scores, 1.0 / width, offset, random_state=random_state).at(n_centres)


def boosted(lesson: Lesson, n_trees: int, n_leaves: int, random_state: int | None = None) -> Forest:
    """Boosted trees that follow the logarithm of the scores, as a forest whose scores are on the teacher's scale.

    Source
    ------
    Regressing a detector's scores: Zhao et al., SUOD, MLSys 2021; the trees: scikit-learn's HistGradientBoostingRegressor.
    """
    low, middle = float(lesson.scores.min()), float(np.median(lesson.scores))
    shift = low - max(0.5 * (middle - low), 2.0**-SPAN * (float(lesson.scores.max()) - low), 1e-9 * abs(low), 1e-300)
    model = HistGradientBoostingRegressor(max_iter=n_trees, max_leaf_nodes=n_leaves, early_stopping=False, random_state=random_state)
    model.fit(lesson.rows, np.log2(lesson.scores - shift))
    feature, threshold, value = (
        np.concatenate(parts) for parts in zip(*(_preorder(tree[0].nodes) for tree in model._predictors), strict=True)
    )
    step = max(float(np.abs(value).max()), 1e-12) / LARGEST
    return Forest(
        n_features=lesson.rows.shape[1],
        feature=feature,
        threshold=floored(threshold, feature),
        leaf=np.rint(-value / step).astype(np.int64),
        step=step,
        base=-float(np.ravel(model._baseline_prediction)[0]),
        mean_of=1.0,
        normal=1.0,
        shift=shift,
    )


def _preorder(nodes: Any) -> tuple[Ints, Floats, Floats]:
    """Feature (-1 at a leaf), threshold and value (0 at an inner node) of a boosted tree, its nodes in pre-order."""
    order, waiting = [], [0]
    while waiting:
        at = waiting.pop()
        order.append(at)
        if not nodes["is_leaf"][at]:
            waiting += [int(nodes["right"][at]), int(nodes["left"][at])]
    own = nodes[order]
    leaf = own["is_leaf"].astype(bool)
    feature = np.where(leaf, -1, own["feature_idx"].astype(np.int64))
    return feature, np.where(leaf, 0.0, own["num_threshold"]), np.where(leaf, own["value"], 0.0)
