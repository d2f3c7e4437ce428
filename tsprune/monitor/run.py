"""One run of a job: score, tell, look after itself.

Each slice of rows is one transaction that holds its scores, alerts, messages, cursors and counts; a run that ends anywhere is
gone on with by the next one.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from tsprune.errors import TsPruneError
from tsprune.model.expected import knows_expected
from tsprune.monitor import models, textfile
from tsprune.monitor.errors import OK, RETRY, UNFIT, BadJob, Temporary, exit_code
from tsprune.monitor.log import Log
from tsprune.monitor.missing import missing_alerts
from tsprune.monitor.moments import iso, now
from tsprune.monitor.outbox import deliver
from tsprune.monitor.secrets import mask
from tsprune.monitor.source import blank_model, open_source
from tsprune.monitor.status import read_status
from tsprune.monitor.step import Stepper
from tsprune.monitor.store import Step
from tsprune.monitor.sweep import Sweep
from tsprune.monitor.tell import Telling, described

if TYPE_CHECKING:
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.models import Active
    from tsprune.monitor.source import Source
    from tsprune.monitor.store import Store


@dataclass
class RunResult:
    """What a run did.

    `exit_code` is 0, 3 (no series has a fresh row) or 75 (a message could not be delivered, the next run tries again).
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
        self.config, self.store, self.log, self.dry = config, store, log, dry
        self.live = as_of is None
        self.as_of = now() if as_of is None else as_of
        self.result = RunResult(config.name, log.run, self.as_of)
        self.began = time.monotonic()
        self.cursors = store.cursors()

    def execute(self) -> RunResult:
        """Do all that is to be done, and note how it ended."""
        try:
            self._note_start()
            fresh = self._work()
        except BaseException as error:
            self._note_end(exit_code(error), mask(str(error)) or type(error).__name__)
            raise
        self._note_end(self._verdict(fresh), self.result.note)
        return self.result

    # -- the work ---------------------------------------------------------------------------------------------------

    def _work(self) -> bool:
        """Score, tell, look after the model and the store; whether any series has a fresh row."""
        with ExitStack() as open_things:
            try:
                active, source = self._ready(open_things)
                self._score(active, source)
            except (TsPruneError, OSError):
                self._tell()  # no message waits for a source; and what is silent because its source is down is silent
                raise
            fresh = self._tell()
            self._look_ahead(source)
            if not self.dry:
                self._maintain(source, active)
        return fresh

    def _ready(self, open_things: ExitStack) -> tuple[Active, Source]:
        """The model at work, with its threshold, and the source that it reads."""
        active = models.current(self.store, self.config, self.as_of)
        model = active.model if active is not None else blank_model(self.config)
        source = open_things.enter_context(closing(open_source(self.config, model)))
        if active is None:
            active = self._first_model(source)
        if self.config.alert.needs_expected and not knows_expected(active.model):
            raise BadJob(
                "alert.direction, min_absolute and min_relative need an expected value, and the model has learned neither a trend nor the "
                "level of its windows. Leave them out, or use a model with Detrend, or with Windows(scale='robust')."
            )
        active = self._calibrated(active, source)
        if active.id < 0 and not self.dry:
            active = models.activate(self.store, active)
            self.log.info("model at work", model=active.hash, origin=active.origin, previous=active.previous)
        return active, source

    def _first_model(self, source: Source) -> Active:
        from tsprune.monitor.learn import frame_of, learned

        columns = tuple(blank_model(self.config).columns)
        frame = frame_of(source.read(self.as_of - self.config.model.history, self.as_of), columns, self.config.model.learn_from)
        return learned(self.config, frame, since=self.as_of, origin="refit", verdict=f"the first, learned from {len(frame):,} rows")

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
        return models.activate(self.store, active) if active.id >= 0 and not self.dry else active

    def _score(self, active: Active, source: Source) -> None:
        stepper = Stepper(self.config, active, self._telling(), lambda since: self.store.alerts(since=since, kind="anomaly"))
        sweep = Sweep(self.config.schedule, active, source, self.cursors, self.as_of)
        for rows, begin in sweep.slices():
            self.result.n_unreadable = max(self.result.n_unreadable, rows.unreadable)
            self.result.n_duplicates = max(self.result.n_duplicates, rows.duplicates)
            step = stepper.step(rows, self.cursors, begin)
            if step is not None:
                self._save(step)
                self.cursors.update(step.cursors)
        if sweep.until < max((cursor.newest for cursor in self.cursors.values()), default=0):
            self.log.warning("the clock is behind the rows", as_of=iso(self.as_of))

    def _tell(self) -> bool:
        """Series without rows, reminders, alerts whose silence has ended; all that waits leaves; whether any series is fresh."""
        opened = self.store.open_alerts()
        missing = [alert for alert in opened if alert.kind == "missing"]
        alerts, fresh = missing_alerts(self.cursors, missing, self.config, self.as_of, self.store.first_run(self.as_of))
        changed = {alert.key for alert in alerts}
        told, messages = self._telling().of([*alerts, *(alert for alert in opened if alert.key not in changed)])
        known = {alert.key: alert for alert in opened}
        news = [alert for alert in told if known.get(alert.key) != alert]
        if news:
            self._save(Step(alerts=news, messages=messages))
        if not self.dry:
            delivery = deliver(self.store, self.config, self.as_of, self.log)
            self.result.n_sent = delivery.sent
            if delivery.failed:
                self.result.note = f"{delivery.failed} of {len(self.config.sinks)} sinks failed"
        return fresh

    def _look_ahead(self, source: Source) -> None:
        """Rows stamped with the future wait for it; in a run as of another time they are no wonder."""
        self.result.n_ahead = source.ahead(self.as_of + self.config.schedule.future) if self.live else 0
        if self.result.n_ahead:
            self.log.warning("rows ahead of time wait", rows=self.result.n_ahead)

    def _telling(self) -> Telling:
        return Telling(self.config.name, self.config.alert, self.store.silences(self.as_of), self.as_of)

    def _save(self, step: Step) -> None:
        if not self.dry:
            self.store.save(step, self.result.run, [sink.name for sink in self.config.sinks])
        self.result.alerts += [described(alert) for alert in step.alerts]
        if step.rows is not None:
            self.result.n_rows += len(step.rows.time)
            self.result.n_scored += int((~np.isnan(step.rows.score)).sum())
            self.result.n_alarms += int(step.rows.alarm.sum())

    def _maintain(self, source: Source, active: Active) -> None:
        if self.config.refit.policy != "never":
            from tsprune.monitor.refit import is_due, refit

            if is_due(self.store, self.config, active, self.as_of):
                refit(self.store, source, self.config, active, self.as_of, self.log)
        # Where the clock has run away, what is old goes by the rows.
        newest = max((cursor.newest for cursor in self.cursors.values()), default=self.as_of)
        self.store.clean(min(self.as_of, newest), self.config.store.keep, self.config.store.keep_alerts)

    # -- how it began and ended -------------------------------------------------------------------------------------

    def _verdict(self, fresh: bool) -> int:
        if self.result.note:
            return RETRY
        if not fresh:
            self.result.note = "no series has a fresh row"
            return UNFIT
        return OK

    def _note_start(self) -> None:
        if not self.dry:
            self.store.begin_run(self.result.run, now(), self.as_of)
        self.log.info("run begins", as_of=iso(self.as_of), dry_run=self.dry)

    def _note_end(self, code: int, note: str) -> None:
        """Into the log of runs, the metrics and the log; what cannot be written is not what the run ends with."""
        result = self.result
        result.exit_code, result.note, result.seconds = code, note, time.monotonic() - self.began
        if not self.dry:
            try:
                self.store.end_run(result.run, now(), code, note)
                self._write_metrics()
                self.store.database.compact()
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

    def _write_metrics(self) -> None:
        if self.config.metrics.textfile is not None:
            status = read_status(self.store, self.config, self.as_of)
            more = {"duration_seconds": self.result.seconds, "rows_ahead": float(self.result.n_ahead)}
            textfile.write(self.config.path(self.config.metrics.textfile), textfile.render(self.config.name, status.metrics(more)))


def new_log(config: JobConfig, stream: Any) -> Log:
    """The log of a new run, with its id."""
    return Log(stream, config.name, uuid4().hex[:12])
