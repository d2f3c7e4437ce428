"""One table for everything that comes in: rows in time order, columns of floats, a clock.

Series, DataFrame or ndarray goes in; `Table.like` gives the same kind back, on the same index.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter, BadSeries
from tsprune.series.clock import learn_clock, times

if TYPE_CHECKING:
    from tsprune.model.clock import Clock, Slots
    from tsprune.types import Floats, Ints


@dataclass(frozen=True)
class Cycle:
    """How long a cycle of a season is, in rows, and whether it is one of the calendar or was only found."""

    samples: float
    calendar: bool


@dataclass(frozen=True)
class Table:
    """Values (n, d) with column names, the index they came with, and the clock that gives each row its slot."""

    values: Floats
    columns: tuple[str, ...]
    clock: Clock
    time: Ints | None  # nanoseconds, or index values; None counts rows
    source: Any  # the Series or DataFrame that came in; of an array its number of axes
    cycle: Cycle | None = None  # of the season that an earlier stage has taken away; of several columns the longest

    @cached_property
    def slots(self) -> Slots:
        """The slots of the rows."""
        return self.clock.slots(self.time, len(self.values))

    def __len__(self) -> int:
        return len(self.values)

    def with_values(self, values: Floats, columns: tuple[str, ...]) -> Table:
        """The same rows with other columns."""
        return replace(self, values=values, columns=columns)

    def like(self, values: Floats, columns: tuple[str, ...]) -> Any:
        """Values (n, d) as the kind of object that came in: a single column of a Series stays a Series."""
        if isinstance(self.source, pd.DataFrame):
            return pd.DataFrame(values, index=self.source.index, columns=list(columns))
        if isinstance(self.source, pd.Series):
            if values.shape[1] == 1:
                return pd.Series(values[:, 0], index=self.source.index, name=self.source.name)
            return pd.DataFrame(values, index=self.source.index, columns=list(columns))
        return values[:, 0] if self.source == 1 and values.shape[1] == 1 else values

    def scores(self, values: Floats, name: str = "score") -> pd.Series | Floats:
        """One value per row: a Series on the same index for pandas input, else an array."""
        if isinstance(self.source, pd.DataFrame | pd.Series):
            return pd.Series(values, index=self.source.index, name=name)
        return values


def read_table(data: Any, *, clock: Clock | None = None, name: str = "X", flat: bool = True) -> Table:
    """Read a Series, DataFrame or array-like as a table of floats.

    Missing values (NaN, NA, None) stay missing: a row without a value gets no score.  An array of one axis is one column, but
    not where `flat` is False, by scikit-learn's custom for estimators.

    Raises
    ------
    BadSeries
        If a column is not numeric or holds an infinite value, if there is no row or column, or if the index is
        neither of timestamps nor of whole numbers, or goes back in time.
    """
    if isinstance(data, pd.Series):
        columns: tuple[str, ...] = (str(data.name) if data.name is not None else "value",)
        values = _floats(data, columns[0])[:, None]
    elif isinstance(data, pd.DataFrame):
        columns = tuple(str(column) for column in data.columns)
        parts = [_floats(data.iloc[:, i], columns[i]) for i in range(data.shape[1])]
        values = np.column_stack(parts) if parts else np.empty((len(data), 0))
    else:
        values, axes = _array(data, name, flat)
        columns = tuple(f"x{i}" for i in range(values.shape[1]))
    if values.shape[1] == 0:
        raise BadSeries(f"{name} has 0 feature(s) (shape={values.shape}) while a minimum of 1 is required: give at least one column.")
    if len(values) == 0:
        raise BadSeries(f"{name} has 0 sample(s) (shape={values.shape}) while a minimum of 1 is required: give at least one row.")
    _refuse_infinite(values, columns)
    time = times(data.index) if isinstance(data, pd.Series | pd.DataFrame) else None
    if clock is None:
        clock = learn_clock(data.index) if isinstance(data, pd.Series | pd.DataFrame) else learn_clock(None)
    return Table(values, columns, clock, time, data if isinstance(data, pd.Series | pd.DataFrame) else axes)


def joined(context: Any, rows: Any) -> Any:
    """Rows with those before them in front, as the kind that the rows are; the rows themselves where there are none before."""
    if context is None:
        return rows
    if isinstance(rows, pd.Series | pd.DataFrame):
        return pd.concat([context, rows])
    return np.concatenate([np.asarray(context), np.asarray(rows)])


def _floats(column: pd.Series, name: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype):
        row = _first_not_a_number(column)
        shown = "" if row is None else f" (first at row {row}: {column.iloc[row]!r})"
        raise BadSeries(
            f"column {name!r} is of dtype {column.dtype}, not numeric{shown}. "
            f"Convert it with pd.to_numeric(column, errors='coerce'), or leave it out."
        )
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _first_not_a_number(column: pd.Series) -> int | None:
    bad = (pd.to_numeric(column.astype(object), errors="coerce").isna() & column.notna()).to_numpy()
    return int(np.flatnonzero(bad)[0]) if bad.any() else None


def _array(data: Any, name: str, flat: bool) -> tuple[Floats, int]:
    """An array-like as rows and columns, and the number of axes it had."""
    from sklearn.utils import check_array

    values = check_array(
        data, dtype=np.float64, ensure_all_finite=False, ensure_2d=False, allow_nd=False, ensure_min_samples=0, ensure_min_features=0
    )
    if values.ndim == 1 and not flat:
        raise BadSeries(
            f"{name} is an array of shape {values.shape}. Reshape your data: {name}.reshape(-1, 1) is one column; or give a pandas Series."
        )
    if values.ndim not in (1, 2):
        raise BadParameter(f"{name} has shape {values.shape}; it is (rows,) or (rows, columns).")
    return (values[:, None] if values.ndim == 1 else values), values.ndim


def _refuse_infinite(values: Floats, columns: tuple[str, ...]) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        row, column = (int(i[0]) for i in np.nonzero(infinite))
        raise BadSeries(
            f"column {columns[column]!r} holds an infinity at row {row} ({int(infinite.sum())} in all). "
            f"Replace it by a missing value: data.replace([np.inf, -np.inf], np.nan)."
        )
