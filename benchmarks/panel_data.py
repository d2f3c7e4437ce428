"""Real fleets: the metrics of machines (SMD) and the key figures of services (KPI), where they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.tables import SHARED


def real_fleets(quick: bool = False) -> dict[str, pd.DataFrame]:
    """Wide frames of training rows, a column for each series; none where the shared data are absent."""
    found = {}
    for machine in sorted((SHARED / "data" / "smd").glob("*.parquet"))[: 1 if quick else None]:
        frame = pd.read_parquet(machine)
        values = frame[[c for c in frame if c not in ("timestamp", "label") and not c.startswith("_")]].astype(float)
        history = values[: len(values) // 3]
        found[f"SMD {machine.stem}"] = history.loc[:, history.std() > 1e-6]
    kpi = sorted((SHARED / "data" / "kpi").glob("*.parquet"))
    if kpi and not quick:
        found["KPI"] = pd.concat([_key_figure(path) for path in kpi], ignore_index=True)
    return found


def _key_figure(path: Path, rows: int = 10_000) -> pd.DataFrame:
    frame = pd.read_parquet(path, columns=["timestamp", "value"])[:rows].drop_duplicates("timestamp", keep="last")
    return frame.rename(columns={"timestamp": "ds", "value": "y"}).assign(unique_id=path.stem)
