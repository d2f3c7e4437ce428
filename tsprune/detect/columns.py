"""A detector of several columns that looks at each alone: a fault in one is not drowned by the noise of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tsprune.detect.standard import OwnDetector, rows_of
from tsprune.detect.subspace import SubspaceDistance
from tsprune.errors import BadParameter
from tsprune.model.blend import Blend, Tail
from tsprune.model.columns import Columns
from tsprune.params import check_count
from tsprune.series.split import held_back

if TYPE_CHECKING:
    from tsprune.model.part import Part


class EachColumn(OwnDetector):
    """The mean, over columns, of how unlikely the features of each are: Mahalanobis's distance, calibrated to a tail probability.

    Parameters
    ----------
    width : int
        Features of one column; they stand side by side, column after column, as `Windows` gives them.

    Attributes
    ----------
    part_ : Blend
        One member per column.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect.columns import EachColumn
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> EachColumn(2).fit(X).anomaly_score(np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0]])).round(1)
    array([ 0. , 11.9])
    """

    def __init__(self, width: int = 1):
        self.width = width

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from complete rows X, shape (n, d), in time order."""
        rows = rows_of(X)
        width = check_count(width=self.width)
        if rows.shape[1] % width:
            raise BadParameter(f"width is {width}, and X has {rows.shape[1]} columns; give the number of features that each column has.")
        cut = held_back(len(rows))
        early, late = (rows[:cut] if cut else rows), rows[cut:]
        chains: list[tuple[tuple[Part, ...], Any, Tail, float]] = []
        for first in range(0, rows.shape[1], width):
            own = slice(first, first + width)
            tail = Tail.of(SubspaceDistance().fit(early[:, own]).part_.anomaly_score(late[:, own]))
            select = Columns(rows.shape[1], tuple(range(first, first + width)))
            chains.append(((select,), SubspaceDistance().fit(rows[:, own]).part_, tail, 1.0))
        self.n_features_in_ = rows.shape[1]
        self.part_ = Blend.of(rows.shape[1], chains)
        return self
