"""Which rows a run reads: everything since the cursors, in slices that fit into memory, each with its lookback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tsprune.monitor.sections import Schedule
    from tsprune.monitor.store import Cursor

#: Rows of a slice, about; and slots of one at the least and at the most.
_ROWS, _FEWEST, _MOST = 2_000_000, 200, 200_000

#: Series that a first run is prepared for: how many there are is known only after a slice.
_UNKNOWN = 1000


@dataclass(frozen=True)
class Horizon:
    """The span of a run: what is behind it, what is ahead."""

    schedule: Schedule
    step: int  # of the model's clock, nanoseconds
    context: int  # the model's lookback, nanoseconds
    as_of: int

    @property
    def until(self) -> int:
        """The last time that is read."""
        return self.as_of - self.schedule.delay

    def live(self, cursors: Mapping[str, Cursor]) -> dict[str, Cursor]:
        """The series of which rows are still expected."""
        return {name: cursor for name, cursor in cursors.items() if self.as_of - cursor.newest <= self.schedule.forget_after}

    def near(self, cursors: Mapping[str, Cursor]) -> dict[str, Cursor]:
        """The series that are about as far as the foremost: they are read together."""
        live = self.live(cursors)
        front = max((cursor.newest for cursor in live.values()), default=0)
        return {name: cursor for name, cursor in live.items() if cursor.newest >= front - self.schedule.late - self.context}

    def begin(self, cursors: Mapping[str, Cursor]) -> int:
        """The time after which rows of all near series are read; without any, where the first run begins."""
        return min((cursor.settled for cursor in self.near(cursors).values()), default=self.as_of - self.schedule.start)

    def slices(self, since: int, n_series: int, cursors: Callable[[], Iterable[Cursor]]) -> Iterator[tuple[int, int]]:
        """Spans to read, each with its context and the rows before it that are not settled; `cursors` move on in between."""
        slots = max(_FEWEST, min(_MOST, _ROWS // max(n_series or _UNKNOWN, 1)))
        span = slots * self.step + 2 * self.schedule.late
        start = since
        while start < self.until:
            stop = min(start + span, self.until)
            unsettled = (cursor.settled for cursor in cursors() if cursor.settled < cursor.newest)
            yield min(start, *unsettled, start) - self.context, stop
            start = stop


def settled_at(newest: int, front: int, late: int, before: int) -> int:
    """Up to where the rows of a series are final: they may come `late` after the foremost row of all series.

    >>> from tsprune.monitor.plan import settled_at
    >>> settled_at(newest=95, front=100, late=10, before=80), settled_at(newest=70, front=100, late=10, before=60)
    (90, 70)
    """
    return max(before, min(newest, front - late))
