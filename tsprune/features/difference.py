"""Difference: what each row adds to the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsprune.features.windows import SHORTEST, gaps_of, usual_gap
from tsprune.model.difference import Difference as Part
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from tsprune.series.table import Table


class Difference(Stage):
    """Replace each column by its first difference.

    A level disappears and a jump becomes a spike: worth a vote in a blend, and never the only view (measured: -.034
    VUS-PR alone).  Where the history misses values, the last one before counts, as far back as is usual there.

    Attributes
    ----------
    part_ : Difference

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.features import Difference
    >>> Difference().fit_transform(np.array([[1.0], [4.0], [2.0]]))[:, 0]
    array([nan,  3., -2.])
    """

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{column}__difference" for column in columns)

    def _learn(self, table: Table) -> Part:
        return Part(table.values.shape[1], max(SHORTEST, usual_gap(gaps_of(table))) + 1)
