"""Rewrite a one-class SVM with few centres that stand for all of its support vectors.

The score of a one-class SVM is a smooth function; how many Gaussian bumps it needs depends on its shape, hardly on the
number of support vectors it was made of.  k-means places the centres; a gradient descent moves them, and their common
width, towards the teacher's decision values on rows and label-free queries; ridge regression sets their weights.  The
offset stays, so scores keep the teacher's scale and threshold.

Measured on 20 sets (mean held-out Spearman correlation; `python -m benchmarks boundary`): dropping small weights, pivoted
Cholesky centres and random support vectors are all far behind.

Source
------
Burges, Simplified support vector decision rules, ICML 1996; Schölkopf et al., Input space versus feature space in
kernel-based methods, IEEE Trans. Neural Networks 10 (1999), 1000-1017.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from tsprune.errors import BadParameter
from tsprune.kernels.agreement import spearman, top_overlap
from tsprune.model.boundary import Boundary
from tsprune.params import check_count
from tsprune.prune.queries import jittered

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Rows and queries that a reduction looks at: more changed nothing measurable.
ROWS, QUERIES = 3000, 1000
#: Ridge per row while centres move, and when the weights are set: the first keeps weights apart, the second lets them fit.
RIDGE, FINAL_RIDGE = 1e-6, 1e-8
#: Steps of a first, short descent and rows that steer it; how many of these go on, and the rows that steer them then.
#: Going on with all eight took 2.6 times as long and was no more faithful.
FIRST_STEPS, FIRST_ROWS, FINALISTS, STEERING = 12, 1000, 2, 2000
#: Steps of the second descent; fewer where there are many centres, which start near enough.
STEPS, FEWEST_STEPS, STEPS_TIMES_CENTRES = 48, 10, 2000
#: Share of rows whose ranks tell how dense scores are around a score, and the least distance between scores that counts.
NEIGHBOURHOOD, RESOLUTION = 0.1, 0.05
#: A row that makes up this share of all repeats itself; errors on such rows count so many times more in a third of the descents.
OFTEN, OFTEN_WEIGHT = 0.01, 100.0
#: Variance, relative to the mean square, below which a score counts as constant.
FLAT = 1e-8
#: Share of rows that may become alarms: a cut is to keep these too.
ALARMS = 0.05


class Reduction:
    """A one-class SVM made ready for rewriting with different numbers of centres.

    Parameters
    ----------
    boundary : Boundary
        The teacher.
    X : ndarray, shape (n_samples, n_features)
        Rows that the cut may see, such as those it was trained on; at most 3000 of them are used.
    queries : ndarray, shape (n_queries, n_features), optional
        Rows without labels on which the cut must follow the teacher too; jittered rows of X where not given.
    random_state : int or None

    Raises
    ------
    BadParameter
        If X or the queries have another number of features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from tsprune.detect.boundary import to_boundary
    >>> from tsprune.prune.reduce import Reduction
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> whole = to_boundary(OneClassSVM(nu=0.3).fit(X))
    >>> few = Reduction(whole, X, random_state=0).at(8)
    >>> whole.n_parts, few.n_parts
    (158, 8)
    >>> bool(np.corrcoef(whole.anomaly_score(X), few.anomaly_score(X))[0, 1] > 0.99)
    True
    """

    def __init__(self, boundary: Boundary, X: Matrix, *, queries: Matrix | None = None, random_state: int | None = None):
        rng = np.random.default_rng(random_state)
        for name, rows in (("X", X), ("queries", queries)):
            if rows is not None and (np.ndim(rows) != 2 or np.shape(rows)[1] != boundary.n_features):
                raise BadParameter(f"{name} has shape {np.shape(rows)}; it is (n, {boundary.n_features}), as the boundary has features.")
        some = X[np.sort(rng.permutation(len(X))[:ROWS])]
        around = jittered(some, QUERIES, rng) if queries is None else queries
        self.boundary = merged(boundary)
        self.seed = int(rng.integers(2**31))
        self.rows = np.vstack([some, around])
        self.target = boundary.offset - boundary.anomaly_score(self.rows)
        self.steering = rng.permutation(len(self.rows))

    @classmethod
    def to_scores(cls, rows: Matrix, target: Floats, gamma: float, offset: float, *, random_state: int | None = None) -> Self:
        """Made ready for following any function by few centres: `offset` minus a target, shape (n,), known on some rows, shape (n, d)."""
        rng = np.random.default_rng(random_state)
        some = np.sort(rng.permutation(len(rows))[: ROWS + QUERIES])
        self = cls.__new__(cls)
        self.boundary = Boundary(rows[some], np.ones(len(some)), gamma, offset)
        self.seed = int(rng.integers(2**31))
        self.rows, self.target = rows[some], target[some]
        self.steering = rng.permutation(len(some))
        return self

    def at(self, n_centres: int) -> Boundary:
        """The boundary with so many centres; itself, vectors that coincide merged, where it has no more of them.

        Eight descents set out: from centres of the support vectors or of the rows, by errors of the score or of its rank, at
        the teacher's width or a free one.  No single one is good everywhere (support vectors leave out the dense inside, rows
        the rare outside); the two that soon agree best with the teacher, in ranks and in the rows to alarm on, go on.  Where rows
        repeat themselves, as telemetry does, ten more set out: from the most frequent rows, or by errors on frequent ones.
        """
        check_count(n_centres=n_centres)
        if n_centres >= self.boundary.n_parts:
            return self.boundary
        with threadpool_limits(1):  # many small products: threads only get in each other's way
            return self._best(n_centres)

    def _best(self, n_centres: int) -> Boundary:
        starts, importances = self._starts(n_centres), [np.ones(len(self.rows)), rank_weights(self.target)]
        distinct, count = repeats(self.rows)
        often = np.where(count >= OFTEN * len(count), OFTEN_WEIGHT, 1.0)
        if often.max() > 1.0:
            starts.append(distinct[:n_centres])
            importances.append(often / often.mean())
        begun = [
            Try(start, self.boundary.gamma, importance, free_width)
            for start in starts
            for importance in importances
            for free_width in (False, True)
        ]
        steps = int(np.clip(STEPS_TIMES_CENTRES // n_centres, FEWEST_STEPS, STEPS))
        short = [self._descended(one, FIRST_ROWS, FIRST_STEPS) for one in begun]
        ahead = sorted(short, key=lambda one: -self._agreement(self._weighted(one)))[:FINALISTS]
        return max((self._weighted(self._descended(one, STEERING, steps)) for one in ahead), key=self._agreement)

    def _starts(self, n_centres: int) -> list[Matrix]:
        """Centres of the support vectors, each counted by the size of its weight, and centres of the rows."""
        means = KMeans(n_centres, n_init=1, max_iter=10, random_state=self.seed)
        vectors, weights = self.boundary.vectors, np.abs(self.boundary.weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct rows than centres some coincide
            return [means.fit(vectors, sample_weight=weights).cluster_centers_, means.fit(self.rows).cluster_centers_]

    def _descended(self, one: Try, n_rows: int, steps: int) -> Try:
        some = self.steering[:n_rows]
        descent = Descent(self.rows[some], self.target[some], one.importance[some], one.gamma, one.free_width)
        centres, gamma = descent.run(one.centres, steps)
        return replace(one, centres=centres, gamma=gamma)

    def _weighted(self, one: Try) -> Boundary:
        similarity = gaussians(self.rows, one.centres, one.gamma)
        weights = ridge_weights(similarity, self.target, one.importance, FINAL_RIDGE)
        return Boundary(one.centres, weights, one.gamma, self.boundary.offset)

    def _agreement(self, cut: Boundary) -> float:
        scores = self.boundary.offset - gaussians(self.rows, cut.vectors, cut.gamma) @ cut.weights
        whole = self.boundary.offset - self.target
        return spearman(whole, scores) + top_overlap(whole, scores, ALARMS)


def reduce(boundary: Boundary, X: Matrix, n_centres: int, *, queries: Matrix | None = None, random_state: int | None = None) -> Boundary:
    """Rewrite a one-class SVM with a number of centres; see `Reduction`, which saves work where several numbers are tried."""
    return Reduction(boundary, X, queries=queries, random_state=random_state).at(n_centres)


def merged(boundary: Boundary) -> Boundary:
    """The same function with one vector for all that coincide; itself where none do.  Telemetry repeats itself: 156 become 36."""
    vectors, number = np.unique(boundary.vectors, axis=0, return_inverse=True)
    if len(vectors) == boundary.n_parts:
        return boundary
    return replace(boundary, vectors=vectors, weights=np.bincount(number.ravel(), boundary.weights).astype(np.float64))


def repeats(rows: Matrix) -> tuple[Matrix, Ints]:
    """The distinct rows, the most frequent first, and how often each row occurs, shape (n_rows,).

    >>> import numpy as np
    >>> from tsprune.prune.reduce import repeats
    >>> distinct, count = repeats(np.array([[1.0], [2.0], [2.0]]))
    >>> distinct.ravel(), count
    (array([2., 1.]), array([1, 2, 2]))
    """
    distinct, number, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return distinct[np.argsort(-count, kind="stable")], count[number.ravel()]


@dataclass(frozen=True)
class Try:
    """Where a descent stands, and what it goes by."""

    centres: Matrix
    gamma: float
    importance: Floats  #: (n_rows,) how much each row's error counts
    free_width: bool


@dataclass(frozen=True)
class Descent:
    """Centres moved such that a ridge regression on their bumps comes nearest to the target (variable projection)."""

    rows: Matrix
    target: Floats
    importance: Floats
    gamma: float
    free_width: bool

    def run(self, centres: Matrix, steps: int) -> tuple[Matrix, float]:
        """The centres where the descent ends after at most so many steps, and gamma."""
        start = np.append(centres.ravel(), 0.0)
        found = minimize(self._loss, start, args=(centres.shape,), jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
        return found[:-1].reshape(centres.shape), self.gamma * float(np.exp(found[-1]))

    def _loss(self, place: Floats, shape: tuple[int, int]) -> tuple[float, Floats]:
        """Weighted squared error plus ridge, relative to the target's variance, and its gradient."""
        centres, gamma = place[:-1].reshape(shape), self.gamma * np.exp(place[-1])
        similarity = gaussians(self.rows, centres, gamma)
        weights = ridge_weights(similarity, self.target, self.importance, RIDGE)
        error = similarity @ weights - self.target
        weighted = self.importance * error
        scale = np.sum((self.target - self.target.mean()) ** 2) + FLAT * (self.target @ self.target) + np.finfo(float).tiny
        loss = weighted @ error + RIDGE * len(error) * (weights @ weights)
        pull = similarity * np.outer(weighted, weights)
        by_centre = 4.0 * gamma * (pull.T @ self.rows - pull.sum(axis=0)[:, None] * centres)
        by_width = 2.0 * np.sum(pull * np.log(np.maximum(similarity, 1e-300))) if self.free_width else 0.0
        return loss / scale, np.append(by_centre.ravel(), by_width) / scale


