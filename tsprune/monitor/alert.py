"""From alarm rows to alerts: how long, how far apart, since when, until when.

An alert begins with its first alarm row, fires when alarm rows have lasted long enough, and is over when there was none for
the cool-down.  Everything follows from the times of rows, never from the clock on the wall, and the walk can stop after any
row and go on from what it knew there: in one run, in many, and after a crash the same alerts come out.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tsprune.monitor.score import Scored
    from tsprune.monitor.sections import AlertRules
    from tsprune.types import Ints


@dataclass(frozen=True)
class Peak:
    """The row of an alert that is told: the one farthest from what was expected; where that is not known, of the highest score."""

    time: int
    score: float  # the highest of the alert
    threshold: float
    column: str | None = None
    value: float | None = None
    expected: float | None = None
    far: float = -1.0  # distance of value and expected, in everyday deviations; -1 where not known

    def joined(self, later: Peak) -> Peak:
        """The peak of both."""
        told = later if (later.far, later.score) > (self.far, self.score) else self
        return replace(told, score=max(self.score, later.score))


@dataclass(frozen=True)
class Episode:
    """Alarm rows that belong together."""

    first: int
    last: int
    n_rows: int
    peak: Peak
    fired: int | None = None  # the row at which they had lasted long enough

    def to_text(self) -> str:
        """For the store."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> Episode | None:
        """From the store; nothing is no episode."""
        if not text:
            return None
        found = json.loads(text)
        return cls(**{**found, "peak": Peak(**found["peak"])})


@dataclass(frozen=True)
class Alert:
    """An episode that has fired, or a series that is missing: what is told, acknowledged and kept."""

    key: str
    series: str
    kind: str  # "anomaly", "missing"
    state: str  # "open", "over", "withdrawn" (rows that came late have taken it back)
    first: int
    fired: int
    last: int
    over: int | None
    n_rows: int
    peak: Peak
    told: int = 0  # messages so far
    told_state: str = ""  # what the last one said: "", "firing", "resolved", or "silenced" for good
    told_at: int | None = None
    acknowledged: str | None = None


@dataclass(frozen=True)
class Walk:
    """What a walk over the rows of a series has found."""

    found: tuple[tuple[Episode, int | None], ...]  # episodes that have fired; the row by which one was over
    settled: Episode | None  # what was known at the settled row, to go on from


def walk(episode: Episode | None, times: Ints, scored: Scored, peaks: Peaks, rules: AlertRules, *, settled: int, patience: int) -> Walk:
    """Go over the rows of one series in order of time.

    Parameters
    ----------
    episode : Episode or None
        What was known before the first row.
    times : ndarray of int, shape (n,)
    scored : Scored
        Of these rows.
    peaks : Peaks
    rules : AlertRules
    settled : int
        Rows after this time may come again.
    patience : int
        Alarm rows farther apart than this have not lasted.

    Returns
    -------
    Walk
    """
    found: list[tuple[Episode, int | None]] = []
    kept = episode
    there = np.flatnonzero(~np.isnan(scored.score))
    for i, time, alarm in zip(there.tolist(), times[there].tolist(), scored.alarm[there].tolist(), strict=True):
        if alarm:
            if episode is not None and episode.fired is None and time - episode.last > patience:
                episode = None
            peak = peaks.at(i, time)
            episode = Episode(time, time, 1, peak) if episode is None else _longer(episode, time, peak)
            if episode.fired is None and time - episode.first >= rules.for_:
                episode = replace(episode, fired=time)
        elif episode is not None and (episode.fired is None or time - episode.last >= rules.cool_down):
            if episode.fired is not None:
                found.append((episode, time))
            episode = None
        if time <= settled:
            kept = episode
    if episode is not None and episode.fired is not None:
        found.append((episode, None))
    return Walk(tuple(found), kept)


def _longer(episode: Episode, time: int, peak: Peak) -> Episode:
    return replace(episode, last=time, n_rows=episode.n_rows + 1, peak=episode.peak.joined(peak))


@dataclass(frozen=True)
class Peaks:
    """What is told of a row, where it is asked for."""

    scored: Scored
    columns: tuple[str, ...]

    def at(self, row: int, time: int) -> Peak:
        """One row as the peak of an alert."""
        scored, column = self.scored, int(self.scored.column[row])
        name = self.columns[column] if column >= 0 else None
        told = (_known(scored.value[row]), _known(scored.expected[row]), float(scored.far[row]))
        return Peak(time, float(scored.score[row]), float(scored.limit[row]), name, *told)


def _known(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def reconciled(series: str, walked: Walk, known: Sequence[Alert], *, job: str, since: int) -> Iterator[Alert]:
    """The alerts of a series as they now are, each under the key it was first given.

    Rows that came late may have moved an alert's first row, or taken the alert back: `known` are those that the store has from
    after `since`, and those that are open.
    """
    left = {alert.key: alert for alert in known}
    for episode, over in walked.found:
        old = next((alert for alert in left.values() if alert.first <= episode.last and episode.first <= alert.last), None)
        state = "open" if over is None else "over"
        if old is not None:
            del left[old.key]
            new = replace(old, state=state, first=episode.first, last=episode.last, over=over, n_rows=episode.n_rows, peak=episode.peak)
            if new != old:
                yield new
        else:
            assert episode.fired is not None
            key = alert_key(job, series, "anomaly", episode.first)
            yield Alert(key, series, "anomaly", state, episode.first, episode.fired, episode.last, over, episode.n_rows, episode.peak)
    for alert in left.values():
        if alert.first > since and alert.state != "withdrawn":
            yield replace(alert, state="withdrawn", over=alert.last)


def alert_key(*parts: Any) -> str:
    """The name under which an alert, or a message, is known everywhere: the same parts give the same key.

    >>> from tsprune.monitor.alert import alert_key
    >>> alert_key("taxi", "total", "anomaly", 0) == alert_key("taxi", "total", "anomaly", 0)
    True
    """
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]


def touched(rows: Iterable[Alert]) -> dict[str, list[Alert]]:
    """Alerts by series."""
    by_series: dict[str, list[Alert]] = {}
    for alert in rows:
        by_series.setdefault(alert.series, []).append(alert)
    return by_series
