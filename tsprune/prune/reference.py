"""Fewer and better reference points for LOF.

*Clean*: points far from their 100th neighbour go, then the factor is learned anew.  Never by LOF's own small
neighbourhood: anomalies that come in clusters are dense there, and are what makes a contaminated LOF blind.
*Condense*: a cover that keeps the density's shape, whose points carry the densities they had among all.
*Cascade*: a condensed filter, and the exact factor where it is suspicious.

Measured on contaminated and clean sets by `python -m benchmarks density`.  A condensed LOF follows the whole one less well
than a pruned forest or one-class SVM does: most rows have a factor near 1, and their order is noise, so what counts is
whether the top rows stay the top rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.density import Reference, nearest, nearest_others, outlier_factor
from tsprune.model.cascade import Cascade
from tsprune.params import check_choice, check_count, check_share
from tsprune.prune.queries import jittered

if TYPE_CHECKING:
    from tsprune.model.density import Density
    from tsprune.types import Floats, Ints, Mask, Matrix

#: Neighbour whose distance says whether a point is far from the rest, and the most of the points that may be that far.
NEIGHBOUR, CAP = 100, 0.2
#: Share of the points that this neighbour is at the most: in a small set it is nearer.
NEAR = 0.2
#: Times the MAD of normal samples, this is their standard deviation: 1 / Phi^-1(3/4).
MAD_TO_SIGMA = 1.4826
#: Spreads above the median from which a point is far.
SPREADS = 3.0
#: Neighbours of a point that the cover may drop for it; rounds of bisection towards the number of points asked for.
REACH, ROUNDS = 100, 14
#: Jittered rows, besides the points that went, that corrections are learned from; a correction of few rows counts as so many fewer.
QUERIES, SHRINKAGE = 1000, 8
#: Filters that a cascade is tried with, the cheapest first: share of the points, and neighbours.
FILTERS = ((0.03, 5), (0.05, 8))
#: Share of the rows that are suspicious to it, and of those whose alarms it is to keep.
SUSPICIOUS, KEPT = 0.1, 0.01


def clean(points: Matrix, *, k: int = NEIGHBOUR, rule: float | Literal["mad"] = "mad", cap: float = CAP) -> Mask:
    """Which points stay in the reference set: those not far from their k-th neighbour.

    Parameters
    ----------
    points : ndarray, shape (n_points, n_features)
        Training rows, anomalies among them.
    k : int
        The neighbour; a fifth of the points where there are fewer than 5 k.
    rule : "mad" or float
        "mad": a point is far if the logarithm of its distance is above the median by three spreads (1.4826 times the median
        absolute deviation).  A number: this share of the points, the farthest ones, goes.
    cap : float
        Largest share that the rule "mad" may remove; the farthest ones then.

    Returns
    -------
    ndarray of bool, shape (n_points,)

    Raises
    ------
    BadParameter
        If the rule is neither "mad" nor a share below 1, or there are fewer than two points.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune.reference import clean
    >>> rng = np.random.default_rng(0)
    >>> points = np.vstack([rng.normal(size=(500, 2)), rng.normal(size=(20, 2)) * 0.1 + 12])
    >>> stays = clean(points)
    >>> int(stays[:500].sum()), int(stays[500:].sum())
    (493, 0)
    """
    check_count(n_points=len(points), low=2)
    k = _neighbour(len(points), check_count(k=k))
    return _stays(nearest_others(Reference(points), k)[0][:, -1], rule, cap)


def cleaned(density: Density, *, k: int = NEIGHBOUR, rule: float | Literal["mad"] = "mad", cap: float = CAP) -> Density:
    """The detector learned anew from the points that stay; see `clean`.  One search of neighbours does for both.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.density import Density
    >>> from tsprune.prune.reference import cleaned
    >>> rng = np.random.default_rng(0)
    >>> points = np.vstack([rng.normal(size=(500, 2)), rng.normal(size=(20, 2)) * 0.1 + 12])
    >>> cleaned(Density.of(points, n_neighbors=10)).n_parts
    493
    """
    n, own = density.n_parts, density.n_neighbors
    k = _neighbour(n, check_count(k=k))
    distances, indices = nearest_others(density.reference, min(max(k, 2 * own), n - 1))
    stays = _stays(distances[:, k - 1], rule, cap)
    if stays.all():
        return density
    points, near = density.points[stays], stays[indices[stays]]
    if near.sum(axis=1).min() < own:
        return type(density).of(points, own)
    first = np.argsort(~near, axis=1, kind="stable")[:, :own]
    number = np.cumsum(stays) - 1
    return type(density).from_neighbours(
        points, np.take_along_axis(distances[stays], first, axis=1), number[np.take_along_axis(indices[stays], first, axis=1)]
    )


def _neighbour(n_points: int, k: int) -> int:
    return min(k, max(1, int(NEAR * n_points)))


def _stays(distance: Floats, rule: float | Literal["mad"], cap: float) -> Mask:
    """Which points stay, from the distance of each to its neighbour."""
    n = len(distance)
    check_share(cap=cap, way_out="To remove a fifth at the most, give 0.2.")
    if isinstance(rule, str):
        check_choice(("mad",), rule=rule)
        n_far = min(int(_is_far(distance).sum()), int(cap * n))
    else:
        n_far = min(round(check_share(rule=rule, way_out="To remove a tenth, give 0.1, or 'mad'.") * n), n - 1)
    stays = np.ones(n, dtype=bool)
    stays[np.argsort(-distance, kind="stable")[:n_far]] = False
    return stays


def _is_far(distance: Floats) -> Mask:
    """Beyond median + 3 MAD on a logarithmic scale; where most distances are one and the same, nothing is."""
    positive = distance[distance > 0]
    if not len(positive):
        return np.zeros(len(distance), dtype=bool)
    logarithm = np.log(np.maximum(distance, positive.min()))
    middle = np.median(logarithm)
    spread = MAD_TO_SIGMA * np.median(np.abs(logarithm - middle))
    return (logarithm > middle + SPREADS * spread) & (spread > 0)


class Condensation:
    """A LOF made ready for keeping different numbers of its reference points.

    Parameters
    ----------
    density : Density
        The whole detector.
    queries : ndarray, shape (n_queries, n_features), optional
        Rows without labels from which corrections are learned, besides the points that go; jittered points where not given.
    random_state : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.agreement import top_overlap
    >>> from tsprune.model.density import Density
    >>> from tsprune.prune.reference import Condensation
    >>> rng = np.random.default_rng(0)
    >>> whole = Density.of(rng.normal(size=(1000, 3)), n_neighbors=20)
    >>> few = Condensation(whole, random_state=0).at(200)
    >>> X = rng.normal(size=(500, 3))
    >>> few.n_parts, top_overlap(whole.anomaly_score(X), few.anomaly_score(X), share=0.05) > 0.6
    (200, True)
    """

    def __init__(self, density: Density, *, queries: Matrix | None = None, random_state: int | None = None):
        if queries is not None and (np.ndim(queries) != 2 or np.shape(queries)[1] != density.n_features):
            raise BadParameter(
                f"queries has shape {np.shape(queries)}; it is (n, {density.n_features}), as the reference points have features."
            )
        rng = np.random.default_rng(random_state)
        self.density = density
        self.queries = jittered(density.points, QUERIES, rng) if queries is None else queries
        self.wanted = density.anomaly_score(self.queries)
        self.order = rng.permutation(density.n_parts)
        reach = min(max(REACH, density.n_neighbors), density.n_parts - 1)
        self.distances, self.indices = nearest_others(density.reference, reach)
        k = density.n_neighbors
        self.factors = outlier_factor(self.distances[:, :k], self.indices[:, :k], density.k_distance, density.density)

    def at(self, n_points: int) -> Density:
        """The detector with so many points, which carry their densities and one learned correction each; itself where it has no more.

        With r times fewer points it looks at neighbours sqrt(r) times fewer: all of them would lie too far away, r times
        fewer would be too few to average.
        """
        check_count(n_points=n_points)
        whole = self.density
        if n_points >= whole.n_parts:
            return whole
        kept = self.cover(n_points)
        few = whole.keep(kept, max(1, round(whole.n_neighbors * np.sqrt(n_points / whole.n_parts))))
        rows, wanted = np.vstack([whole.points[~kept], self.queries]), np.concatenate([self.factors[~kept], self.wanted])
        off = np.log(wanted) - np.log(few.anomaly_score(rows))
        nearest_kept = nearest(rows, few.reference, 1)[1][:, 0]
        mean_off = np.bincount(nearest_kept, off, few.n_parts) / (np.bincount(nearest_kept, minlength=few.n_parts) + SHRINKAGE)
        return few.corrected(np.exp(mean_off))

    def cover(self, n_points: int) -> Mask:
        """So many points, of which none lies within a common multiple of its distance to the k-th neighbour from another one."""
        low, high = 0.0, 1.0
        while len(self._covered(high, n_points)) > n_points and high < 1e6:
            high *= 4.0
        for _ in range(ROUNDS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if len(self._covered(middle, n_points)) > n_points else (low, middle)
        kept = np.zeros(self.density.n_parts, dtype=bool)
        kept[self._covered(high, n_points)[:n_points]] = True
        kept[self.order[~kept[self.order]][: n_points - int(kept.sum())]] = True
        return kept

    def _covered(self, multiple: float, enough: int) -> Ints:
        """Points in random order, each unless one before it lies within the multiple; one more than enough at the most."""
        size = self.density.k_distance
        free = np.ones(len(size), dtype=bool)
        kept: list[int] = []
        for i in self.order:
            if free[i]:
                kept.append(i)
                around = self.indices[i]
                free[around[self.distances[i] <= multiple * np.minimum(size[i], size[around])]] = False
                if len(kept) > enough:
                    break
        return np.array(kept)


def condense(density: Density, n_points: int, *, queries: Matrix | None = None, random_state: int | None = None) -> Density:
    """Keep a number of reference points; see `Condensation`, which saves work where several numbers are tried."""
    return Condensation(density, queries=queries, random_state=random_state).at(n_points)


def cascade(density: Density, *, share: float = SUSPICIOUS, random_state: int | None = None) -> Cascade:
    """A few of the points, 3 or 5 %, as a filter before the exact factor: whichever keeps more of the training rows' top 1 %.

    Parameters
    ----------
    density : Density
        The whole detector.
    share : float
        Of the rows that the filter lets through, as the training rows have it.
    random_state : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.density import Density
    >>> from tsprune.prune.reference import cascade
    >>> rng = np.random.default_rng(0)
    >>> whole = Density.of(rng.normal(size=(2000, 3)), n_neighbors=20)
    >>> quick = cascade(whole, random_state=0)
    >>> X = rng.normal(size=(1000, 3))
    >>> alarms = whole.anomaly_score(X) > 2
    >>> bool((quick.anomaly_score(X)[alarms] == whole.anomaly_score(X)[alarms]).all()), quick.work(X) < 0.2
    (True, True)
    """
    check_share(share=share)
    path = Condensation(density, random_state=random_state)
    tried = [_filtered(path, points, neighbours, share) for points, neighbours in FILTERS]
    return max(tried, key=lambda one: one[0])[1]  # of equally good ones the cheapest


def _filtered(path: Condensation, points: float, n_neighbors: int, share: float) -> tuple[float, Cascade]:
    """A cascade, and the share of the top rows among the training rows outside its filter that are suspicious to it."""
    density = path.density
    kept = path.cover(max(1, round(points * density.n_parts)))
    chosen = np.flatnonzero(kept)
    n_neighbors = min(n_neighbors, len(chosen))
    rest = ~kept if not kept.all() else kept
    coarse, factors = density.keep(kept, n_neighbors).anomaly_score(density.points[rest]), path.factors[rest]
    level, ceiling = (float(np.quantile(scores, 1.0 - share)) for scores in (coarse, factors))
    found = float((coarse[factors >= np.quantile(factors, 1.0 - KEPT)] > level).mean())
    return found, Cascade(density, chosen, n_neighbors, level, ceiling)
