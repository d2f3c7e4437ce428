"""One slice of rows: scored, walked for alerts, and put together as one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.monitor.alert import Alert, Episode, Peaks, reconciled, touched, walk
from tsprune.monitor.moments import DAY
from tsprune.monitor.score import Scored, score_rows
from tsprune.monitor.store import Cursor, ScoredRows, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.models import Active
    from tsprune.monitor.rows import Rows
    from tsprune.monitor.tell import Telling
    from tsprune.types import Ints, Mask

#: Scores and inputs are summed as whole numbers of this unit, so that no order of adding changes a sum.
UNIT = 1e-6

#: Bound on what one row adds to a day's sums.
_BOUND = 1e6


@dataclass(frozen=True)
class Stepper:
    """What stays the same from slice to slice of a run."""

    config: JobConfig
    active: Active
    telling: Telling
    known: Callable[[int], list[Alert]]  # the alerts of the store since a time

    def step(self, rows: Rows, cursors: Mapping[str, Cursor], begin: int) -> Step | None:
        """Score the rows behind the cursors; a series without one is new, and begins at `begin`.  None without such rows."""
        unseen = Cursor(begin, begin, "")
        before = [cursors.get(name, unseen) for name in rows.names]
        settled = np.array([cursor.settled for cursor in before], dtype=np.int64)
        wanted = rows.time > settled[rows.code] if len(rows) else np.zeros(0, dtype=bool)
        if not wanted.any():
            return None
        scored = score_rows(self.active.model, self.active.level, self.config.alert, rows, wanted)
        fresh = rows.taken(wanted)
        bounds = fresh.bounds()
        front = max(int(fresh.time.max()), max((cursor.newest for cursor in cursors.values()), default=begin))
        moved: dict[str, Cursor] = {}
        alerts: list[Alert] = []
        zone = self._zone(fresh.code, settled, scored, before)
        alarmed = np.bincount(fresh.code[scored.alarm], minlength=len(before)) > 0
        for code in np.flatnonzero(np.diff(bounds)).tolist():
            name, old, here = rows.names[code], before[code], slice(int(bounds[code]), int(bounds[code + 1]))
            newest = max(old.newest, int(fresh.time[here.stop - 1]))
            until = settled_at(newest, front, self.config.schedule.late, old.settled)
            episode = ""
            if old.episode or name in zone or alarmed[code]:
                episode, found = self._walked(name, old, until, fresh.time[here], _part(scored, here), zone.get(name, ()))
                alerts += found
            moved[name] = Cursor(until, newest, episode)
        told, messages = self.telling.of(alerts)
        final = np.array([moved[name].settled if name in moved else begin for name in rows.names])
        days = _days(fresh.time, fresh.time <= final[fresh.code], scored)
        kept = ScoredRows(fresh.names, fresh.code, fresh.time, scored.score, scored.alarm, self.active.id)
        return Step(kept, moved, told, messages, days)

    def _zone(self, code: Ints, settled: Ints, scored: Scored, before: Sequence[Cursor]) -> dict[str, list[Alert]]:
        """The alerts that these rows may touch, by series."""
        going_on = [Episode.of_text(cursor.episode) for cursor in before if cursor.episode]
        if not scored.alarm.any() and not going_on and self.config.schedule.late == 0:
            return {}
        # What goes on is known by its first row, which may be long settled.
        since = min([int(settled[code].min()), *(episode.last - 1 for episode in going_on if episode is not None)])
        return touched(self.known(since))

    def _walked(
        self, name: str, old: Cursor, until: int, times: Ints, scored: Scored, known: Sequence[Alert]
    ) -> tuple[str, Iterator[Alert]]:
        peaks = Peaks(scored, self.active.model.columns)
        patience = self.config.schedule.patience
        walked = walk(Episode.of_text(old.episode), times, scored, peaks, self.config.alert, settled=until, patience=patience)
        episode = "" if walked.settled is None else walked.settled.to_text()
        return episode, reconciled(name, walked, known, job=self.config.name, since=old.settled)


def settled_at(newest: int, front: int, late: int, before: int) -> int:
    """Up to where the rows of a series are final: they may come `late` after the foremost row of all series.

    >>> from tsprune.monitor.step import settled_at
    >>> settled_at(newest=95, front=100, late=10, before=80), settled_at(newest=70, front=100, late=10, before=60)
    (90, 70)
    """
    return max(before, min(newest, front - late))


def _part(scored: Scored, rows: slice) -> Scored:
    return Scored(*(getattr(scored, name)[rows] for name in Scored.__dataclass_fields__))


def _days(time: Ints, final: Mask, scored: Scored) -> dict[int, tuple[int, ...]]:
    """Sums over the rows of each day that are final: each row is counted once, in the run that settles it."""
    if not final.any():
        return {}
    there = ~np.isnan(scored.score)
    columns = [np.ones(len(time)), there, scored.alarm]
    columns += [
        np.where(there, np.rint(np.clip(column, -_BOUND, _BOUND) / UNIT), 0.0) for column in (scored.score, scored.inputs, scored.spread)
    ]
    table = np.column_stack(columns)[final].astype(np.int64)
    days, at = np.unique(time[final] // DAY, return_inverse=True)
    sums = np.zeros((len(days), table.shape[1]), dtype=np.int64)
    np.add.at(sums, at, table)
    return {int(day): tuple(row) for day, row in zip(days, sums.tolist(), strict=True)}
