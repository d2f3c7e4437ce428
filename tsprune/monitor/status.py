"""How a job is: last success, lag, alerts, messages that wait, the age of its model, drift.  For people, scripts and browsers."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsprune.monitor.drift import Drift, drifts
from tsprune.monitor.moments import DAY, SECOND, iso, now, spoken
from tsprune.monitor.outbox import waiting
from tsprune.monitor.tell import described, summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tsprune.monitor.alert import Alert
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.store import Store


@dataclass(frozen=True)
class LastRun:
    """What the log says of the last run."""

    run: str
    started: int
    ended: int | None  # None for a run at work, or one that was killed
    exit_code: int | None
    n_scored: int
    n_alarms: int
    note: str


@dataclass(frozen=True)
class Status:
    """A job at a moment; times in nanoseconds since 1970."""

    job: str
    moment: int
    last_success: int | None
    last_run: LastRun | None
    newest: int | None  # row
    n_series: int
    n_scored: int  # rows of the last 24 hours
    open_alerts: tuple[Alert, ...]
    pending: int
    refused: int
    model: str | None
    model_since: int | None
    model_origin: str
    verdict: str
    drift: tuple[Drift, ...]

    def facts(self) -> dict[str, Any]:
        """Everything as JSON-able facts; times as ISO text, durations in seconds."""
        run = self.last_run
        return {
            "job": self.job,
            "last_success": _iso(self.last_success),
            "last_run": None
            if run is None
            else {"run": run.run, "started": iso(run.started), "ended": _iso(run.ended), "exit_code": run.exit_code},
            "newest_row": _iso(self.newest),
            "lag_seconds": self._age(self.newest),
            "series": self.n_series,
            "rows_scored_in_a_day": self.n_scored,
            "alerts_open": [described(alert) for alert in self.open_alerts],
            "messages_pending": self.pending,
            "messages_refused": self.refused,
            "model": {"hash": self.model, "origin": self.model_origin, "age_seconds": self._age(self.model_since), "verdict": self.verdict},
            "drift": {drift.measure: round(drift.evidence, 3) for drift in self.drift},
        }

    def to_json(self) -> str:
        """The facts as one line of JSON."""
        return json.dumps(self.facts())

    def __str__(self) -> str:
        run = self.last_run
        lines = [
            f"job {self.job}",
            f"  last success  {self._ago(self.last_success)}",
            f"  last run      {_run_told(run)}",
            f"  newest row    {self._ago(self.newest)}; {self.n_series:,} series, {self.n_scored:,} rows scored in 24 h",
            f"  model         {self.model or 'none yet'}"
            + (f" ({self.model_origin}), {self._ago(self.model_since)}" if self.model else ""),
            f"  drift         {'; '.join(map(str, self.drift)) or 'not judged before two weeks at work'}",
            f"  messages      {self.pending:,} waiting" + (f", {self.refused:,} refused by their receiver" if self.refused else ""),
            f"  open alerts   {len(self.open_alerts):,}",
        ]
        told = [f"    {alert.key}  {json.dumps(summary(alert), ensure_ascii=False)[1:-1]}{_seen(alert)}" for alert in self.open_alerts[:20]]
        return "\n".join([*lines, *told])

    def to_html(self) -> str:
        """A page without scripts; everything on it is escaped."""
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(fact))}</td></tr>"
            for name, fact in self.facts().items()
            if name != "alerts_open"
        )
        alerts = "".join(
            f"<li><code>{html.escape(alert.key)}</code> {html.escape(summary(alert) + _seen(alert))}</li>" for alert in self.open_alerts
        )
        title = html.escape(self.job)
        style = "body{font-family:sans-serif;margin:2em}th{text-align:left;padding-right:2em;font-weight:normal;color:#555}"
        page = f"<title>{title}</title><style>{style}</style><h1>{title}</h1><table>{rows}</table><h2>Open alerts</h2><ul>{alerts}</ul>"
        return f'<!doctype html><html lang="en"><meta charset="utf-8">{page}</html>\n'

    def metrics(self, more: Mapping[str, float]) -> Iterator[tuple[str, dict[str, str], float | None]]:
        """What Prometheus is told, with what only the run itself knows."""
        run = self.last_run
        yield "last_success_timestamp_seconds", {}, _seconds(self.last_success)
        yield "last_run_timestamp_seconds", {}, None if run is None else _seconds(run.ended)
        yield "exit_code", {}, None if run is None else run.exit_code
        yield "rows_scored", {}, None if run is None else run.n_scored
        yield "anomalies", {}, None if run is None else run.n_alarms
        yield "data_lag_seconds", {}, self._age(self.newest)
        yield "model_age_seconds", {}, self._age(self.model_since)
        yield "series", {}, self.n_series
        yield "alerts_open", {}, len(self.open_alerts)
        yield "messages_pending", {}, self.pending
        yield "messages_refused", {}, self.refused
        for name, value in more.items():
            yield name, {}, value
        for drift in self.drift:
            yield "drift", {"measure": drift.measure}, drift.evidence
        for alert in self.open_alerts:
            yield "alert_open", {"series": alert.series, "kind": alert.kind, "key": alert.key}, 1.0

    def _age(self, moment: int | None) -> float | None:
        return None if moment is None else (self.moment - moment) / SECOND

    def _ago(self, moment: int | None) -> str:
        return "never" if moment is None else f"{iso(moment)}, {spoken(self.moment - moment)} ago"


def read_status(store: Store, config: JobConfig, as_of: int | None = None) -> Status:
    """Ask a store how its job is."""
    moment = now() if as_of is None else as_of
    database, job = store.database, store.job
    success = database.query("SELECT MAX(ended) FROM runs WHERE job = ? AND exit_code IN (0, 1)", (job,))[0][0]
    runs = database.query(
        "SELECT id, started, ended, exit_code, n_scored, n_alarms, note FROM runs WHERE job = ? ORDER BY started DESC, id LIMIT 1", (job,)
    )
    cursors = store.cursors()
    scored = database.query("SELECT SUM(n_scored) FROM runs WHERE job = ? AND as_of > ?", (job, moment - DAY))[0][0]
    models = database.query(
        "SELECT models.id, hash, since, origin, verdict, threshold FROM jobs JOIN models ON models.id = jobs.model WHERE jobs.job = ?",
        (job,),
    )
    number, digest, since, origin, verdict, threshold = models[0] if models else (-1, None, None, "", "", 1.0)
    pending, refused = waiting(store)
    return Status(
        job=job,
        moment=moment,
        last_success=success,
        last_run=LastRun(*runs[0]) if runs else None,
        newest=max((cursor.newest for cursor in cursors.values()), default=None),
        n_series=sum(moment - cursor.newest <= config.schedule.forget_after for cursor in cursors.values()),
        n_scored=int(scored or 0),
        open_alerts=tuple(store.open_alerts()),
        pending=pending,
        refused=refused,
        model=digest,
        model_since=since,
        model_origin=origin,
        verdict=verdict,
        drift=tuple(drifts(store, number, threshold)) if models else (),
    )


def _run_told(run: LastRun | None) -> str:
    if run is None:
        return "never"
    if run.ended is None:
        return f"{iso(run.started)}: at work, or killed"
    return f"{iso(run.started)}: exit code {run.exit_code}, {run.n_scored:,} rows scored, {run.n_alarms:,} alarm rows" + (
        f"; {run.note}" if run.note else ""
    )


def _seen(alert: Alert) -> str:
    return "" if alert.acknowledged is None else f" [acknowledged: {json.dumps(alert.acknowledged, ensure_ascii=False)[1:-1]}]"


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _seconds(moment: int | None) -> float | None:
    return None if moment is None else moment / SECOND
