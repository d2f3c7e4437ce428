"""What the stages of a fitted pipeline cost: seconds to fit, microseconds per row, bytes; and what they let through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import NotPrunable
from tsprune.evaluate import us_per_row
from tsprune.series.stage import Stage
from tsprune.series.table import Table, read_table

if TYPE_CHECKING:
    import pandas as pd


def energy_kept(pipeline: Any, clean: pd.DataFrame, changed: pd.DataFrame) -> dict[str, float]:
    """Of each signal stage the share of the injected anomalies' energy that comes out of it, in the unit that goes in."""
    before, after = (read_table(frame, clock=pipeline.clock_) for frame in (clean, changed))
    kept = {}
    for name, stage in pipeline.named_stages_.items():
        if not isinstance(stage, Stage):
            break
        kept[name] = stage.energy_kept(before, after)
        before, after = (stage.through(table) for table in (before, after))
    return kept


def prices(pipeline: Any, table: Table, energy: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Per stage: seconds to fit, microseconds per row, bytes, fidelity, facts."""
    found = {}
    for name, fitted in pipeline.named_stages_.items():
        found[name] = {
            "fit_seconds": pipeline.fit_seconds_[name],
            "us_per_row": _latency(fitted, table),
            "bytes": bytes_of(fitted.part_),
            "fidelity": getattr(fitted, "fidelity_", float("nan")),
            "ceiling": getattr(fitted, "ceiling_", float("nan")),
            "energy_kept": energy.get(name, float("nan")),
            "facts": fitted.facts() if hasattr(fitted, "facts") else {},
        }
        if isinstance(fitted, Stage):
            table = fitted.through(table)
    return found


def _latency(fitted: Any, table: Table) -> float:
    part, values = fitted.part_, table.values
    if isinstance(fitted, Stage):
        return us_per_row(lambda n: part.apply(values[:n], table.slots.taken(slice(0, n))), len(values))
    if not hasattr(part, "anomaly_score"):
        return 0.0
    complete = values[~np.isnan(values).any(axis=1)]
    return us_per_row(lambda n: part.anomaly_score(complete[:n]), len(complete)) if len(complete) else float("nan")


def bytes_of(part: Any) -> float:
    try:
        return float(part.nbytes)
    except NotPrunable:
        return float("nan")
