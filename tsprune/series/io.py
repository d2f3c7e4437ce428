"""Files to frames: a time column becomes the index, a label column is set aside, text stays behind."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter, BadSeries

if TYPE_CHECKING:
    from tsprune.types import Mask

#: Names, in lower case, that a column of times or of labels usually has.
TIME_NAMES = ("time", "timestamp", "datetime", "date", "ds")
LABEL_NAMES = ("label", "is_anomaly", "anomaly")

#: How a text that is a date begins.
_DATE = r"\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:\D|$)"

#: Rows that tell whether a column of dates is the time, and the share of them that is in order then.
_LOOKED_AT, _IN_ORDER = 1000, 0.9

#: Numbers above each bound since 1970 are not of the unit above it: 1e11 s would be the year 5138.
_EPOCH_UNITS = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))


@dataclass(frozen=True)
class Loaded:
    """A file as a frame of numeric columns, the labels if it has any, and what was left out."""

    frame: pd.DataFrame
    labels: pd.Series | None
    time: str | None
    left_out: tuple[str, ...]


def read_file(
    path: str | os.PathLike[str],
    *,
    time: str | None = None,
    label: str | None = None,
    columns: tuple[str, ...] | None = None,
    zone: str | None = None,
) -> Loaded:
    """Read a CSV (also compressed) or Parquet file.

    Parameters
    ----------
    path : str or path
        Ends with .parquet or .pq for Parquet; anything else is read as CSV.
    time : str, optional
        Column of times; where not given found by its name (time, timestamp, datetime, date, ds), or as the only column of dates.
        Without one rows are counted.
    label : str, optional
        Column of labels (1 or True = anomaly); found by its name (label, is_anomaly, anomaly) where not given.
    columns : tuple of str, optional
        Columns to read; all numeric ones where not given, but for names that begin with an underscore, which are marks.
    zone : str, optional
        The zone that timestamps without one are written in, such as "Europe/Berlin".

    Raises
    ------
    BadParameter
        If a named column is not there.
    BadSeries
        If the file cannot be read, is empty, has no numeric column, or a time in it cannot be understood.
    """
    table = _raw(Path(path))
    lower = {str(name).lower(): name for name in reversed(table.columns)}
    time = _column(table, "time", time) or next((lower[name] for name in TIME_NAMES if name in lower), None) or _dates(table)
    label = _column(table, "label", label) or next((lower[name] for name in LABEL_NAMES if name in lower), None)
    for name in columns or ():
        _column(table, "columns", name)
    if time is not None:
        table.index = _times(table[time], zone)
        table.index.name = "time"
    labels = None if label is None else _labels(table[label])
    candidates = table.drop(columns=[name for name in (time, label) if name is not None])
    if columns is not None:
        frame = candidates[list(columns)]
    else:
        marks = [name for name in candidates if str(name).startswith("_")]
        frame = candidates.drop(columns=marks).select_dtypes(["number", "bool"])
    if frame.shape[1] == 0:
        raise BadSeries(f"{path} has no numeric column besides {[c for c in (time, label) if c]}; its columns are {list(table.columns)}.")
    left_out = tuple(str(name) for name in candidates if name not in set(frame.columns))
    return Loaded(frame, labels, time, left_out)


def _raw(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise BadParameter(f"there is no file {path}.")
    try:
        if path.suffix in (".parquet", ".pq"):
            table = pd.read_parquet(path)
            named = table.index.name is not None and not isinstance(table.index, pd.RangeIndex)
            table = table.reset_index() if named or isinstance(table.index, pd.DatetimeIndex) else table
        else:
            table = pd.read_csv(path)
    except ImportError as error:
        raise BadSeries(f"{path} needs pyarrow to be read: pip install 'tsprune[parquet]'.") from error
    except (OSError, ValueError, UnicodeError) as error:  # pandas' parser errors are ValueErrors
        raise BadSeries(f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from error
    if len(table) == 0:
        raise BadSeries(f"{path} has no rows.")
    return table


def _column(table: pd.DataFrame, option: str, name: str | None) -> str | None:
    if name is not None and name not in table.columns:
        raise BadParameter(f"{option} names the column {name!r}; the file has {', '.join(repr(c) for c in table.columns)}.")
    return name


def _dates(table: pd.DataFrame) -> Any:
    """The one column that holds timestamps, or texts that all begin with a date; None where there is none, or more."""
    dates = [i for i in range(table.shape[1]) if _is_date(table.iloc[:, i])]
    return table.columns[dates[0]] if len(dates) == 1 and _passes(table.iloc[:_LOOKED_AT, dates[0]]) else None


def _is_date(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return pd.api.types.is_datetime64_any_dtype(column.dtype)
    return bool(column.astype(str).str.match(_DATE).all())


def _passes(column: pd.Series) -> bool:
    """Whether times can be understood and mostly go on: dates of birth do not, and one date for all rows is no time."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a format that pandas cannot infer
            steps = np.diff(pd.DatetimeIndex(_times(column, None)).as_unit("ns").asi8)
    except BadSeries:
        return False
    return bool((steps > 0).any() and (steps >= 0).mean() > _IN_ORDER)


