"""A full ledger: five stages, three detectors, 200 resamples, 100,000 rows; seconds of the wall and of the processor.

The first half is learned, the second judged, on labels.  Every stage is left out and added alone: 11 pipelines are refitted per detector.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

N, TARGET = 100_000, 60.0


def run(quick: bool = False) -> None:
    import tsprune as tsp

    n = N // 10 if quick else N
    rows, labels = a_service(n)
    print(f"{n:,} rows, half to learn, half to judge; {int((labels.diff() == 1).sum())} events")
    print(f"{'detector':<10}{'fit s':>8}{'report s':>10}{'processor s':>13}   verdicts by vus_pr")
    total = 0.0
    for name in ("iforest", "ocsvm", "lof"):
        pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Detrend(), tsp.Windows(), tsp.SelectFeatures(), tsp.Pruned(name, random_state=0)])
        start = time.perf_counter()
        pipeline.fit(rows[: n // 2])
        fitted, work = time.perf_counter(), time.process_time()
        report = pipeline.report(rows[n // 2 :], labels[n // 2 :], n_boot=200)
        end = time.perf_counter()
        total += end - fitted
        told = ", ".join(f"{e.stage} {e.effect:+.3f} {e.verdict}" for e in report.stages if e.metric == "vus_pr" and np.isfinite(e.effect))
        print(f"{name:<10}{fitted - start:>8.1f}{end - fitted:>10.1f}{time.process_time() - work:>13.1f}   {told}", flush=True)
    print(f"three ledgers: {total:.0f} s (target {TARGET:.0f} s on 2 cores that do nothing else)")


def a_service(n: int, seed: int = 0) -> tuple[pd.Series, pd.Series]:
    """A load at 5-minute step with day, week, drift and noise; anomalies of all kinds in its second half."""
    import tsprune as tsp

    rng = np.random.default_rng(seed)
    t = np.arange(n)
    day, week = np.sin(2 * np.pi * t / 288), np.sin(2 * np.pi * t / 2016)
    load = pd.Series(
        10 + 3 * day + week + rng.normal(0, 0.4, n) + np.cumsum(rng.normal(0, 0.005, n)),
        index=pd.date_range("2026-01-01", periods=n, freq="5min"),
        name="load",
    )
    changed, labels, _ = tsp.inject(load[n // 2 :], n_events=40, random_state=seed)
    return pd.concat([load[: n // 2], changed]), pd.concat([pd.Series(0, index=load.index[: n // 2]), labels]).astype(int)
