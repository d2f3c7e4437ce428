"""WithoutSwitches: columns that are no measurements stand aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.columns import Columns
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from tsprune.series.table import Table

#: Different values of a column up to which it is constant, or a command that is on or off.
FEW = 2


class WithoutSwitches(Stage):
    """Drop columns that are constant or have two values only, unless there are no others.

    A command that was never given in the history is infinitely far from it when it is given, and drowns what is measured.

    Attributes
    ----------
    part_ : Columns
    dropped_ : tuple of str

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.features.switches import WithoutSwitches
    >>> x = np.arange(20.0)
    >>> WithoutSwitches().fit(np.column_stack([x % 2, x, np.ones(20)])).dropped_
    ('x0', 'x2')
    """

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        part = self.part_
        assert isinstance(part, Columns)
        return tuple(columns[k] for k in part.kept)

    def facts(self) -> dict[str, float]:
        """Columns before and after."""
        return {"before": float(self.part_.n_features), "after": float(self.part_.n_out)}

    def _learn(self, table: Table) -> Columns:
        values = table.values
        distinct = [len(np.unique(column[~np.isnan(column)])) for column in values.T]
        kept = tuple(k for k, count in enumerate(distinct) if count > FEW) or tuple(range(len(distinct)))
        self.dropped_ = tuple(name for k, name in enumerate(table.columns) if k not in kept)
        return Columns(len(distinct), kept)
