"""CSV and Parquet files as a source: one file, or all that a pattern finds."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import time
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadSeries
from tsprune.monitor.errors import BadJob, Temporary
from tsprune.monitor.raw import RawTable, between, rows_of
from tsprune.monitor.rows import Rows
from tsprune.monitor.stamps import Stamps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.monitor.sections import FileSource

#: A last line without an end belongs to a writer that is still at it, if the file changed so many seconds ago.
_SETTLED = 60.0


class Files:
    """All rows of all files; of rows with the same series and time the last one in the order of names and lines counts."""

    selects = False

    def __init__(self, section: FileSource, folder: Path, columns: tuple[str, ...], clock: Any, name: str):
        self.section, self.folder, self.columns, self.clock, self.name = section, folder, columns, clock, name

    def read(self, since: int, until: int, series: Sequence[str] | None = None) -> Rows:
        return between(self._rows, since, until, series)

    def ahead(self, after: int) -> int:
        return int((self._rows.time > after).sum())

    def close(self) -> None:
        """Files are closed already."""

    @cached_property
    def _rows(self) -> Rows:
        paths = sorted(glob.glob(str(self.folder / self.section.path), recursive=True))
        if not paths:
            raise BadSeries(f"there is no file {self.section.path!r} in {self.folder}.")
        try:
            tables = [self._csv(Path(path)) if self.section.kind == "csv" else self._parquet(Path(path)) for path in paths]
        except (OSError, EOFError, zlib.error) as error:
            raise Temporary(f"{self.section.path}: {error}") from error
        series = [name for table in tables for name in table.series or ()] if self.section.series else None
        times = [stamp for table in tables for stamp in table.times]
        values = [[value for table in tables for value in table.values[i]] for i in range(len(self.columns))]
        first = next((stamp for stamp in times if stamp not in (None, "")), None)
        if first is None:
            return Rows.none(len(self.columns))
        broken = sum(table.broken for table in tables)
        return rows_of(RawTable(times, series, values, broken), Stamps.like(first, self.section.zone), self.clock, self.name)

    def _csv(self, path: Path) -> RawTable:
        reader = csv.reader(io.StringIO(_lines(path), newline=""))
        header = next(reader, None)
        if header is None:
            return RawTable([], [], [[] for _ in self.columns])
        places = [self._place(path, header, column) for column in self._wanted]
        lines = [row for row in reader if row]
        rows = [row for row in lines if len(row) == len(header)]
        columns: list[list[Any]] = [[row[place] for row in rows] for place in places]
        if columns[0] and _is_number(columns[0][0]):
            columns[0] = [float(stamp) if _is_number(stamp) else None for stamp in columns[0]]
        return self._table(columns, len(lines) - len(rows))

    def _parquet(self, path: Path) -> RawTable:
        try:
            import pandas as pd

            frame = pd.read_parquet(path).reset_index()
        except ImportError as error:
            raise BadJob(f"{path} needs pyarrow to be read: pip install 'tsprune[parquet]'.") from error
        except ValueError as error:
            raise Temporary(f"{path} cannot be read; it may be half written: {str(error).splitlines()[0]}") from error
        names = [str(name) for name in frame.columns]
        columns = [frame.iloc[:, self._place(path, names, column)] for column in self._wanted]
        return self._table([_moments(columns[0], self.section.zone), *(column.tolist() for column in columns[1:])])

    @property
    def _wanted(self) -> tuple[str, ...]:
        series = (self.section.series,) if self.section.series else ()
        return (self.section.time, *series, *self.columns)

    def _table(self, columns: list[list[Any]], broken: int = 0) -> RawTable:
        n = 2 if self.section.series else 1
        return RawTable(columns[0], columns[1] if n == 2 else None, columns[n:], broken)

    @staticmethod
    def _place(path: Path, header: list[str], column: str) -> int:
        if column not in header:
            raise BadJob(f"{path} has no column {column!r}; it has {', '.join(map(repr, header[:20]))}.")
        return header.index(column)


def _lines(path: Path) -> str:
    """The text of a file up to its last whole line."""
    changed = path.stat().st_mtime
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if not content.endswith(b"\n") and time.time() - changed < _SETTLED:
        content = content[: content.rfind(b"\n") + 1]
    return content.decode("utf-8-sig", "replace")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _moments(column: Any, zone: str) -> list[Any]:
    """Timestamps of a frame as nanoseconds, or as wall-clock times where the zone is still to be applied."""
    if column.dtype.kind != "M":
        return list(column)
    if column.dt.tz is None and zone.upper() != "UTC":
        return [None if missing else stamp.to_pydatetime() for stamp, missing in zip(column, column.isna(), strict=True)]
    stamps = column.dt.tz_localize("UTC") if column.dt.tz is None else column
    moments = stamps.dt.tz_convert("UTC").dt.as_unit("ns").astype("int64")
    return [None if missing else int(moment) for moment, missing in zip(moments, column.isna(), strict=True)]
