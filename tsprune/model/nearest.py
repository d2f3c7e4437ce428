"""The distance to the k-th nearest of some training rows, which are kept in two bytes a number.

The detector standardises its columns itself and clips them, so that every number lies on a grid of 65,535 steps: a step is
0.0006 standard deviations, and a file takes a quarter of what double precision takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.density import Reference, nearest
from tsprune.model.part import Part, complete_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Codes, Floats, Mask, Matrix

#: Standard deviations from the mean beyond which nothing is farther.
CLIP = 20.0
#: Distance of two neighbouring codes, in standard deviations.
STEP = CLIP / 32767
#: Rows whose neighbours are held at a time.
CHUNK = 1 << 14


@dataclass(frozen=True)
class Nearest(Part):
    """Distance to the k-th nearest reference point; one part is one point.

    Parameters
    ----------
    centre, scale : ndarray, shape (n_features,)
        Subtracted from a row, and divides it then; what is beyond 20 is 20.
    codes : ndarray of int16, shape (n_parts, n_features)
        The reference points so standardised, in steps of 20 / 32767.
    n_neighbors : int

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.nearest import Nearest
    >>> part = Nearest.of(np.array([[0.0], [1.0], [3.0]]), np.zeros(1), np.ones(1), n_neighbors=2)
    >>> part.anomaly_score(np.array([[0.5], [9.0]])).round(2)
    array([0.5, 8. ])
    """

    centre: Floats
    scale: Floats
    codes: Codes
    n_neighbors: int

    @classmethod
    def of(cls, points: Matrix, centre: Floats, scale: Floats, n_neighbors: int) -> Nearest:
        """The detector of these points, shape (n_parts, n_features), in the unit of the rows."""
        codes = np.rint(_standard(points, centre, scale) / STEP).astype(np.int16)
        return cls(centre, scale, codes, n_neighbors)

    @property
    def n_features(self) -> int:
        """Number of columns of a row."""
        return self.codes.shape[1]

    @property
    def n_out(self) -> int:
        """One score per row."""
        return 1

    @property
    def n_parts(self) -> int:
        """Number of reference points."""
        return len(self.codes)

    @cached_property
    def reference(self) -> Reference:
        """The points, standardised, ready to be searched."""
        return Reference(self.codes.astype(np.float64) * STEP)

    def anomaly_score(self, X: ArrayLike) -> Floats:
        """Score complete rows, shape (n_samples, n_features); the same bits for one row as within any batch."""
        rows = complete_rows(X, self.n_features)
        scores = np.empty(len(rows))
        for start in range(0, len(rows), CHUNK):
            block = slice(start, start + CHUNK)
            distances, _ = nearest(_standard(rows[block], self.centre, self.scale), self.reference, self.n_neighbors)
            scores[block] = distances[:, -1]
        return scores

    def keep(self, mask: Mask) -> Self:
        """The detector with only these points."""
        if np.shape(mask) != (self.n_parts,) or not np.any(mask):
            raise BadParameter(f"mask has shape {np.shape(mask)}; it has a bool for each of {self.n_parts} points, one of them True.")
        return replace(self, codes=self.codes[mask], n_neighbors=min(self.n_neighbors, int(np.sum(mask))))

    def check(self) -> None:
        """Raise ValueError where the parts do not agree."""
        if not self.codes.size or not 1 <= self.n_neighbors <= len(self.codes):
            raise ValueError(f"{self.codes.shape} reference points with {self.n_neighbors} neighbours")
        if not len(self.centre) == len(self.scale) == self.n_features or not self.scale.min() > 0.0:
            raise ValueError("the centre and scale of the columns do not agree")


def _standard(rows: Matrix, centre: Floats, scale: Floats) -> Matrix:
    return np.clip((rows - centre) / scale, -CLIP, CLIP)
