"""The tables of a job file: what is read, when, with which model, what is an alarm, who is told, what is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tsprune.errors import BadParameter
from tsprune.monitor import fields as f
from tsprune.monitor.fields import setting
from tsprune.monitor.moments import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping


def _steps(value: Any) -> tuple[Any, ...]:
    """Names of stages, or tables of a name (`use`) and its arguments."""
    listed = value if isinstance(value, list) else [value]
    for step in listed:
        if not isinstance(step, str) and not (isinstance(step, dict) and isinstance(step.get("use"), str)):
            raise BadParameter(f"{step!r} is no step; it is a name, or a table such as {{ use = 'windows', length = 24 }}.")
    if not listed:
        raise BadParameter("the list is empty; it ends with a detector.")
    return tuple(listed)


@dataclass(frozen=True)
class Schedule:
    """When rows are expected, and which of them a run looks at; durations in nanoseconds."""

    every: int = setting(f.duration, "1h", what="how often the scheduler starts the job: a hint by which lateness is judged")
    start: int = setting(f.duration, "1d", what="a series seen for the first time is scored from so long ago")
    late: int = setting(f.duration, "0s", what="rows that come so late are still scored, and what follows them again")
    delay: int = setting(f.duration, "0s", what="rows younger than this are left to the next run: their source may still change them")
    future: int = setting(f.duration, "5min", what="rows stamped further ahead than this are reported; all rows ahead of now wait")
    missing_after: int | None = setting(f.duration, None, what="without a row for so long a series is missing; 3 x every")
    forget_after: int = setting(f.duration, "30d", what="a series without a row for so long is no longer expected")

    def __post_init__(self) -> None:
        if self.every < SECOND:
            raise BadParameter("every is below a second.")

    @property
    def patience(self) -> int:
        """How long a series may be silent."""
        return 3 * self.every if self.missing_after is None else self.missing_after


@dataclass(frozen=True)
class FileSource:
    """CSV or Parquet files, one or many by a pattern, with columns of times, values and, where it likes, series."""

    kind: str = setting(f.choice("csv", "parquet"), what='"csv" or "parquet"')
    path: str = setting(f.text, what="a file, or a pattern such as `logs/*.csv`")
    time: str = setting(f.text, "time", what="column of times")
    values: tuple[str, ...] | None = setting(f.words, None, what="those of the model, in its order")
    series: str | None = setting(f.text, None, what="column that names the series; without it all rows are of one, named as the job")
    zone: str = setting(f.text, "UTC", what="of times that are written without one")


@dataclass(frozen=True)
class SqlSource:
    """A table, or a query, of any SQL database; it is only read."""

    kind: str = setting(f.choice("sql"), what='"sql"')
    url: str = setting(f.text, what="`sqlite:///PATH`, or any URL that SQLAlchemy knows; `${NAME}` is taken from the environment")
    table: str | None = setting(f.text, None, what="a table or view")
    query: str | None = setting(f.text, None, what="or one statement that begins with SELECT or WITH")
    time: str = setting(f.text, "time", what="column of times")
    values: tuple[str, ...] | None = setting(f.words, None, what="those of the model, in its order")
    series: str | None = setting(f.text, None, what="column that names the series; without it all rows are of one, named as the job")
    zone: str = setting(f.text, "UTC", what="of times that are written without one")

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise BadParameter("give one of table and query.")


@dataclass(frozen=True)
class PrometheusSource:
    """Range queries of a Prometheus server, one per column of the model."""

    kind: str = setting(f.choice("prometheus"), what='"prometheus"')
    url: str = setting(f.text, what="the server")
    queries: Mapping[str, str] = setting(f.texts, what="column of the model -> PromQL")
    series: tuple[str, ...] | None = setting(f.words, None, what="labels that name a series; all of them")
    token_env: str | None = setting(f.text, None, what="environment variable that holds a bearer token")
    token_file: str | None = setting(f.text, None, what="or a file that does")
    allow_http: bool = setting(f.flag, False, what="take an address without encryption on another machine")
    timeout: float = setting(f.positive, 30, what="seconds")


@dataclass(frozen=True)
class ModelChoice:
    """A model file, or how to learn a model; and where its alarms begin."""

    file: str | None = setting(f.text, None, what="a saved model; a new file here goes to work with the next run")
    steps: tuple[Any, ...] | None = setting(
        _steps, None, what="how to learn one: names of stages, or tables of a name (`use`) and its arguments; the last is a detector"
    )
    keep: float | None = setting(f.positive, None, what="share of the detector's parts; without: as few as the guard lets")
    history: int = setting(f.duration, "60d", what="what is learned from")
    learn_from: str | None = setting(f.text, None, what="the series learned from; the one with the most rows")
    seed: int = setting(f.whole, 0, what="of everything random")
    threshold: float | None = setting(f.number, None, what="an alarm is a score above it; without, that of the model")
    alarms_per_week: float | None = setting(f.positive, None, what="or a budget, from which the threshold is set by the rows of `history`")

    def __post_init__(self) -> None:
        if self.file is None and self.steps is None:
            raise BadParameter("give file, a saved model, or steps, how to learn one.")
        if self.threshold is not None and self.alarms_per_week is not None:
            raise BadParameter("give threshold or alarms_per_week, not both.")


@dataclass(frozen=True)
class AlertRules:
    """Which rows above the threshold become an alert."""

    for_: int = setting(f.duration, "0s", what="alarm rows must last so long")
    cool_down: int = setting(f.duration, "0s", what="an alert is over after so long without an alarm row; until then no new one begins")
    direction: str = setting(f.choice("both", "above", "below"), "both", what='"both", "above" or "below" the expected value')
    min_absolute: float = setting(f.positive, 0, what="of value minus expected, in the unit of the series")
    min_relative: float = setting(f.positive, 0, what="of the same, as a share of the expected value")
    group_by: str = setting(f.text, "series", what='alerts of one run in one message: "series", "job", or a pattern with one group')
    remind: int | None = setting(f.duration, None, what="an alert that nobody acknowledged is told again after so long")

    def __post_init__(self) -> None:
        if self.group_by not in ("series", "job"):
            try:
                groups = re.compile(self.group_by).groups
            except re.error as error:
                raise BadParameter(f"group_by {self.group_by!r} is no pattern: {error}.") from error
            if groups != 1:
                raise BadParameter(f"group_by {self.group_by!r} has {groups} groups; it has one, such as '^([a-z]+)-'.")

    @property
    def needs_expected(self) -> bool:
        """Whether a rule asks how far a value is from the expected one."""
        return self.direction != "both" or self.min_absolute > 0.0 or self.min_relative > 0.0


@dataclass(frozen=True)
class StdoutSink:
    """JSON lines on stdout."""

    kind: str = setting(f.choice("stdout"), what='"stdout"')
    name: str = setting(f.name, "stdout", what="must differ between sinks")


@dataclass(frozen=True)
class FileSink:
    """Lines appended to a file."""

    kind: str = setting(f.choice("file"), what='"file"')
    path: str = setting(f.text, what="the file; its folder must exist")
    name: str = setting(f.name, "file", what="must differ between sinks")
    format: str = setting(f.choice("json", "csv"), "json", what='"json" (lines) or "csv"')


@dataclass(frozen=True)
class WebhookSink:
    """A POST of JSON."""

    kind: str = setting(f.choice("webhook"), what='"webhook"')
    url: str = setting(f.text, what="gets a POST of JSON per message, with an Idempotency-Key")
    name: str = setting(f.name, "webhook", what="must differ between sinks")
    token_env: str | None = setting(f.text, None, what="environment variable that holds a bearer token")
    token_file: str | None = setting(f.text, None, what="or a file that does")
    allow_http: bool = setting(f.flag, False, what="take an address without encryption on another machine")
    timeout: float = setting(f.positive, 10, what="seconds")


@dataclass(frozen=True)
class AlertmanagerSink:
    """Alertmanager's API, version 2."""

    kind: str = setting(f.choice("alertmanager"), what='"alertmanager"')
    url: str = setting(f.text, what="the server")
    name: str = setting(f.name, "alertmanager", what="must differ between sinks")
    labels: Mapping[str, str] | None = setting(f.texts, None, what="added to those of every alert")
    hold: int = setting(f.duration, "5min", what="an alert stays at least so long, that Alertmanager cannot miss a short one")
    token_env: str | None = setting(f.text, None, what="environment variable that holds a bearer token")
    token_file: str | None = setting(f.text, None, what="or a file that does")
    allow_http: bool = setting(f.flag, False, what="take an address without encryption on another machine")
    timeout: float = setting(f.positive, 10, what="seconds")


