"""Metrics for Prometheus' node exporter: a text file that is there whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsprune.model.file import put

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: Label sets of one metric at the most: Prometheus pays for each.
_LABELS = 100

#: What each metric is; all are gauges.
HELP = {
    "last_success_timestamp_seconds": "When a run last did all it had to do.",
    "last_run_timestamp_seconds": "When the last run ended, whatever its exit code.",
    "exit_code": "Exit code of the last run.",
    "duration_seconds": "How long the last run took.",
    "rows_scored": "Rows that the last run gave a score.",
    "anomalies": "Alarm rows of the last run.",
    "data_lag_seconds": "Age of the newest row.",
    "model_age_seconds": "Age of the model at work.",
    "series": "Series that are expected to have rows.",
    "alerts_open": "Alerts that are not over.",
    "messages_pending": "Messages that no sink has taken yet.",
    "messages_refused": "Messages that a receiver would not take.",
    "rows_ahead": "Rows stamped with the future, which wait.",
    "drift": "Evidence that the model is stale; 1 and above is a drift.",
    "alert_open": "One for each open alert, the first 100.",
}


def render(job: str, metrics: Iterable[tuple[str, Mapping[str, str], float | None]]) -> str:
    """Metrics in Prometheus' text format.

    Parameters
    ----------
    job : str
    metrics : iterable of (name, labels, value)
        Names are those of `HELP`; a value of None is left out.

    Examples
    --------
    >>> from tsprune.monitor.textfile import render
    >>> print(render("taxi", [("exit_code", {}, 0.0)]), end="")
    # HELP tsprune_exit_code Exit code of the last run.
    # TYPE tsprune_exit_code gauge
    tsprune_exit_code{tsprune_job="taxi"} 0
    """
    by_name: dict[str, list[str]] = {}
    for name, labels, value in metrics:
        lines = by_name.setdefault(name, [])
        if value is not None and len(lines) < _LABELS:
            told = ",".join(f'{key}="{escaped(text)}"' for key, text in {"tsprune_job": job, **labels}.items())
            lines.append(f"tsprune_{name}{{{told}}} {value:.17g}\n")
    blocks = [
        f"# HELP tsprune_{name} {HELP[name]}\n# TYPE tsprune_{name} gauge\n{''.join(lines)}" for name, lines in by_name.items() if lines
    ]
    return "".join(blocks)


def escaped(text: str) -> str:
    """A label value in Prometheus' text format.

    >>> from tsprune.monitor.textfile import escaped
    >>> print(escaped('a"b\\\\c'))
    a\\"b\\\\c
    """
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\\\r")


def write(path: Path, text: str) -> None:
    """Replace the file; its readers are somebody else."""
    put(path, [text.encode()], mode=0o644)
