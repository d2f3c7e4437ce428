"""A table or query of a SQL database as a source: names are checked and quoted, values are bound, nothing is written."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tsprune.monitor.database import connect
from tsprune.monitor.errors import BadJob
from tsprune.monitor.raw import RawTable, between, rows_of
from tsprune.monitor.rows import Rows
from tsprune.monitor.stamps import Stamps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tsprune.monitor.sections import SqlSource

#: Series asked for at a time; databases take a few hundred values in one statement.
_AT_ONCE = 400


class Sql:
    """Rows of a table, by span of time."""

    selects = True

    def __init__(self, section: SqlSource, folder: Path, columns: tuple[str, ...], clock: Any, name: str):
        self.section, self.columns, self.clock, self.name = section, columns, clock, name
        self.database = connect(section.url, folder, read_only=True)

    def read(self, since: int, until: int, series: Sequence[str] | None = None) -> Rows:
        if self._stamps is None:
            return Rows.none(len(self.columns))
        time = self._quoted(self.section.time)
        if self._stamps.kind == "text" and self.database.dialect == "postgresql":
            time += ' COLLATE "C"'  # letter by letter, whatever the language of the database
        asked = f"{self._select} WHERE {time} >= ? AND {time} <= ?"
        span: tuple[Any, ...] = self._stamps.bounds(since, until)
        hole = self._stamps.hole(since)
        if hole is not None:
            asked, span = f"{asked} AND NOT ({time} >= ? AND {time} < ?)", (*span, *hole)
        found: list[tuple[Any, ...]] = []
        if series is None or self.section.series is None:
            found = self.database.query(asked, span)
        else:
            for start in range(0, len(series), _AT_ONCE):
                some = series[start : start + _AT_ONCE]
                among = f"{self._name_as_text} IN ({', '.join('?' * len(some))})"
                found += self.database.query(f"{asked} AND {among}", (*span, *some))
        if not found:
            return Rows.none(len(self.columns))
        columns = list(zip(*found, strict=True))
        n = 2 if self.section.series else 1
        raw = RawTable(columns[0], columns[1] if n == 2 else None, columns[n:])
        return between(rows_of(raw, self._stamps, self.clock, self.name, in_order=False), since, until, series)

    def ahead(self, after: int) -> int:
        if self._stamps is None:
            return 0
        time = self._quoted(self.section.time)
        _, high = self._stamps.bounds(after, after)
        return int(self.database.query(f"SELECT COUNT(*) FROM {self._table} WHERE {time} > ?", (high,))[0][0])  # noqa: S608

    def close(self) -> None:
        self.database.close()

    @cached_property
    def _stamps(self) -> Stamps | None:
        """The style of the times, from the newest; None while the table is empty."""
        newest = self.database.query(f"SELECT MAX({self._quoted(self.section.time)}) FROM {self._table}")[0][0]  # noqa: S608
        return None if newest is None else Stamps.like(newest, self.section.zone)

    @cached_property
    def _table(self) -> str:
        if self.section.table is not None:
            return self._quoted(self.section.table)
        query = (self.section.query or "").strip().rstrip(";")
        if not re.match(r"(?i)(select|with)\b", query) or ";" in query:
            raise BadJob("source.query is one statement that begins with SELECT or WITH.")
        return f"({query}) AS tsprune_rows"

    @cached_property
    def _select(self) -> str:
        series = (self.section.series,) if self.section.series else ()
        names = (self.section.time, *series, *self.columns)
        return f"SELECT {', '.join(self._quoted(name) for name in names)} FROM {self._table}"  # noqa: S608

    @property
    def _name_as_text(self) -> str:
        assert self.section.series is not None
        kind = "CHAR" if self.database.dialect in ("mysql", "mariadb") else "TEXT"
        return f"CAST({self._quoted(self.section.series)} AS {kind})"

    def _quoted(self, name: str) -> str:
        return self.database.quoted(name)
