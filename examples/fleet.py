"""Which hosts are bad?  A thousand simulated ones, then real machines and services where the shared data lie beside the project.

python examples/fleet.py
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

import tsprune as tsp

SHARED = Path(os.environ.get("TSPRUNE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"


def simulated_hosts(n_hosts: int = 1000, days: int = 16, n_bad: int = 10) -> tuple[pd.DataFrame, list[str]]:
    """Loads by the hour, each host on its own level, scale and time of day; ten of them fail within the last two days."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-06-01", periods=24 * days, freq="h")
    hour = np.arange(len(index))[:, None] % 24
    day = np.exp(-0.5 * ((hour - rng.uniform(11, 15, n_hosts)) / 3.0) ** 2)
    scale = rng.uniform(1, 10, n_hosts)
    values = rng.uniform(0, 100, n_hosts) + scale * (4 * day + 0.4 * rng.normal(size=(len(index), n_hosts)))
    bad = np.sort(rng.permutation(n_hosts)[:n_bad])
    for k, host in enumerate(bad):
        start = len(index) - 36 + 2 * k
        fault = [5 * np.ones(8), np.linspace(0, 6, 16), rng.normal(size=12) * 3][k % 3]  # a jump, a creep, a flutter
        values[start : start + len(fault), host] += scale[host] * fault[: len(index) - start]
    frame = pd.DataFrame(values, index=index, columns=[f"host-{k:04d}" for k in range(n_hosts)])
    return frame, list(frame.columns[bad])


def worst(model: tsp.panel.PanelModel, history: pd.DataFrame, recent: pd.DataFrame, count: int) -> list[str]:
    """The series with the most rows in alarm."""
    alarms = tsp.panel.detect(model, recent, context=history[-model.lookback :])
    return sorted(alarms.sum().sort_values(ascending=False, kind="stable").index[:count])


def find_bad_hosts() -> None:
    hosts, bad = simulated_hosts()
    history, recent = hosts[:-48], hosts[-48:]
    model = tsp.panel.fit(history, clusters=1)
    found = worst(model, history, recent, len(bad))
    print(f"{model}\n{model.nbytes / len(model.series):.0f} bytes per host; bad hosts: {', '.join(found)}")
    assert len(set(found) & set(bad)) >= len(bad) - 1, f"found {found}, and {bad} are bad"


def find_incidents_of_machines() -> None:
    """SMD: each metric is a series of the fleet; a machine is as bad as its metrics are loud."""
    files = sorted((SHARED / "smd").glob("*.parquet"))
    if not files:
        print("no real machines: the shared data are absent")
        return
    precisions, chances = [], []
    for file in files:
        frame = pd.read_parquet(file).reset_index(drop=True)
        metrics = frame.drop(columns=[c for c in frame if c in ("timestamp", "label") or c.startswith("_")]).astype(float)
        half = len(frame) // 2
        history = metrics[half - 4000 : half]
        history = history.loc[:, history.std() > 1e-6]
        model = tsp.panel.fit(history, tsp.Pipeline([tsp.Windows(16, "point"), tsp.Pruned("iforest", random_state=0)]), clusters=1)
        scores = tsp.panel.score(model, metrics.loc[half:, history.columns])
        loud = (scores - model.thresholds).clip(lower=0.0).sum(axis=1)
        labels = frame["label"].to_numpy()[half:]
        precisions.append(tsp.metrics.average_precision(labels, loud.to_numpy()))
        chances.append(labels.mean())
        print(f"{file.stem}: {len(model.series)} metrics, average precision {precisions[-1]:.2f} (chance {chances[-1]:.2f})")
    assert np.mean(precisions) > 2 * np.mean(chances)


def find_incidents_of_services() -> None:
    """KPI: services with steps of one and five minutes in one long frame, one model, one detector."""
    files = sorted((SHARED / "kpi").glob("*.parquet"))
    if not files:
        print("no real services: the shared data are absent")
        return
    long = pd.concat([pd.read_parquet(file, columns=["timestamp", "value", "label"]).assign(unique_id=file.stem) for file in files])
    long = long.rename(columns={"timestamp": "ds", "value": "y"}).drop_duplicates(["unique_id", "ds"], ignore_index=True)
    row, half = long.groupby("unique_id").cumcount(), long.groupby("unique_id")["y"].transform("size") // 2
    history, recent = long[(row >= half - 20_000) & (row < half)], long[(row >= half) & (row < half + 40_000)]
    model = tsp.panel.fit(history, clusters=1)
    scores = tsp.panel.score(model, recent, context=history)["score"]
    print(f"{model}; steps {', '.join(str(step) for step in sorted(set(model.facts()['step'])))}")
    precisions, chances = [], []
    for name, rows in recent.groupby("unique_id"):
        if rows["label"].any():
            precisions.append(tsp.metrics.average_precision(rows["label"].to_numpy(), scores[rows.index].to_numpy()))
            chances.append(rows["label"].mean())
            print(f"{name}: average precision {precisions[-1]:.2f} (chance {chances[-1]:.2f})")
    assert np.mean(precisions) > 3 * np.mean(chances)


if __name__ == "__main__":
    find_bad_hosts()
    find_incidents_of_machines()
    find_incidents_of_services()
