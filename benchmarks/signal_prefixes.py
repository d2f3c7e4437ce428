"""How far a season should follow its last cycles, judged without labels: anomalies injected into the anomaly-free prefixes of the UCR series.

Learned on the first 60 % of a prefix; eight anomalies, one at a time, are written into the rest.  A hit is a largest residual within it, or
within 2 % of the judged rows around it.  Means over sources, each the mean of its series; intervals by drawing sources again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.signal_scores import Labelled, labelled, mean_interval
from benchmarks.tables import SHARED
from tsprune.series.inject import inject
from tsprune.series.table import read_table
from tsprune.signal import Deseason, Detrend

EVENTS, LEARNED = 8, 0.6
ADAPT: tuple[float | str, ...] = (0.0, 1.0, np.inf, "auto")


def run(quick: bool = False) -> None:
    if not (SHARED / "data" / "manifest.csv").exists():
        return
    chosen = [series for series in labelled(quick) if series.family == "ucr"]
    table = pd.DataFrame([row for seed, series in enumerate(chosen) for row in _judged(series, seed)])
    hits = table.groupby(["group", "adapt"], sort=False)["hit"].mean().unstack("adapt")
    print(
        f"injected into {table.name.nunique()} UCR prefixes of {len(hits)} sources, share of {len(table) // len(ADAPT)} events hit at once"
    )
    for adapt in hits:
        gain = hits[adapt] - hits["0.0"]
        low, high = mean_interval(gain.to_numpy())
        told = f"{gain.mean():+.3f} [{low:+.3f}, {high:+.3f}], sources won/lost {(gain > 0).sum()}/{(gain < 0).sum()}"
        print(f"adapt={adapt:5} {hits[adapt].mean():.3f}; against adapt=0 {told}", flush=True)


def _judged(series: Labelled, seed: int) -> Iterator[dict[str, object]]:
    x = series.values[: series.n_train]
    cut = int(LEARNED * len(x))
    changed, _, events = inject(x[cut:], n_events=EVENTS, random_state=seed)
    around = max(10, (len(x) - cut) // 50)
    for adapt in ADAPT:
        table = read_table(x[:cut])
        season = Deseason(adapt=adapt).learn(table)
        trend = Detrend().learn(season.through(table))
        for event in events.itertuples():
            rows = x.copy()
            rows.loc[event.start : event.end] = changed.loc[event.start : event.end]
            score = np.abs(trend.transform(season.transform(rows)).to_numpy()).max(axis=1)[cut:]
            top = x.index[cut + int(np.nanargmax(score))]
            hit = event.start - around <= top <= event.end + around
            yield {"name": series.name, "group": series.group, "adapt": str(adapt), "hit": float(hit)}
