"""The last rows of every series of a stream: what the next batch needs before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.errors import BadSeries
from tsprune.panel.rows import Rows, concatenated_ranges, joined

if TYPE_CHECKING:
    from tsprune.panel.model import PanelModel
    from tsprune.types import Ints

#: Rows that may lie about without being needed any more, beside as many as are needed.
SLACK = 1 << 18


class Tail:
    """The lookback of every series seen so far.

    What a batch leaves stays together as a chunk, until later batches have left newer rows of all its series.  So a batch costs by
    its own rows and series, however many others there are.

    Parameters
    ----------
    model : PanelModel
        Whose series they are.
    """

    def __init__(self, model: PanelModel):
        n = len(model.members)
        slots = np.fromiter((member.lookback for member in model.members.values()), np.int64, n) + model.fleet.lookback + 1
        slot = np.array([clock.duration(1) for clock in model.fleet.clocks], dtype=np.int64)
        self._reach = slots * slot[model.members.column("clock")]  # nanoseconds, or units of the index
        self._members = model.members
        self._chunks: dict[int, Rows] = {}
        self._batches = 0
        self._chunk = np.full(n, -1)  # where the rows of each series are, under which code, and how many
        self._code, self._count = np.zeros((2, n), np.int64)

    def __len__(self) -> int:
        return int(self._count.sum())

    def before(self, rows: Rows) -> Rows | None:
        """What is kept of the series of some rows; None where nothing is.

        Raises
        ------
        BadSeries
            If a series goes back in time from what is kept to the rows.
        """
        kept = self._of(self._members.places(rows.names))
        if kept is not None:
            _refuse_back(kept, rows)
        return kept

    def keep(self, rows: Rows, before: Rows | None) -> None:
        """Keep the last rows of the series of a batch; `before` is what was kept of them."""
        whole = rows if before is None else joined(before, rows)[0]
        at, bounds = self._members.places(whole.names), whole.bounds()
        since = whole.time[bounds[1:] - 1] - self._reach[at]
        starts = bounds[:-1] + np.add.reduceat(whole.time < since[whole.code], bounds[:-1])
        self._store(at, _ranges(whole, starts, bounds[1:]))
        if sum(map(len, self._chunks.values())) > 2 * len(self) + SLACK:
            everything = np.flatnonzero(self._chunk >= 0)
            kept = self._of(everything)
            assert kept is not None
            self._store(everything, kept)

    def _of(self, at: Ints) -> Rows | None:
        """The rows kept of some series, given by their numbers in order."""
        at = at[self._chunk[at] >= 0]
        if not len(at):
            return None
        chunk = self._chunk[at]
        places = [np.flatnonzero(chunk == number) for number in np.unique(chunk)]
        parts = [self._chunks[int(chunk[own[0]])].only(self._code[at[own]]) for own in places]
        if len(parts) == 1:
            return parts[0]
        code = np.concatenate([own[part.code] for own, part in zip(places, parts, strict=True)])
        order = np.argsort(code, kind="stable")
        time, value = (np.concatenate([getattr(part, name) for part in parts])[order] for name in ("time", "value"))
        return Rows(tuple(self._members.names[k] for k in at), code[order], time, value, parts[0].stamps, parts[0].zone)

    def _store(self, at: Ints, rows: Rows) -> None:
        """Put the rows of some series, given by their numbers, in place of those kept of them."""
        self._chunk[at], self._code[at], self._count[at] = self._batches, np.arange(len(at)), np.diff(rows.bounds())
        self._chunks[self._batches] = rows
        self._batches += 1
        used = set(np.unique(self._chunk).tolist())
        self._chunks = {number: chunk for number, chunk in self._chunks.items() if number in used}


def _ranges(rows: Rows, starts: Ints, stops: Ints) -> Rows:
    at = concatenated_ranges(starts, stops)
    return Rows(rows.names, rows.code[at], rows.time[at], rows.value[at], rows.stamps, rows.zone)


def _refuse_back(before: Rows, rows: Rows) -> None:
    latest = dict(zip(before.names, before.time[before.bounds()[1:] - 1].tolist(), strict=True))
    first = rows.time[rows.bounds()[:-1]].tolist()
    for name, time in zip(rows.names, first, strict=True):
        if name in latest and time < latest[name]:
            raise BadSeries(f"the rows of series {name!r} go back in time from one batch to the next. Sort the files by time.")