def gaussians(rows: Matrix, centres: Matrix, gamma: float) -> Matrix:
    """Similarity of rows and centres by one matrix product, shape (n_rows, n_centres): fast, and precise enough to learn from."""
    exponents = 2.0 * rows @ centres.T
    exponents -= np.einsum("ij,ij->i", rows, rows)[:, None]
    exponents -= np.einsum("ij,ij->i", centres, centres)
    return np.exp(np.minimum(exponents, 0.0) * gamma)


def ridge_weights(similarity: Matrix, target: Floats, importance: Floats, ridge: float) -> Floats:
    """Weights of the columns whose sum comes nearest to the target, rows counted by their importance."""
    weighted = similarity.T * importance
    normal = weighted @ similarity
    normal[np.diag_indices_from(normal)] += ridge * len(target)
    return cho_solve(cho_factor(normal, check_finite=False), weighted @ target, check_finite=False)


def rank_weights(target: Floats) -> Floats:
    """How much a row's error counts if ranks are to be kept: much where scores lie close together, mean 1.

    An error shifts a row by as many ranks as there are scores within it.
    """
    n, spread = len(target), np.std(target)
    if spread == 0.0:
        return np.ones(n)
    order = np.argsort(target, kind="stable")
    scores = target[order] / spread
    reach = max(1, round(NEIGHBOURHOOD * n / 2))
    first, last = np.maximum(np.arange(n) - reach, 0), np.minimum(np.arange(n) + reach, n - 1)
    width = (scores[last] - scores[first]) * (2 * reach) / (last - first)
    weights = np.empty(n)
    weights[order] = 1.0 / (width**2 + RESOLUTION**2)
    return weights / weights.mean()
