"""One run of a job: lock, read, score, tell, look after itself.

Each slice of rows is one transaction that holds its scores, alerts, messages, cursors and counts; a run that ends anywhere is
gone on with by the next one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from tsprune.errors import TsPruneError
from tsprune.model.clock import Clock
from tsprune.monitor import models, textfile
from tsprune.monitor.errors import OK, RETRY, UNFIT, BadJob, Stopped, Temporary, exit_code
from tsprune.monitor.expected import knows_expected
from tsprune.monitor.log import Log
from tsprune.monitor.missing import missing_alerts
from tsprune.monitor.moments import iso, now
from tsprune.monitor.outbox import deliver
from tsprune.monitor.plan import Horizon
from tsprune.monitor.secrets import mask
from tsprune.monitor.source import open_source
from tsprune.monitor.status import read_status
from tsprune.monitor.step import Stepper
from tsprune.monitor.store import Cursor, Step
from tsprune.monitor.tell import Telling, described

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.models import Active
    from tsprune.monitor.rows import Rows
    from tsprune.monitor.source import Source
    from tsprune.monitor.store import Store

#: Series that are read back at a time when they were away for longer than the others.
_TOGETHER = 400


@dataclass
class RunResult:
    """What a run did.

    `exit_code` is 0, 3 (the rows are missing or stale) or 75 (a message could not be delivered, the next run tries again).
    """

    job: str
    run: str
    as_of: int
    exit_code: int = OK
    n_rows: int = 0
    n_scored: int = 0
    n_alarms: int = 0
    n_unreadable: int = 0
    n_duplicates: int = 0
    n_ahead: int = 0
    n_sent: int = 0
    alerts: list[dict[str, Any]] = field(default_factory=list)  # new or changed, as JSON-able facts
    note: str = ""
    seconds: float = 0.0


class Run:
    """A run of a job on its open store, under its lock; a dry run writes nothing."""

    def __init__(self, config: JobConfig, store: Store, as_of: int | None, log: Log, *, dry: bool = False):
        self.config, self.log, self.dry = config, log, dry
        self.store = store
        self.live = as_of is None
        self.as_of = now() if as_of is None else as_of
        self.result = RunResult(config.name, log.run, self.as_of)
        self.began = time.monotonic()

    def execute(self) -> RunResult:
        """Do all that is to be done, and note how it ended."""
        self._note_start()
        try:
            with_model = self._work()
        except (TsPruneError, OSError, Stopped) as error:
            self._note_end(RETRY if isinstance(error, Stopped) else exit_code(error), mask(str(error)) or "stopped by a signal")
            raise
        self._note_end(self._verdict(with_model), self.result.note)
        return self.result

    # -- the work ---------------------------------------------------------------------------------------------------

    def _work(self) -> bool:
        """Score, watch, deliver, look after the model and the store; whether rows came as they should."""
        active = self._active()
        source = open_source(self.config, active.model if active is not None else blank_model(self.config))
        try:
            if active is None:
                active = self._first_model(source)
            self._check(active)
            active = self._calibrated(active, source)
            cursors = self._score(active, source)
            fresh = self._watch(cursors)
            self._look_ahead(source)
            if not self.dry:
                self._deliver(self.store)
                self._maintain(self.store, source, active)
        finally:
            source.close()
        return fresh

    def _active(self) -> Active | None:
        active = models.current(self.store, self.config, self.as_of)
        if active is not None and active.id < 0 and not self.dry:
            active = models.activate(self.store, active)
            self.log.info("model deployed", model=active.hash, previous=active.previous)
        return active

    def _first_model(self, source: Source) -> Active:
        from tsprune.monitor.learn import frame_of, learned

        columns = tuple(blank_model(self.config).columns)
        frame = frame_of(source.read(self.as_of - self.config.model.history, self.as_of), columns, self.config.model.learn_from)
        active = learned(self.config, frame, since=self.as_of, origin="refit", verdict=f"the first, learned from {len(frame):,} rows")
        self.log.info("model learned", model=active.hash, rows=len(frame))
        return active if self.dry else models.activate(self.store, active)

    def _check(self, active: Active) -> None:
        if self.config.alert.needs_expected and not knows_expected(active.model):
            raise BadJob(
                "alert.direction, min_absolute and min_relative need an expected value, and the model has learned neither a trend nor the level of its "
                "windows. Leave them out, or use a model with Detrend, or with Windows(scale='robust')."
            )

    def _calibrated(self, active: Active, source: Source) -> Active:
        """A threshold from the budget of alarms, as soon as there is a week of rows."""
        budget = self.config.model.alarms_per_week
        if active.calibrated or budget is None:
            return active
        from tsprune.monitor.learn import budget_threshold

        rows = source.read(self.as_of - self.config.model.history, self.as_of)
        threshold = budget_threshold(active.model, rows, budget)
        if threshold is None:
            self.log.warning("no week of rows to set the threshold by; the model's own is used", threshold=active.threshold)
            return active
        self.log.info("threshold set", threshold=threshold, alarms_per_week=budget)
        active = replace(active, threshold=threshold, calibrated=True)
        return active if self.dry else models.activate(self.store, active)

    def _score(self, active: Active, source: Source) -> dict[str, Cursor]:
        """Everything since the cursors: first the series that are about as far, then those that were away."""
        store, model = self.store, active.model
        cursors = store.cursors()
        step = model.clock.duration(1)
        horizon = Horizon(self.config.schedule, step, model.clock.duration(model.lookback + 1), self.as_of)
        stepper = Stepper(self.config, active, self._telling(), lambda since: store.alerts(since=since, kind="anomaly"))
        first, new_begin = not cursors, self.as_of - self.config.schedule.start
        near = set(horizon.near(cursors))
        away = set(horizon.live(cursors)) - near if source.selects else set()
        begin = horizon.begin(cursors)
        for since, until in horizon.slices(begin, len(cursors), partial(_cursors_of, cursors, near)):
            rows = self._read(source, since, until, None)
            seen = {rows.names[code] for code in np.unique(rows.code).tolist()}
            away |= seen - near if not first else set()  # back after a long time, or new: their rows may begin before this slice
            near.update(seen - away)
            self._step(stepper, _without(rows, away), cursors, begin)
        self._catch_up(stepper, source, horizon, cursors, away, new_begin)
        if horizon.until < max((cursor.newest for cursor in cursors.values()), default=0):
            self.log.warning("the clock is behind the rows", as_of=iso(self.as_of))
        return cursors

    def _catch_up(self, stepper: Stepper, source: Source, horizon: Horizon, cursors: dict[str, Cursor], away: set[str], begin: int) -> None:
        """Series that were away for longer than the others, or are new: those that stopped at about the same time together."""
        new = Cursor(begin, begin, "")
        names = sorted(away, key=lambda name: (cursors.get(name, new).newest, name))
        for start in range(0, len(names), _TOGETHER):
            some = names[start : start + _TOGETHER]
            since = min(cursors.get(name, new).settled for name in some)
            for low, high in horizon.slices(since, len(some), partial(_cursors_of, cursors, some)):
                self._step(stepper, self._read(source, low, high, some), cursors, begin)

    def _read(self, source: Source, since: int, until: int, names: Sequence[str] | None) -> Rows:
        rows = source.read(since, until, names)
        self.result.n_unreadable = max(self.result.n_unreadable, rows.unreadable)
        self.result.n_duplicates = max(self.result.n_duplicates, rows.duplicates)
        return rows

    def _step(self, stepper: Stepper, rows: Rows, cursors: dict[str, Cursor], begin: int) -> None:
        step = stepper.step(rows, cursors, begin)
        if step is None or step.rows is None:
            return
        self._save(step)
        cursors.update(step.cursors)
        self.result.n_rows += step.n_read
        self.result.n_scored += int((~np.isnan(step.rows.score)).sum())
        self.result.n_alarms += int(step.rows.alarm.sum())

    def _watch(self, cursors: Mapping[str, Cursor]) -> bool:
        """Series without rows, reminders, and alerts whose silence has ended; whether any series is fresh."""
        opened = self.store.open_alerts()
        alerts, fresh = missing_alerts(cursors, [a for a in opened if a.kind == "missing"], self.config, self.as_of)
        changed = {alert.key for alert in alerts}
        told, messages = self._telling().of([*alerts, *(alert for alert in opened if alert.key not in changed)])
        known = {alert.key: alert for alert in opened}
        news = [alert for alert in told if known.get(alert.key) != alert]
        if news:
            self._save(Step(alerts=news, messages=messages))
        return fresh

    def _look_ahead(self, source: Source) -> None:
        """Rows stamped with the future wait for it; in a run as of another time they are no wonder."""
        self.result.n_ahead = source.ahead(self.as_of + self.config.schedule.future) if self.live else 0
        if self.result.n_ahead:
            self.log.warning("rows ahead of time wait", rows=self.result.n_ahead)

    def _telling(self) -> Telling:
        return Telling(self.config.name, self.config.alert, self.store.silences(self.as_of), self.as_of)

    def _save(self, step: Step) -> None:
        self.result.alerts += [described(alert) for alert in step.alerts]
        if not self.dry:
            self.store.save(step, self.result.run, [sink.name for sink in self.config.sinks])

    def _deliver(self, store: Store) -> None:
        delivery = deliver(store, self.config, self.as_of, self.log)
        self.result.n_sent = delivery.sent
        if delivery.failed:
            self.result.note = f"{delivery.failed} of {len(self.config.sinks)} sinks failed"

    def _maintain(self, store: Store, source: Source, active: Active) -> None:
        if self.config.refit.policy != "never":
            from tsprune.monitor.refit import is_due, refit

            if is_due(store, self.config, active, self.as_of):
                refit(store, source, self.config, active, self.as_of, self.log)
        store.clean(self.as_of, self.config.store.keep, self.config.store.keep_alerts)
        store.database.compact()

    # -- how it began and ended -------------------------------------------------------------------------------------

    def _verdict(self, fresh: bool) -> int:
        if self.result.note:
            return RETRY
        if not fresh:
            self.result.note = "no series has a fresh row"
            return UNFIT
        return OK

    def _note_start(self) -> None:
        self.log.info("run begins", as_of=iso(self.as_of), dry_run=self.dry)
        if not self.dry:
            self.store.begin_run(self.result.run, now(), self.as_of)

    def _note_end(self, code: int, note: str) -> None:
        """Into the log of runs, the metrics and the log; what cannot be written is not what the run ends with."""
        result = self.result
        result.exit_code, result.note, result.seconds = code, note, time.monotonic() - self.began
        if not self.dry:
            try:
                self.store.end_run(result.run, now(), code, note)
                self._write_metrics(self.store)
            except (TsPruneError, OSError) as error:
                if code == OK:
                    result.exit_code = RETRY
                    raise Temporary(f"the run could not note its end: {mask(str(error))}") from error
        facts = {
            name: getattr(result, name)
            for name in ("exit_code", "n_rows", "n_scored", "n_alarms", "n_sent", "n_unreadable", "n_duplicates")
        }
        told = self.log.info if code == OK else self.log.error
        told("run ends", **facts, note=note, seconds=round(result.seconds, 3))

    def _write_metrics(self, store: Store) -> None:
        if self.config.metrics.textfile is not None:
            status = read_status(store, self.config, self.as_of)
            more = {"duration_seconds": self.result.seconds, "rows_ahead": float(self.result.n_ahead)}
            textfile.write(self.config.path(self.config.metrics.textfile), textfile.render(self.config.name, status.metrics(more)))


def new_log(config: JobConfig, stream: Any) -> Log:
    """The log of a new run, with its id."""
    return Log(stream, config.name, uuid4().hex[:12])


def _cursors_of(cursors: Mapping[str, Cursor], names: Iterable[str]) -> list[Cursor]:
    return [cursors[name] for name in names if name in cursors]


def _without(rows: Rows, names: set[str]) -> Rows:
    """The rows of all other series."""
    if not names:
        return rows
    kept = np.array([name not in names for name in rows.names], dtype=bool)
    return rows.taken(kept[rows.code]) if len(rows) else rows


@dataclass(frozen=True)
class Blank:
    """The columns and the clock of a source, in place of a model that is still to be learned."""

    columns: tuple[str, ...]
    clock: Clock


def blank_model(config: JobConfig) -> Blank:
    """What the job file tells of columns and clock.

    Raises
    ------
    BadJob
        If it names no columns.
    """
    columns = getattr(config.source, "queries", None) or getattr(config.source, "values", None)
    if not columns:
        raise BadJob("source.values is missing: a job without a model file names the columns to learn from.")
    return Blank(tuple(columns), Clock("time", config.schedule.every, 0, np.empty(0, np.int64), np.zeros(1, np.int64)))
