"""A stage learns one part of a model from a series and applies it to every row alike.

`fit` leaves `part_` behind; `transform` calls its `apply`, and so does the saved model: the notebook, the
batch script and the scheduled job run the same lines.  Subclasses write `_learn`, and `_names` where they
change the columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tsprune.errors import BadParameter, BadSeries
from tsprune.series.table import Table, read_table

if TYPE_CHECKING:
    from tsprune.model.part import Part
    from tsprune.types import Floats


class Stage(TransformerMixin, BaseEstimator):
    """Base of the signal and feature stages: rows in, the same rows out."""

    #: Once fitted, transform(x)[t] needs the last `lookback_` slots up to t and nothing later.
    causal: ClassVar[bool] = True
    #: One output per column, and transform(x) + removed(x) == x.
    additive: ClassVar[bool] = False

    part_: Part

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a series: Series, DataFrame or array of shape (n, d); rows in time order.

        Raises
        ------
        BadParameter, BadSeries
            If an argument is out of its range, or the series is of no use for this stage.
        """
        table = read_table(X, flat=False)
        self.learn(table)
        self.n_features_in_ = table.values.shape[1]
        if isinstance(X, pd.DataFrame) and all(isinstance(column, str) for column in X.columns):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def learn(self, table: Table) -> Self:
        """Learn from a table that is read already; what a pipeline calls between its stages."""
        self.columns_in_ = table.columns
        self.clock_ = table.clock
        self.part_ = self._learn(table)
        self.lookback_ = self.part_.lookback
        self.lookback_time_ = lookback_time(table.clock, self.lookback_)
        return self

    def transform(self, X: Any) -> Any:
        """Apply the learned part: the same kind of object, on the same index."""
        table = self._read(X)
        return table.like(self.part_.apply(table.values, table.slots), self.names(table.columns))

    def through(self, table: Table) -> Table:
        """The rows of a table behind this stage."""
        return table.with_values(self.part_.apply(table.values, table.slots), self.names(table.columns))

    def taught(self, table: Table) -> Table:
        """What the next step learns from where this stage has learned from `table`; rows that would mislead it are missing."""
        return self.through(table)

    def removed(self, X: Any) -> Any:
        """What an additive stage takes away: `X - transform(X)`.

        Raises
        ------
        BadParameter
            If the stage is not additive.
        """
        if not self.additive:
            raise BadParameter(f"{type(self).__name__} is not additive: it has no part that was removed.")
        table = self._read(X)
        return table.like(table.values - self.part_.apply(table.values, table.slots), table.columns)

    def energy_kept(self, clean: Table, changed: Table) -> float:
        """Of what was written into the rows, the share of the energy that comes out: 1 = all of it, 0 = none.

        NaN for a stage whose columns are not in the unit of those that go in.
        """
        if not self.additive:
            return float("nan")
        return kept_share(clean, changed, *(self.part_.apply(table.values, table.slots) for table in (clean, changed)))

    def facts(self) -> dict[str, float]:
        """Numbers that only this stage knows."""
        return {}

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that come out when these go in."""
        return columns

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The columns that come out, as scikit-learn asks for them."""
        check_is_fitted(self, "part_")
        known = getattr(self, "feature_names_in_", None)
        if input_features is None:
            input_features = self.columns_in_ if known is None else known
        elif known is not None and list(input_features) != list(known):
            raise ValueError("input_features is not equal to feature_names_in_")
        elif len(input_features) != len(self.columns_in_):
            raise ValueError("input_features should have length equal to number of features")
        return np.asarray(self.names(tuple(str(name) for name in input_features)), dtype=object)

    def _learn(self, table: Table) -> Part:
        raise NotImplementedError

    def _read(self, X: Any) -> Table:
        check_is_fitted(self, "part_")
        table = read_table(X, clock=self.clock_, flat=False)
        if table.values.shape[1] != len(self.columns_in_):
            raise BadSeries(
                f"X has {table.values.shape[1]} features, but {type(self).__name__} is expecting {len(self.columns_in_)} features as input"
            )
        known = getattr(self, "feature_names_in_", None)
        if known is not None and isinstance(X, pd.DataFrame) and list(X.columns) != list(known):
            raise BadSeries(
                f"the columns are {list(X.columns)!r}, and {type(self).__name__} learned on {list(known)!r}. Give them in that order: X[names]."
            )
        if table.time is None and self.clock_.kind != "index" and self.part_.uses_clock:
            raise BadParameter(
                f"{type(self).__name__} learned on timestamps and needs those of the new rows: give a Series or DataFrame with its index."
            )
        return table

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def kept_share(clean: Table, changed: Table, clean_out: Floats, changed_out: Floats) -> float:
    """Energy of a difference behind a stage, as a share of what it was before; NaN where there was none."""
    went_in = np.nansum((changed.values - clean.values) ** 2, axis=0)
    came_out = np.nansum((changed_out - clean_out) ** 2, axis=0)
    hit = went_in > 0.0
    return float(np.mean(came_out[hit] / went_in[hit])) if hit.any() else float("nan")


def lookback_time(clock: Any, slots: int) -> Any:
    """So many slots as a time: a Timedelta for timestamps, a number for an integer index."""
    span = clock.duration(slots)
    return span if clock.kind == "index" else pd.Timedelta(span, unit="ns")
