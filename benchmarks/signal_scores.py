"""What residuals are worth as anomaly scores, without any detector: average precision and top-1 hits on real labelled series.

Everything is learned on a prefix: 40 % of the KPI and NAB series, the anomaly-free prefix of the UCR ones; the rest is judged.
Two-sided STL alone sees the whole record.  Figures are means over sources (`group`), each the mean of its series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.tables import SHARED
from tsprune import metrics
from tsprune.kernels.fill import fill, phase_medians
from tsprune.kernels.stl import Settings, default_trend, stl
from tsprune.series.table import read_table
from tsprune.signal import Deseason, Detrend
from tsprune.signal.grid import on_grid

#: Rows of the longest KPI, and of the longest UCR series, that are looked at.
LONGEST, LONGEST_UCR = 130_000, 70_000
#: Rows around the event within which the highest score of a UCR series is a hit.
TOLERANCE = 100
CHANNELS = ("level", "innovation", "difference")


@dataclass(frozen=True)
class Labelled:
    """A series with labels, its source, and the number of rows that teach."""

    name: str
    family: str
    group: str
    values: pd.Series
    labels: np.ndarray
    n_train: int
    calendar: bool


def run(quick: bool = False) -> None:
    if not (SHARED / "data" / "manifest.csv").exists():
        print(f"no real series: {SHARED / 'data'} is absent (TSPRUNE_SHARED names the folder that holds it)")
        return
    rows = [row for series in labelled(quick) for row in judged(series)]
    table = pd.DataFrame(rows)
    table["set"] = table.family + np.where(table.family == "ucr", "", np.where(table.period > 0, " with a period", " without"))
    by_group = table.groupby(["set", "group", "method"], sort=False)[["ap", "hit"]].mean()
    means = by_group.groupby(["method", "set"], sort=False).mean().unstack("set")
    counts = table.groupby("set").agg(series=("name", "nunique"), sources=("group", "nunique"))
    print(
        "residuals as scores, means over sources: "
        + "; ".join(f"{s}: {r.series} series, {r.sources} sources" for s, r in counts.iterrows())
    )
    ap = means["ap"].rename(columns=lambda name: f"AP {name}")
    ap["UCR top-1 hit"] = means["hit"].get("ucr")
    print(ap.round(3).to_string())
    ucr = by_group.xs("ucr").unstack("method")
    for what, told in (("hit", "top-1 hit"), ("ap", "average precision")):
        own, gain = ucr[what]["chain"].to_numpy(), (ucr[what]["chain"] - ucr[what]["chain, adapt=0"]).to_numpy()
        low, high = mean_interval(own)
        print(f"UCR {told} of the chain, over sources: {own.mean():.3f} [{low:.3f}, {high:.3f}] (sources drawn again)", end="; ")
        low, high = mean_interval(gain)
        print(f"against adapt=0 {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    print(ucr["hit"].T.round(2).to_string())
    wide = table.pivot_table(index=["set", "name"], columns="method", values="ap")
    won = (wide["chain"] > wide["raw"] + 0.01).groupby("set").sum()
    lost = (wide["chain"] < wide["raw"] - 0.01).groupby("set").sum()
    print("chain against raw, series won/lost by more than .01: " + ", ".join(f"{s} {won[s]}/{lost[s]}" for s in won.index))


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % of the means of values that are drawn again."""
    means = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def labelled(quick: bool = False) -> Iterator[Labelled]:
    """The KPI, NAB and UCR series with events behind their prefix; every eighth of them where `quick`."""
    manifest = pd.read_csv(SHARED / "data" / "manifest.csv")
    chosen = manifest[manifest.family.isin(["kpi", "nab", "ucr"]) & (manifest.n_events > 0)]
    for row in chosen.iloc[:: 8 if quick else 1].itertuples():
        frame = pd.read_parquet(SHARED / "data" / row.path)
        values = frame[[c for c in frame if c not in ("timestamp", "label") and not c.startswith("_")]].iloc[:, 0].astype(float)
        timed = "timestamp" in frame
        if timed:
            values = values.set_axis(pd.DatetimeIndex(frame["timestamp"]))
        labels = frame["label"].to_numpy(int)
        if row.family == "ucr" and len(values) > LONGEST_UCR:
            continue
        values, labels = values[:LONGEST], labels[:LONGEST]
        n_train = int(row.train_len) if row.family == "ucr" else int(0.4 * len(values))
        if labels[n_train:].any():
            yield Labelled(row.name, row.family, row.group, values, labels, n_train, timed)