def _times(column: pd.Series, zone: str | None) -> pd.DatetimeIndex | pd.Index:
    """Texts, timestamps, or numbers since 1970 as a DatetimeIndex."""
    try:
        if pd.api.types.is_numeric_dtype(column.dtype):
            stamps = pd.DatetimeIndex(pd.to_datetime(column, unit=_epoch_unit(column)))
        else:
            dates = pd.api.types.is_datetime64_any_dtype(column.dtype)
            offsets = not dates and bool(column.astype(str).str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True).any())
            stamps = pd.DatetimeIndex(pd.to_datetime(column, utc=offsets, dayfirst=not dates and _day_first(column)))
    except (ValueError, TypeError, OverflowError) as error:
        raise BadSeries(f"the time column {column.name!r} cannot be understood: {str(error).splitlines()[0]}") from error
    if zone is None:
        return stamps
    return localised(stamps, zone)


def localised(stamps: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Times with a zone: those without one are read as the wall clock of that zone.

    The hour that a clock shows twice goes to its first pass where the order of rows does not tell.
    """
    try:
        if stamps.tz is not None:
            return stamps.tz_convert(zone)
        try:
            return stamps.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
        except ValueError:  # rows twice or missing in the hour that the clock shows twice
            return stamps.tz_localize(zone, ambiguous=_first_pass(stamps), nonexistent="shift_forward")
    except (KeyError, OSError) as error:
        raise BadParameter(f"zone is {zone!r}; it is a name such as 'Europe/Berlin' or 'UTC'.") from error
    except Exception as error:
        if type(error).__name__ in ("UnknownTimeZoneError", "ZoneInfoNotFoundError"):
            raise BadParameter(f"zone is {zone!r}; it is a name such as 'Europe/Berlin' or 'UTC'.") from error
        raise


def _first_pass(stamps: pd.DatetimeIndex) -> Mask:
    """Of an hour that the clock shows twice, the rows before the one where its time goes back; elsewhere it does not matter."""
    steps = stamps[1:] - stamps[:-1]
    hourly = steps.to_series().median() >= pd.Timedelta(hours=1)  # then the second pass is the same time once more
    back = pd.Series(steps <= pd.Timedelta(0) if hourly else steps < pd.Timedelta(0))
    return np.r_[0, back.groupby(stamps[1:].normalize()).cumsum()] == 0


def _day_first(column: pd.Series) -> bool:
    """Dates with dots, such as 03.11.2025, begin with the day wherever they are written."""
    return bool(column.astype(str).str.match(r"\s*\d{1,2}\.\d{1,2}\.\d{2,4}\b").all())


def _epoch_unit(column: pd.Series) -> Any:
    largest = float(np.nanmax(np.abs(column.to_numpy(np.float64, na_value=np.nan))))
    return next(unit for bound, unit in _EPOCH_UNITS if largest < bound)


def _labels(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column.replace({True: 1, False: 0}), errors="coerce")
    if numbers.isna().any() or not numbers.isin((0, 1)).all():
        bad = column[~numbers.isin((0, 1))].iloc[0]
        raise BadSeries(f"the label column {column.name!r} holds {bad!r}; a label is 0 (normal) or 1 (anomaly).")
    return numbers.astype(np.int8).rename("label")
