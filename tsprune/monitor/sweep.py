"""Which rows a run reads: everything since the cursors, in slices that fit into memory, each with its lookback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tsprune.monitor.models import Active
    from tsprune.monitor.rows import Rows
    from tsprune.monitor.sections import Schedule
    from tsprune.monitor.source import Source
    from tsprune.monitor.store import Cursor

#: Rows of a slice, about; and slots of one at the least and at the most.
_ROWS, _FEWEST, _MOST = 2_000_000, 200, 200_000

#: Series that a first run is prepared for: how many there are is known only after a slice.
_UNKNOWN = 1000

#: Series that are read back at a time when they were away for longer than the others.
_TOGETHER = 400


@dataclass(frozen=True)
class Sweep:
    """All rows that a run has to look at.  Whoever takes the slices moves the cursors on in between."""

    schedule: Schedule
    active: Active
    source: Source
    cursors: Mapping[str, Cursor]
    as_of: int

    @property
    def until(self) -> int:
        """The last time that is read."""
        return self.as_of - self.schedule.delay

    def slices(self) -> Iterator[tuple[Rows, int]]:
        """Rows of some series, and where a series without a cursor begins.

        First the series that are about as far as the foremost, together; then those that were away for longer, or are new.
        """
        first, near = not self.cursors, self._near()
        away = self._live() - near if self.source.selects else set()
        begin = min((self.cursors[name].settled for name in near), default=self.as_of - self.schedule.start)
        for since, until in self._spans(begin, near, len(self.cursors)):
            rows = self.source.read(since, until, None)
            seen = {rows.names[code] for code in np.unique(rows.code).tolist()}
            away |= seen - near if not first else set()  # their rows may begin before this slice
            near |= seen - away
            yield _without(rows, away), begin
        yield from self._catch_up(away)

    def _catch_up(self, away: set[str]) -> Iterator[tuple[Rows, int]]:
        """Those that stopped at about the same time together."""
        begin = self.as_of - self.schedule.start
        names = sorted(away, key=lambda name: (self._settled(name, begin), name))
        for start in range(0, len(names), _TOGETHER):
            some = names[start : start + _TOGETHER]
            for since, until in self._spans(self._settled(some[0], begin), some, len(some)):
                yield self.source.read(since, until, some), begin

    def _live(self) -> set[str]:
        """The series of which rows are still expected."""
        return {name for name, cursor in self.cursors.items() if self.as_of - cursor.newest <= self.schedule.forget_after}

    def _near(self) -> set[str]:
        """The series that are about as far as the foremost."""
        live = self._live()
        reach = self.schedule.late + self._context
        front = max((self.cursors[name].newest for name in live), default=0)
        return {name for name in live if self.cursors[name].newest >= front - reach}

    @property
    def _context(self) -> int:
        model = self.active.model
        return int(model.clock.duration(model.lookback + self.active.level.lookback + 1))

    def _settled(self, name: str, begin: int) -> int:
        return self.cursors[name].settled if name in self.cursors else begin

    def _spans(self, start: int, names: Collection[str], n_series: int) -> Iterator[tuple[int, int]]:
        """Spans to read, each with its context and with the rows before it that are not settled."""
        slots = max(_FEWEST, min(_MOST, _ROWS // max(n_series or _UNKNOWN, 1)))
        span = slots * self.active.model.clock.duration(1) + 2 * self.schedule.late
        while start < self.until:
            stop = min(start + span, self.until)
            cursors = (self.cursors[name] for name in names if name in self.cursors)
            unsettled = (cursor.settled for cursor in cursors if cursor.settled < cursor.newest)
            yield min(start, *unsettled, start) - self._context, stop
            start = stop


def _without(rows: Rows, names: set[str]) -> Rows:
    """The rows of all other series."""
    if not names or not len(rows):
        return rows
    kept = np.array([name not in names for name in rows.names], dtype=bool)
    return rows.taken(kept[rows.code])