@dataclass(frozen=True)
class Keeping:
    """Where scores, alerts and cursors are kept, and for how long."""

    url: str | None = setting(f.text, None, what="sqlite:///NAME.db beside the job file")
    keep: int = setting(f.duration, "90d", what="scores")
    keep_alerts: int = setting(f.duration, "400d", what="alerts that are over, their messages, and the log of runs")


@dataclass(frozen=True)
class Textfile:
    """A file of metrics for Prometheus' node exporter."""

    textfile: str | None = setting(f.text, None, what="such as `/var/lib/prometheus/node-exporter/NAME.prom`")


@dataclass(frozen=True)
class Refit:
    """When a new model is learned, and how it is judged beside the old one."""

    policy: str = setting(f.choice("never", "drift", "every"), "never", what='"never", "drift", or "every"')
    every: int = setting(f.duration, "7d", what='with "drift" the least time between two')
    recent: int = setting(
        f.duration, "14d", what="the last rows; every other stretch of them is held back from learning, and both are judged there"
    )
    quality_loss: float = setting(f.positive, 0.01, what="how much worse the new one may be on injected anomalies")


Source: TypeAlias = FileSource | SqlSource | PrometheusSource
Sink: TypeAlias = StdoutSink | FileSink | WebhookSink | AlertmanagerSink
