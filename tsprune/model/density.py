"""Detectors that compare a row with reference points: the local outlier factor, and the plain distance to neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.density import FAR, Reference, mean_in_order, nearest, nearest_others, outlier_factor, reachability_density
from tsprune.model.part import Part, complete_rows
from tsprune.params import check_choice, check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints, Mask, Matrix

SUMMARIES = ("largest", "mean", "median")
#: Rows whose neighbours are held at a time.
CHUNK = 1 << 14


@dataclass(frozen=True)
class _Points(Part):
    """What both detectors have: reference points; one part is one point."""

    points: Matrix
    n_neighbors: int

    @property
    def n_features(self) -> int:
        """Number of columns of a row."""
        return self.points.shape[1]

    @property
    def n_out(self) -> int:
        """One score per row."""
        return 1

    @property
    def n_parts(self) -> int:
        """Number of reference points."""
        return len(self.points)

    def anomaly_score(self, X: ArrayLike) -> Floats:
        """Score complete rows; the same bits for one row as within any batch.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,)
            Higher = more anomalous.

        Raises
        ------
        BadParameter
            If the number of columns is another one.
        """
        rows = complete_rows(X, self.n_features)
        scores = np.empty(len(rows))
        for start in range(0, len(rows), CHUNK):
            block = slice(start, start + CHUNK)
            scores[block] = self._scores(*nearest(rows[block], self.reference, self.n_neighbors))
        return scores

    @cached_property
    def reference(self) -> Reference:
        """The points, ready to be searched."""
        return Reference(self.points)

    def _scores(self, distances: Matrix, indices: Ints) -> Floats:
        raise NotImplementedError

    def _kept(self, mask: Mask) -> Mask:
        if np.shape(mask) != (self.n_parts,) or not np.any(mask):
            raise BadParameter(
                f"mask has shape {np.shape(mask)} and keeps {np.sum(mask)}; it has a bool for each of {self.n_parts} points, one of them True."
            )
        return np.asarray(mask, dtype=bool)

    def check(self) -> None:
        """Raise ValueError where the parts do not agree or a score could be no number."""
        if not self.points.size or not 1 <= self.n_neighbors <= len(self.points) or np.abs(self.points).max() > FAR:
            raise ValueError(f"{self.points.shape} reference points with {self.n_neighbors} neighbours")


@dataclass(frozen=True)
class Density(_Points):
    """The local outlier factor of new rows: how much sparser it is around a row than around its neighbours.

    Equals `-score_samples` of scikit-learn's LocalOutlierFactor(novelty=True) and `decision_function` of PyOD's LOF to
    rounding, save where points tie at the distance of the k-th neighbour: there the libraries do not agree with
    themselves, and here the smaller index wins.  A row gets the same bits alone and in any batch.

    Parameters
    ----------
    points : ndarray, shape (n_parts, n_features)
        The reference set.
    n_neighbors : int
        Neighbours that a row is compared with.
    k_distance : ndarray, shape (n_parts,)
        Distance of each point to its k-th neighbour among the points that the detector learned from.
    density : ndarray, shape (n_parts,)
        Local reachability density of each point, there.
    correction : ndarray, shape (n_parts,)
        The score is multiplied by the correction of the nearest point: 1, unless the points stand for more than are left.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.density import Density
    >>> grid = np.array([[x, y] for x in range(5) for y in range(5)], dtype=float)
    >>> Density.of(grid, n_neighbors=4).anomaly_score(np.array([[2.1, 2.2], [9.0, 9.0]])).round(2)
    array([0.96, 5.54])
    """

    k_distance: Floats
    density: Floats
    correction: Floats

    @classmethod
    def of(cls, points: Matrix, n_neighbors: int) -> Density:
        """Learn from these points: at most `n_neighbors`, and all others where there are fewer.

        Raises
        ------
        BadParameter
            If there are fewer than two points.
        """
        check_count(n_points=len(points), low=2)
        k = min(check_count(n_neighbors=n_neighbors), len(points) - 1)
        return cls.from_neighbours(points, *nearest_others(Reference(points), k))

    @classmethod
    def from_neighbours(cls, points: Matrix, distances: Matrix, indices: Ints) -> Density:
        """Learn from these points, whose nearest others are known already, shape (n_parts, n_neighbors) both, from the nearest on."""
        k_distance = distances[:, -1]
        density = reachability_density(distances, indices, k_distance)
        return cls(points, distances.shape[1], k_distance, density, np.ones(len(points)))

    def keep(self, mask: Mask, n_neighbors: int | None = None) -> Self:
        """The detector with only these points, which carry the densities they had among all of them.

        Raises
        ------
        BadParameter
            If the mask keeps none, or is not one value per point.
        """
        kept = self._kept(mask)
        k = min(n_neighbors or self.n_neighbors, int(kept.sum()))
        carried = {name: getattr(self, name)[kept] for name in ("points", "k_distance", "density", "correction")}
        return replace(self, n_neighbors=k, **carried)

    def corrected(self, correction: Floats) -> Self:
        """The detector with other corrections, shape (n_parts,)."""
        return replace(self, correction=correction)

    def _scores(self, distances: Matrix, indices: Ints) -> Floats:
        return outlier_factor(distances, indices, self.k_distance, self.density) * self.correction[indices[:, 0]]

    def check(self) -> None:
        super().check()
        for name in ("k_distance", "density", "correction"):
            values = getattr(self, name)
            if values.shape != (len(self.points),) or not ((values >= 0) & (values <= FAR)).all():
                raise ValueError(f"{name} of shape {values.shape} for {len(self.points)} points, or out of range")
        if not (self.density > 0).all():
            raise ValueError("a density of zero")


@dataclass(frozen=True)
class Neighbours(_Points):
    """The distance to the nearest neighbours: PyOD's KNN, and what LOF has to beat.

    Parameters
    ----------
    points : ndarray, shape (n_parts, n_features)
        The reference set.
    n_neighbors : int
        Neighbours that a row is compared with.
    summary : {"largest", "mean", "median"}
        Of their distances.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.density import Neighbours
    >>> Neighbours(np.array([[0.0], [1.0], [3.0]]), n_neighbors=2, summary="largest").anomaly_score(np.array([[0.5], [9.0]]))
    array([0.5, 8. ])
    """

    summary: str

    def keep(self, mask: Mask) -> Self:
        """The detector with only these points; see `Density.keep`."""
        kept = self._kept(mask)
        return replace(self, points=self.points[kept], n_neighbors=min(self.n_neighbors, int(kept.sum())))

    def _scores(self, distances: Matrix, indices: Ints) -> Floats:
        k = distances.shape[1]
        if self.summary == "median":
            return (distances[:, (k - 1) // 2] + distances[:, k // 2]) / 2.0
        return mean_in_order(distances) if self.summary == "mean" else distances[:, -1]

    def check(self) -> None:
        super().check()
        check_choice(SUMMARIES, summary=self.summary)