def judged(series: Labelled) -> Iterator[dict[str, object]]:
    """One row per method."""
    period, scores = residuals(series)
    labels = series.labels[series.n_train :]
    event = np.flatnonzero(labels)
    for method, score in scores.items():
        new = np.nan_to_num(np.abs(score[series.n_train :]))
        top = int(np.argmax(new))
        hit = float(event[0] - TOLERANCE <= top <= event[-1] + TOLERANCE) if series.family == "ucr" else np.nan
        ap = metrics.average_precision(labels, new)
        yield {
            "name": series.name,
            "family": series.family,
            "group": series.group,
            "period": period,
            "method": method,
            "ap": ap,
            "hit": hit,
        }


def residuals(series: Labelled) -> tuple[int, dict[str, np.ndarray]]:
    """The period that the prefix shows (0 for none), and the residual of each method, shape (n,)."""
    x, train = series.values, series.values.iloc[: series.n_train]
    season = Deseason().fit(train)
    periods = [round(p) for p in next(iter(season.periods_.values()))]
    period = periods[0] if periods else 0
    slots = season.clock_.slots(x.index.as_unit("ns").asi8 if series.calendar else np.arange(len(x))).absolute
    scores = {"raw": x - train.median(), "first difference": x.diff(), "two-sided STL": _two_sided(x.to_numpy(), slots, period)}
    scores["classic profile"] = _classic(x.to_numpy(), slots, period, series.n_train)
    scores |= _chains(series, season)
    return period, {name: np.asarray(score, dtype=np.float64) for name, score in scores.items()}


def _two_sided(values: np.ndarray, slots: np.ndarray, period: int) -> np.ndarray:
    grid = fill(on_grid(values, slots), max(period, 1))
    if not period or len(grid) < 2 * period:
        return values - np.median(values)
    settings = Settings(period, 13, default_trend(period, 13), period + 1 + period % 2, inner_iter=1, outer_iter=6)
    parts = stl(grid, settings)
    return values - (parts.trend + parts.seasonal)[slots - slots[0]]


def _classic(values: np.ndarray, slots: np.ndarray, period: int, n_train: int) -> np.ndarray:
    """The median of each phase of the prefix, and no trend."""
    period = max(period, 1)
    profile = phase_medians(on_grid(values[:n_train], slots[:n_train]), period)
    return values - profile[(slots - slots[0]) % period]


def _chains(series: Labelled, season: Deseason) -> dict[str, np.ndarray]:
    """Deseason and Detrend, their channels alone and together (the largest, each in MADs of the prefix)."""
    x, train = series.values, series.values.iloc[: series.n_train]
    table, found = read_table(train), {}
    for name, stage in (("chain", season), *((f"chain, adapt={adapt:g}", Deseason(adapt=adapt)) for adapt in (0.0, 1.0, np.inf))):
        own = stage.learn(table)
        trend = Detrend(channels=CHANNELS).learn(own.through(table))
        found[name] = np.abs(trend.transform(own.transform(x)).to_numpy())
    usual = found["chain"]
    scores = {name: channels[:, :2].max(axis=1) for name, channels in found.items()}
    scores |= {f"{channel} alone": usual[:, k] for k, channel in enumerate(CHANNELS)}
    return scores | {"level and difference": usual[:, [0, 2]].max(axis=1)}
