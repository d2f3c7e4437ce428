"""The dead-man's switch: a series without rows is an alert of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tsprune.monitor.alert import Alert, Peak, alert_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.store import Cursor

_NO_PEAK = Peak(0, 0.0, 0.0)


def missing_alerts(
    cursors: Mapping[str, Cursor], opened: Sequence[Alert], config: JobConfig, as_of: int, begun: int
) -> tuple[list[Alert], bool]:
    """Alerts that begin or end now, and whether any series has a fresh row.

    Parameters
    ----------
    cursors : mapping of series to Cursor
    opened : sequence of Alert
        Of kind "missing", not over yet.
    config : JobConfig
    as_of : int
    begun : int
        The job's first run: a job that has never seen a row waits since then, for a series without a name.
    """
    patience, forget = config.schedule.patience, config.schedule.forget_after
    silent = {name: cursor.newest for name, cursor in cursors.items() if patience < as_of - cursor.newest <= forget}
    fresh = any(as_of - cursor.newest <= patience for cursor in cursors.values())
    if not cursors and as_of - begun > patience:
        silent = {"": next((alert.first for alert in opened if alert.series == ""), begun)}
    old = {alert.series: alert for alert in opened}
    over = [replace(alert, state="over", over=_end(alert, cursors, as_of)) for alert in opened if silent.get(alert.series) != alert.first]
    kept = {alert.series for alert in opened} - {alert.series for alert in over}
    new = [_begun(config.name, name, newest, patience) for name, newest in sorted(silent.items()) if name not in kept]
    return [*over, *(alert for alert in new if alert.series not in old or old[alert.series].key != alert.key)], fresh


def _begun(job: str, series: str, newest: int, patience: int) -> Alert:
    key = alert_key(job, series, "missing", newest)
    return Alert(key, series, "missing", "open", newest, newest + patience, newest, None, 0, replace(_NO_PEAK, time=newest))


def _end(alert: Alert, cursors: Mapping[str, Cursor], as_of: int) -> int:
    """The row that ended the silence; a series that is no longer expected ends it, too."""
    newest = cursors[alert.series].newest if alert.series in cursors else as_of
    return newest if newest > alert.first else as_of
