"""Where messages go: stdout, a file, a webhook, Alertmanager.  Each takes a message or raises; none keeps anything."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

from tsprune.monitor import sections as s
from tsprune.monitor.errors import BadJob, Temporary
from tsprune.monitor.moments import iso, now, parse_time
from tsprune.monitor.secrets import token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.web import Server

#: Columns of a CSV file of alerts.
_CSV = (
    "event",
    "job",
    "key",
    "series",
    "kind",
    "state",
    "first",
    "fired",
    "last",
    "over",
    "rows",
    "score",
    "threshold",
    "column",
    "value",
    "expected",
)

#: What spreadsheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Sink(Protocol):
    """What the outbox delivers to."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Deliver a message, or raise Temporary."""

    def refresh(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Say again that these alerts are open, to whom forgets."""


def open_sink(section: s.Sink, config: JobConfig) -> Sink:
    """The sink that a section of the job file describes."""
    if isinstance(section, s.StdoutSink):
        return Stdout()
    if isinstance(section, s.FileSink):
        return Lines(config.path(section.path), section.format)
    from tsprune.monitor.web import Server

    server = Server(section.url, token(section.token_env, section.token_file, config.folder), section.allow_http, section.timeout)
    server.check()
    if isinstance(section, s.WebhookSink):
        return Webhook(server)
    return Alertmanager(server, section.labels or {}, section.hold, 4 * config.schedule.every)


class Forgetless:
    """A sink that remembers what it was told."""

    def refresh(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Nothing to say again."""


class Stdout(Forgetless):
    """JSON lines."""

    def send(self, message: Mapping[str, Any]) -> None:
        try:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()
        except OSError as error:
            raise Temporary(f"stdout cannot be written: {error}") from error


class Lines(Forgetless):
    """JSON or CSV lines at the end of a file, on the disk before the message counts as delivered."""

    def __init__(self, path: Path, form: str):
        if not path.parent.is_dir():
            raise BadJob(f"there is no folder {path.parent} for the sink's file {path.name}.")
        self.path, self.form = path, form

    def send(self, message: Mapping[str, Any]) -> None:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o640)
        except OSError as error:
            raise Temporary(f"the sink's file {self.path} cannot be written: {error}") from error
        try:
            self._append(handle, message)
        except OSError as error:
            raise Temporary(f"the sink's file {self.path} cannot be written: {error}") from error
        finally:
            os.close(handle)

    def _append(self, handle: int, message: Mapping[str, Any]) -> None:
        size = os.fstat(handle).st_size
        torn = False
        if size > 0:
            os.lseek(handle, -1, os.SEEK_END)
            torn = os.read(handle, 1) != b"\n"  # the machine stopped within a line
        lines = json.dumps(message) + "\n" if self.form == "json" else _csv(message, header=size == 0)
        content = (b"\n" if torn else b"") + lines.encode()
        try:
            if os.write(handle, content) < len(content):
                raise OSError("the disk took a part of the line only")
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise


class Webhook(Forgetless):
    """A POST of the message; any answer of 2xx counts as delivered."""

    def __init__(self, server: Server):
        self.server = server

    def send(self, message: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(message["key"])}
        self.server.send("", json.dumps(message).encode(), headers)


class Alertmanager:
    """Alertmanager's API: it forgets an alert that is not told again, and misses one that is over too soon.

    It takes the later end of two unless the newer one is past: so an alert is told with an end after `hold`, one that is still
    open is given longer by `refresh`, and one that is over ends at once, unless it was told just now.
    """

    def __init__(self, server: Server, labels: Mapping[str, str], hold: int, patience: int):
        self.server, self.labels, self.hold, self.patience = server, labels, hold, max(patience, hold)
        self._told: set[str] = set()

    def send(self, message: Mapping[str, Any]) -> None:
        if message["event"] != "resolved":
            self._told |= {alert["key"] for alert in message["alerts"]}
        self._post([self._alert(message["job"], alert, self.hold * (alert["key"] in self._told)) for alert in message["alerts"]])

    def refresh(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        if alerts:
            self._post([self._alert(alert["job"], alert, self.patience) for alert in alerts])

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        self.server.send("/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"})

    def _alert(self, job: str, alert: Mapping[str, Any], stays: int) -> dict[str, Any]:
        labels = {
            "alertname": f"tsprune_{alert['kind']}",
            "tsprune_job": job,
            "series": alert["series"] or "-",
            "key": alert["key"],
            **self.labels,
        }
        told = {name: alert[name] for name in ("score", "threshold", "column", "value", "expected", "rows") if alert.get(name) is not None}
        moment = now()
        return {
            "labels": labels,
            "annotations": {"summary": alert["summary"], **{name: str(value) for name, value in told.items()}},
            "startsAt": iso(min(parse_time(alert["first"]), moment)),
            "endsAt": iso(moment + stays),
        }


def _csv(message: Mapping[str, Any], *, header: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    if header:
        writer.writerow(_CSV)
    for alert in message["alerts"]:
        row = {**alert, "event": message["event"], "job": message["job"]}
        writer.writerow([tame(row.get(name)) for name in _CSV])
    return text.getvalue()


def tame(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: texts that look like one get an apostrophe, numbers stay.

    >>> from tsprune.monitor.sinks import tame
    >>> tame("=1+1"), tame(-3.5), tame("load")
    ("'=1+1", -3.5, 'load')
    """
    if not isinstance(value, str):
        return value
    flat = value.replace("\r", "\\r").replace("\n", "\\n")
    return f"'{flat}" if value.lstrip().startswith(_FORMULA) or value.startswith(_FORMULA) else flat
