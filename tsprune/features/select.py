"""Which columns a detector need not see: constant ones, copies, and ones that nothing else explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tsprune.errors import BadParameter, BadSeries
from tsprune.model.columns import Columns
from tsprune.params import check_choice, check_share
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from tsprune.series.table import Table
    from tsprune.types import Floats, Mask

#: Columns whose correlation is above this are copies of each other.
COPY = 1.0 - 1e-9

#: Below this out-of-sample R2 from the other columns a column is unrelated to them.
UNRELATED = 0.1

#: "unrelated" is a statement about a crowd: with fewer other columns it is none.
CROWD = 4


class SelectFeatures(Stage):
    """Drop columns that carry nothing, or nothing new.

    Constant columns and exact copies always go.  A column that the others do not explain (out-of-sample R2 of at most
    0.1) is noise in a redundant set of window statistics, but may be the one independent sensor of a
    machine: it is named in `unrelated_`, and dropped only with `criterion="unrelated"`.

    Parameters
    ----------
    keep : float or "auto"
        "auto" keeps all that the criterion does not drop; a share keeps that share of the remaining columns, the best
        explained ones first.
    criterion : "redundant" or "unrelated"
        "redundant" drops constant columns and copies; "unrelated" also drops what nothing else explains.

    Attributes
    ----------
    part_ : Columns
    dropped_ : dict of str to str
        Name of each dropped column, and why.
    unrelated_ : tuple of str
        Columns flagged as unrelated, dropped or not.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.features import SelectFeatures
    >>> x = np.arange(20.0)
    >>> SelectFeatures().fit(np.column_stack([x, np.ones(20), 2 * x + 1])).dropped_
    {'x1': 'constant', 'x2': 'copy of x0'}
    """

    def __init__(self, keep: float | Literal["auto"] = "auto", criterion: Literal["redundant", "unrelated"] = "redundant"):
        self.keep = keep
        self.criterion = criterion

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        part = self.part_
        assert isinstance(part, Columns)
        return tuple(columns[k] for k in part.kept)

    def facts(self) -> dict[str, float]:
        """Columns before and after, and how many are flagged as unrelated."""
        return {"before": float(self.part_.n_features), "after": float(self.part_.n_out), "unrelated": float(len(self.unrelated_))}

    def _learn(self, table: Table) -> Columns:
        check_choice(("redundant", "unrelated"), criterion=self.criterion)
        if self.keep != "auto":
            check_share(keep=self.keep)
        values, columns = table.values, table.columns
        complete = values[~np.isnan(values).any(axis=1)]
        if len(complete) == 0:
            raise BadSeries("SelectFeatures finds no row without a missing value. Fill the gaps, or leave the empty columns out.")
        self.dropped_ = {columns[j]: reason for j, reason in _redundant(complete, columns).items()}
        kept = np.array([name not in self.dropped_ for name in columns])
        if not kept.any():
            return self._keep_one(table)
        explained = _explained(complete[:, kept])
        crowd = kept.sum() > CROWD
        flagged = np.flatnonzero(kept)[explained <= UNRELATED] if crowd else np.empty(0, int)
        self.unrelated_ = tuple(columns[j] for j in flagged)
        if self.criterion == "unrelated" and len(flagged) < kept.sum():
            kept[flagged] = False
            self.dropped_ |= dict.fromkeys(self.unrelated_, "unrelated to the others")
            explained = explained[explained > UNRELATED] if crowd else explained
        self._keep_share(kept, explained, columns)
        return Columns(len(columns), tuple(int(j) for j in np.flatnonzero(kept)))

    def _keep_one(self, table: Table) -> Columns:
        """All columns are constant: a detector still needs one to see a change."""
        self.unrelated_ = ()
        self.dropped_.pop(table.columns[0])
        return Columns(len(table.columns), (0,))

    def _keep_share(self, kept: Mask, explained: Floats, columns: tuple[str, ...]) -> None:
        if self.keep == "auto":
            return
        here = np.flatnonzero(kept)
        order = np.argsort(-explained, kind="stable")[max(1, round(self.keep * len(here))) :]
        for j in here[order]:
            kept[j] = False
            self.dropped_[columns[j]] = f"beyond the share {self.keep:g}"


def _redundant(values: Floats, columns: tuple[str, ...]) -> dict[int, str]:
    """Constant columns and copies of earlier ones, with the reason."""
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise BadParameter(f"the column name {twice!r} stands twice; give each column its own name.")
    reasons = {int(j): "constant" for j in np.flatnonzero(values.max(axis=0) == values.min(axis=0))}
    left = [j for j in range(values.shape[1]) if j not in reasons]
    if len(left) < 2 or len(values) < 3:
        return reasons
    centred = values[:, left] - values[:, left].mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(norms > 0.0, norms, 1.0)
    correlation = np.abs(unit.T @ unit)
    for b in range(1, len(left)):
        earlier = [a for a in range(b) if left[a] not in reasons and correlation[a, b] > COPY]
        if earlier:
            reasons[left[b]] = f"copy of {columns[left[earlier[0]]]}"
    return reasons


def _explained(values: Floats) -> Floats:
    """Out-of-sample R2 of each column from the others, the best of three.

    Each third of the rows judges what the other two have learned.  A relation that one change of regime has broken still counts; noise
    is explained in no third.
    """
    n, d = values.shape
    if d < 2 or n < 9:
        return np.ones(d)
    thirds = np.array_split(np.arange(n), 3)
    return np.max([_r_squared(np.delete(values, third, axis=0), values[third]) for third in thirds], axis=0)


def _r_squared(train: Floats, test: Floats, ridge: float = 1e-3) -> Floats:
    """R2 of each column of other rows, by ridge regression on the other columns."""
    middle, spread = train.mean(axis=0), train.std(axis=0)
    scale = np.where(spread > 0.0, spread, 1.0)
    train, test = (train - middle) / scale, (test - middle) / scale
    inverse = np.linalg.inv(train.T @ train / len(train) + ridge * np.eye(train.shape[1]))
    weights = -inverse / np.diag(inverse)[:, None]  # row j: regression of column j on the others
    np.fill_diagonal(weights, 0.0)
    error = ((test - test @ weights.T) ** 2).sum(axis=0)
    total = ((test - test.mean(axis=0)) ** 2).sum(axis=0)
    return 1.0 - error / np.where(total > 0.0, total, 1.0)
