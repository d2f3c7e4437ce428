"""Frames of pandas, polars and pyarrow, wide or long, in; the same kind out.

A wide frame has a column for each series (pandas: on its index; others: beside a time column).  A long frame has a row for each
series and time.  Frames other than those of pandas are read through narwhals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter, BadSeries
from tsprune.panel.rows import Rows
from tsprune.series.clock import times
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from tsprune.types import AnyArray, Floats


@dataclass(frozen=True)
class Names:
    """The columns of a long frame; of a wide one only `time` counts, and only where it is no index."""

    id: str = "unique_id"
    time: str = "ds"
    value: str = "y"


@dataclass(frozen=True)
class Frame:
    """A frame that is read: its rows, and how to give numbers back in its form."""

    rows: Rows
    source: Any  # as it was given
    names: Names
    wide: tuple[str, ...] | None  # columns of a wide frame, in order

    def like(self, values: AnyArray, name: str) -> Any:
        """One value per row of `rows` as a frame of the kind that was read."""
        if self.wide is None:
            return _long_like(self.source, self.names, self.rows.in_source_order(values), name)
        matrix = self.rows.in_source_order(values).reshape(len(self.wide), -1)  # series in order of name
        place = {column: k for k, column in enumerate(self.rows.names)}
        return _wide_like(self.source, self.names, matrix[[place[column] for column in self.wide]].T)


def read_frame(frame: Any, names: Names) -> Frame:
    """Read a wide or long frame.

    Raises
    ------
    BadParameter
        If it is no frame, or a column of a long frame is missing.
    BadSeries
        If a value is not a number, a time is missing, or two series have the same name.
    """
    if hasattr(frame, "toPandas") or hasattr(frame, "compute"):
        raise BadParameter(f"frame is a {type(frame).__name__} of a cluster; give it to tsprune.engines (docs/fleet.md), or a part of it.")
    if isinstance(frame, pd.Series):
        raise BadParameter("frame is one Series; a panel has many: give a wide frame, series.to_frame('name'), or a long one.")
    table = frame if isinstance(frame, pd.DataFrame) else _as_pandas(frame)
    long = [column in table.columns for column in (names.id, names.value)]
    if all(long):
        return Frame(_long_rows(table, names), frame, names, None)
    if any(long):
        have, lack = (names.id, names.value) if long[0] else (names.value, names.id)
        raise BadParameter(f"the frame has a column {have!r} but none {lack!r}: name the columns of a long frame by id, time and value.")
    values = table
    if names.time in table.columns:
        values = table.drop(columns=names.time).set_axis(_index(table[names.time]))
    elif not isinstance(frame, pd.DataFrame):
        raise BadParameter(f"the frame has no column {names.time!r}; name its column of times by time=.")
    return Frame(_wide_rows(values), frame, names, tuple(str(column) for column in values.columns.tolist()))


def _as_pandas(frame: Any) -> pd.DataFrame:
    try:
        import narwhals as nw
    except ImportError as error:
        raise BadParameter(f"frame is a {type(frame).__name__}; frames other than pandas need narwhals: pip install narwhals.") from error
    try:
        read: pd.DataFrame = nw.from_native(frame, eager_only=True).to_pandas()
    except TypeError as error:
        raise BadParameter(f"frame is a {type(frame).__name__}; it is a DataFrame of pandas or polars, or a pyarrow table.") from error
    return read


def _index(column: pd.Series) -> pd.Index:
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_integer_dtype(column.dtype):
        return pd.Index(column)
    shown = f" (first value: {column.iloc[0]!r})" if len(column) else ""
    raise BadSeries(
        f"the times in {column.name!r} are of dtype {column.dtype}{shown}. Convert them: pd.to_datetime(frame[{column.name!r}])."
    )


def _zone(index: pd.Index) -> tuple[bool, str | None]:
    stamps = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex)
    return stamps, str(index.tz) if isinstance(index, pd.DatetimeIndex) and index.tz is not None else None


def _wide_rows(table: pd.DataFrame) -> Rows:
    names = [str(column) for column in table.columns.tolist()]
    if len(set(names)) < len(names):
        raise BadSeries(f"two columns are called {next(name for name in names if names.count(name) > 1)!r}; give each series its own name.")
    n, d = table.shape
    if not d or not n:
        raise BadSeries(f"the frame has {n} row(s) and {d} series; give at least one of each.")
    order = sorted(range(d), key=names.__getitem__)
    values = np.ascontiguousarray(_matrix(table).T)[order]
    stamps, zone = _zone(table.index)
    code, time = np.repeat(np.arange(d), n), np.tile(times(table.index), d)
    return Rows.of([names[k] for k in order], code, time, values.ravel(), stamps=stamps, zone=zone)


def _matrix(table: pd.DataFrame) -> Floats:
    if all(dtype == np.float64 for dtype in set(table.dtypes)):
        return table.to_numpy()
    return read_table(table.reset_index(drop=True), name="frame").values


def _long_rows(table: pd.DataFrame, names: Names) -> Rows:
    if names.time not in table.columns:
        raise BadParameter(f"the frame has no column {names.time!r}; name its column of times by time=.")
    code, found = pd.factorize(table[names.id])
    if (code < 0).any():
        raise BadSeries(f"column {names.id!r} misses a name at row {int(np.flatnonzero(code < 0)[0])}. Drop that row or give its series.")
    told = [str(name) for name in found]
    if len(set(told)) < len(told):
        raise BadSeries(f"two series are called {next(name for name in told if told.count(name) > 1)!r} when written; rename one of them.")
    index = _index(table[names.time])
    stamps, zone = _zone(index)
    value = read_table(table[[names.value]].reset_index(drop=True), name=names.value).values[:, 0] if len(table) else np.empty(0)
    return Rows.of(told, code.astype(np.int64), times(index), value, stamps=stamps, zone=zone)


def _long_like(source: Any, names: Names, values: AnyArray, name: str) -> Any:
    if isinstance(source, pd.DataFrame):
        return source[[names.id, names.time]].assign(**{name: values})
    import narwhals as nw

    frame = nw.from_native(source, eager_only=True)
    column = nw.new_series(name, values, backend=frame.implementation)
    return frame.select(names.id, names.time).with_columns(column).to_native()


def _wide_like(source: Any, names: Names, matrix: AnyArray) -> Any:
    if isinstance(source, pd.DataFrame):
        if names.time not in source.columns:
            return pd.DataFrame(matrix, index=source.index, columns=source.columns)
        at = list(source.columns).index(names.time)
        result = pd.DataFrame(matrix, index=source.index, columns=source.columns.drop(names.time))
        result.insert(at, names.time, source[names.time])
        return result
    import narwhals as nw

    frame = nw.from_native(source, eager_only=True)
    series = [column for column in frame.columns if column != names.time]
    columns = [nw.new_series(column, matrix[:, k].copy(), backend=frame.implementation) for k, column in enumerate(series)]
    return frame.with_columns(*columns).to_native()
