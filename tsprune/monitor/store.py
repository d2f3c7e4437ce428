"""Where a job keeps what it must not lose: scores, cursors, alerts, messages and runs, changed together or not at all."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.monitor import schema
from tsprune.monitor.alert import Alert, Peak
from tsprune.monitor.database import Database, Sqlite, connect
from tsprune.monitor.moments import DAY
from tsprune.monitor.tell import Message, Silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tsprune.monitor.config import JobConfig
    from tsprune.types import Floats, Ints, Mask


@dataclass(frozen=True)
class Cursor:
    """How far a series is scored."""

    settled: int  # every row up to here is final
    newest: int  # the last row seen
    episode: str  # what an alert in the making knows at `settled`


@dataclass(frozen=True)
class ScoredRows:
    """Rows to be kept: of which series, when, how high, and whether an alarm."""

    names: tuple[str, ...]
    code: Ints
    time: Ints
    score: Floats
    alarm: Mask
    model: int


@dataclass
class Step:
    """What one transaction changes."""

    rows: ScoredRows | None = None
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    messages: Sequence[Message] = ()
    days: Mapping[int, Sequence[int]] = field(default_factory=dict)  # day -> n_rows, n_scored, n_alarms, scores, inputs, spread


_ALERT = "key, job, series, kind, state, first, fired, last, over, n_rows, peak, told, told_state, told_at, acknowledged"


#: What goes when it is old enough.
_FORGET = (
    "DELETE FROM alerts WHERE job = ? AND state <> 'open' AND last < ?",
    "DELETE FROM outbox WHERE job = ? AND sent < ?",
    "DELETE FROM silences WHERE job = ? AND until < ?",
    "DELETE FROM runs WHERE job = ? AND as_of < ?",
)

#: A model is needed while it is at work, while it is the one to go back to, and while it has scores.
_FORGET_MODELS = """DELETE FROM models WHERE job = ? AND since < ?
    AND id NOT IN (SELECT model FROM jobs WHERE model IS NOT NULL)
    AND id NOT IN (SELECT models.previous FROM models JOIN jobs ON jobs.model = models.id WHERE models.previous IS NOT NULL)
    AND id NOT IN (SELECT model FROM days)"""


class Store:
    """The tables of one job in a database that may hold others."""

    def __init__(self, database: Database, job: str):
        self.database, self.job = database, job
        self._ids: dict[str, int] = {}

    @classmethod
    def open(cls, config: JobConfig, *, read_only: bool = False) -> Store:
        """Open a job's store; make it where it is not there yet, unless it is only read."""
        database = connect(config.store_url, config.folder, read_only=read_only)
        try:
            schema.check(database) if read_only else schema.create(database)
        except BaseException:
            database.close()
            raise
        return cls(database, config.name)

    @classmethod
    def blank(cls, job: str) -> Store:
        """An empty store in memory, for a dry run before the first one."""
        database = Sqlite(None)
        schema.create(database)
        return cls(database, job)

    def close(self) -> None:
        """End the connection."""
        self.database.close()

    # -- what is known ----------------------------------------------------------------------------------------------

    def cursors(self) -> dict[str, Cursor]:
        """How far each series is scored, by name."""
        rows = self.database.query("SELECT id, name, settled, newest, episode FROM series WHERE job = ?", (self.job,))
        self._ids = {name: number for number, name, *_ in rows}
        return {name: Cursor(settled, newest, episode) for _, name, settled, newest, episode in rows}

    def alerts(self, *, since: int | None = None, kind: str | None = None) -> list[Alert]:
        """Alerts that are open, and those with a last row after `since`; all of them without it."""
        asked = f"SELECT {_ALERT} FROM alerts WHERE job = ?"  # noqa: S608
        rows = self.database.query(asked, (self.job,)) if since is None else self._recent(asked, since)
        names = {number: name for name, number in self._numbers().items()}
        found = [_alert_of(row, names.get(row[2], "")) for row in rows]
        return sorted((alert for alert in found if kind in (None, alert.kind)), key=lambda alert: (alert.first, alert.key))

    def open_alerts(self) -> list[Alert]:
        """Alerts that are not over."""
        return [alert for alert in self.alerts(since=2**62) if alert.state == "open"]

    def _recent(self, asked: str, since: int) -> list[tuple[Any, ...]]:
        return self.database.query(f"{asked} AND (last > ? OR state = 'open')", (self.job, since))

    def silences(self, moment: int) -> list[Silence]:
        """Silences that have not ended."""
        rows = self.database.query("SELECT pattern, since, until FROM silences WHERE job = ? AND until > ?", (self.job, moment))
        return [Silence(*row) for row in rows]

    def _numbers(self) -> dict[str, int]:
        if not self._ids:
            self.cursors()
        return self._ids

    # -- what changes -----------------------------------------------------------------------------------------------

    def save(self, step: Step, run: str, sinks: Sequence[str]) -> None:
        """Write one step: all of it, or nothing."""
        with self.database.transaction():
            self._save_cursors(step.cursors)
            if step.rows is not None:
                self._save_scores(step.rows)
            self._save_alerts(step.alerts)
            posts = [(self.job, sink, message.key, message.body) for message in step.messages for sink in sinks]
            self.database.write("INSERT INTO outbox (job, sink, key, body, tries) VALUES (?, ?, ?, ?, 0)", posts)
            self._save_days(step)
            self._count(step, run)

    def _save_cursors(self, cursors: Mapping[str, Cursor]) -> None:
        rows = [(self.job, name, cursor.settled, cursor.newest, cursor.episode) for name, cursor in cursors.items()]
        self.database.write(
            "INSERT INTO series (job, name, settled, newest, episode) VALUES (?, ?, ?, ?, ?) ON CONFLICT (job, name) DO UPDATE "
            "SET settled = excluded.settled, newest = excluded.newest, episode = excluded.episode",
            rows,
        )
        if not cursors.keys() <= self._ids.keys():
            self.cursors()

    def _save_scores(self, rows: ScoredRows) -> None:
        numbers = [self._ids.get(name, -1) for name in rows.names]  # some names have no row here
        number = np.array(numbers, dtype=np.int64)[rows.code].tolist()
        score = [None if math.isnan(value) else value for value in rows.score.tolist()]
        alarm = rows.alarm.astype(np.int64).tolist()
        self.database.write(
            "INSERT INTO scores (series, time, model, score, alarm) VALUES (?, ?, ?, ?, ?) ON CONFLICT (series, time, model) "
            "DO UPDATE SET score = excluded.score, alarm = excluded.alarm",
            zip(number, rows.time.tolist(), [rows.model] * len(score), score, alarm, strict=True),
        )

    def _save_alerts(self, alerts: Iterable[Alert]) -> None:
        self.database.write(
            f"INSERT INTO alerts ({_ALERT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "  # noqa: S608
            "state = excluded.state, first = excluded.first, last = excluded.last, over = excluded.over, n_rows = excluded.n_rows, "
            "peak = excluded.peak, told = excluded.told, told_state = excluded.told_state, told_at = excluded.told_at",
            [self._alert_row(alert) for alert in alerts],
        )

    def _alert_row(self, alert: Alert) -> tuple[Any, ...]:
        a, number = alert, self._ids.get(alert.series, -1)
        peak = json.dumps(asdict(a.peak), separators=(",", ":"))
        span = (a.first, a.fired, a.last, a.over, a.n_rows, peak)
        return (a.key, self.job, number, a.kind, a.state, *span, a.told, a.told_state, a.told_at, a.acknowledged)

    def _save_days(self, step: Step) -> None:
        model = step.rows.model if step.rows is not None else -1
        self.database.write(
            "INSERT INTO days (job, model, day, n_rows, n_scored, n_alarms, scores, inputs, spread) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (job, model, day) DO UPDATE SET n_rows = days.n_rows + excluded.n_rows, "
            "n_scored = days.n_scored + excluded.n_scored, n_alarms = days.n_alarms + excluded.n_alarms, "
            "scores = days.scores + excluded.scores, inputs = days.inputs + excluded.inputs, spread = days.spread + excluded.spread",
            [(self.job, model, day, *sums) for day, sums in step.days.items()],
        )

    def _count(self, step: Step, run: str) -> None:
        if step.rows is None:
            return
        counts = (len(step.rows.time), int((~np.isnan(step.rows.score)).sum()), int(step.rows.alarm.sum()))
        self.database.write(
            "UPDATE runs SET n_rows = n_rows + ?, n_scored = n_scored + ?, n_alarms = n_alarms + ? WHERE id = ?", [(*counts, run)]
        )

    def first_run(self, default: int) -> int:
        """What the first run in the log took for now; the default where there is none."""
        found = self.database.query("SELECT MIN(as_of) FROM runs WHERE job = ?", (self.job,))[0][0]
        return default if found is None else int(found)

    def begin_run(self, run: str, started: int, as_of: int) -> None:
        """Note that a run is at work."""
        self.database.write(
            "INSERT INTO runs (id, job, started, as_of, n_rows, n_scored, n_alarms, note) VALUES (?, ?, ?, ?, 0, 0, 0, '')",
            [(run, self.job, started, as_of)],
        )

    def end_run(self, run: str, ended: int, exit_code: int, note: str) -> None:
        """Note how it ended."""
        self.database.write("UPDATE runs SET ended = ?, exit_code = ?, note = ? WHERE id = ?", [(ended, exit_code, note, run)])

    # -- retention --------------------------------------------------------------------------------------------------

    def clean(self, moment: int, keep: int, keep_alerts: int) -> bool:
        """Once a day forget what is old enough by a moment, and give its space back; whether it was time.

        A series goes with its last score, a model with its last day at work; the models of a rollback stay.
        """
        today = moment // DAY
        rows = self.database.query("SELECT cleaned FROM jobs WHERE job = ?", (self.job,))
        if rows and rows[0][0] is not None and rows[0][0] >= today:
            return False
        scores, alerts = today * DAY - keep, today * DAY - keep_alerts
        numbers = self._numbers().values()
        with self.database.transaction():
            self.database.write("DELETE FROM scores WHERE series = ? AND time < ?", [(number, scores) for number in numbers])
            for statement in _FORGET:
                self.database.write(statement, [(self.job, alerts)])
            self.database.write("DELETE FROM series WHERE job = ? AND newest < ?", [(self.job, min(scores, alerts))])
            self.database.write("DELETE FROM days WHERE job = ? AND day < ?", [(self.job, min(scores, alerts) // DAY)])
            self.database.write(_FORGET_MODELS, [(self.job, min(scores, alerts))])
            self.database.write(
                "INSERT INTO jobs (job, cleaned) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET cleaned = excluded.cleaned",
                [(self.job, today)],
            )
        self._ids = {}
        return True


def _alert_of(row: Sequence[Any], series: str) -> Alert:
    key, _, _, kind, state, first, fired, last, over, n_rows, peak, told, told_state, told_at, acknowledged = row
    return Alert(
        key, series, kind, state, first, fired, last, over, n_rows, Peak(**json.loads(peak)), told, told_state, told_at, acknowledged
    )
