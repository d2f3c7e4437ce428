"""What is to be told of alerts, to whom, and in which words.

A message is written into the outbox in the transaction that changes its alert; only then is it delivered.  Its key depends
on nothing but what it says, so a receiver can tell the second delivery of a message from a second message.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tsprune.monitor.alert import Alert, alert_key
from tsprune.monitor.moments import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tsprune.monitor.sections import AlertRules

#: Alerts in one message at the most.
_TOGETHER = 200


@dataclass(frozen=True)
class Silence:
    """Series of which nothing is told for a while."""

    pattern: str
    since: int
    until: int

    def covers(self, series: str, moment: int) -> bool:
        """Whether it holds for a series at a time."""
        return self.since <= moment < self.until and fnmatchcase(series, self.pattern)


@dataclass(frozen=True)
class Message:
    """One entry of the outbox, for every sink."""

    key: str
    body: str


@dataclass(frozen=True)
class Telling:
    """Who is told what: the rules of a job at a moment."""

    job: str
    rules: AlertRules
    silences: Sequence[Silence]
    as_of: int

    def of(self, alerts: Iterable[Alert]) -> tuple[list[Alert], list[Message]]:
        """The alerts with what was told of them, and the messages that tell it, in order of time."""
        kept, events = [], []
        for alert in alerts:
            news, told = self._news(alert)
            kept.append(told)
            events += [(event, replace(told, told=alert.told + i + 1)) for i, event in enumerate(news)]
        events.sort(key=lambda pair: (_moment(*pair), pair[1].series, pair[1].key, pair[1].told))
        return kept, self._messages(events)

    def _news(self, alert: Alert) -> tuple[tuple[str, ...], Alert]:
        silent = any(silence.covers(alert.series, self.as_of) for silence in self.silences)
        news: tuple[str, ...] = ()
        state = alert.told_state
        if alert.state == "open":
            if state != "firing":
                news, state = ((), state) if silent else (("firing",), "firing")
            elif self._is_due(alert) and not silent:
                news = ("reminder",)
        elif state == "firing":
            news, state = ("resolved",), "resolved"
        elif state == "":
            firing = alert.state == "over" and not silent
            news, state = (("firing", "resolved"), "resolved") if firing else ((), "silenced")
        told_at = self.as_of if news else alert.told_at
        return news, replace(alert, told=alert.told + len(news), told_state=state, told_at=told_at)

    def _is_due(self, alert: Alert) -> bool:
        waited = self.rules.remind is not None and alert.told_at is not None and self.as_of - alert.told_at >= self.rules.remind
        return waited and alert.acknowledged is None

    def _messages(self, events: Sequence[tuple[str, Alert]]) -> list[Message]:
        """Neighbouring events of one group in one message."""
        messages: list[Message] = []
        for (event, kind, _), together in groupby(events, key=lambda pair: (pair[0], pair[1].kind, self._group(pair[1]))):
            alerts = [alert for _, alert in together]
            messages += [self._message(event, kind, alerts[start : start + _TOGETHER]) for start in range(0, len(alerts), _TOGETHER)]
        return messages

    def _group(self, alert: Alert) -> str:
        if alert.kind == "missing" or self.rules.group_by == "job":
            return ""
        if self.rules.group_by == "series":
            return f"{alert.series}\0{alert.key}"
        match = re.search(self.rules.group_by, alert.series)
        return alert.series if match is None else match[1] or ""

    def _message(self, event: str, kind: str, alerts: Sequence[Alert]) -> Message:
        key = alert_key(event, *(part for alert in alerts for part in (alert.key, alert.told)))
        body = {"key": key, "event": event, "job": self.job, "kind": kind, "alerts": [described(alert) for alert in alerts]}
        return Message(key, json.dumps(body, separators=(",", ":"), allow_nan=False))


def _moment(event: str, alert: Alert) -> int:
    return alert.fired if event == "firing" else alert.over or alert.last


def described(alert: Alert) -> dict[str, Any]:
    """An alert as JSON-able facts; times as ISO text."""
    peak = alert.peak
    facts: dict[str, Any] = {"key": alert.key, "series": alert.series, "kind": alert.kind, "state": alert.state}
    facts |= {"first": iso(alert.first), "fired": iso(alert.fired), "last": iso(alert.last)}
    facts |= {"over": None if alert.over is None else iso(alert.over), "rows": alert.n_rows}
    if alert.kind == "anomaly":
        facts |= {"peak": iso(peak.time), "score": peak.score, "threshold": peak.threshold}
        facts |= {"column": peak.column, "value": peak.value, "expected": peak.expected}
    return facts | {"summary": summary(alert)}


def summary(alert: Alert) -> str:
    """One sentence for a person, in the unit of the series.

    >>> from tsprune.monitor.alert import Alert, Peak
    >>> from tsprune.monitor.tell import summary
    >>> summary(Alert("k", "total", "anomaly", "open", 0, 0, 0, None, 1, Peak(0, 0.7, 0.6, "riders", 120.0, 815.5)))
    'total: riders is 120, expected 815.5, at 1970-01-01T00:00:00Z (score 0.7 above 0.6; 1 row)'
    """
    if alert.kind == "missing":
        return f"{alert.series or 'all series'}: no row since {iso(alert.first)}"
    peak = alert.peak
    what = f"{peak.column} is {peak.value:g}" if peak.column is not None and peak.value is not None else "unusual"
    usual = "" if peak.expected is None else f", expected {peak.expected:g}"
    rows = f"{alert.n_rows} row{'s' if alert.n_rows != 1 else ''}"
    return f"{alert.series}: {what}{usual}, at {iso(peak.time)} (score {peak.score:.4g} above {peak.threshold:.4g}; {rows})"
