"""What the chain explains and what it keeps: variance, spikes, half-cycle and three-cycle levels, and the ghosts they leave.

Learned on the first half of clock-driven series and of synthetic ones with known trouble, measured on the second half without labelled
rows.  An anomaly is kept by the share of it that the difference of two runs, with and without it, still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.tables import SHARED
from tsprune.kernels.fill import phase_medians
from tsprune.kernels.smooth import mad
from tsprune.kernels.stl import Settings, default_trend, stl
from tsprune.signal import Deseason, Detrend
from tsprune.signal.season import BELIEVED

Method = Callable[[np.ndarray], np.ndarray]

#: Cycles of a synthetic series, and samples of each; rows of the longest real one.
CYCLES, PERIOD, LONGEST = 60, 96, 90_000
KINDS = ("stable", "growing", "changing", "switching", "wandering")


def run(quick: bool = False) -> None:
    rows = [row for name, x, labels, period in series(quick) for row in measured(name, x, labels, period)]
    table = pd.DataFrame(rows)
    table["set"] = np.where(table.name.str.startswith("synthetic"), "synthetic", "clock")
    columns = ["explained", "of two-sided", "spike kept", "spike ghost", "half cycle kept", "three cycles kept", "three cycles ghost"]
    counts = table.groupby("set").name.nunique()
    print("variance explained out of sample (of two-sided STL: ratio), and anomalies kept; medians over series: ", end="")
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    print(table.groupby(["set", "method"], sort=False)[columns].median().round(3).to_string())
    print(f"smallest share of a spike that a chain keeps: {table[table.method.str.startswith('chain')]['spike kept'].min():.4f}")


def series(quick: bool) -> Iterator[tuple[str, np.ndarray, np.ndarray, int]]:
    """Name, values, labels and period."""
    for kind in KINDS:
        for seed in range(1 if quick else 4):
            yield f"synthetic {kind} {seed}", synthetic(kind, seed), np.zeros(CYCLES * PERIOD, int), PERIOD
    path = SHARED / "data" / "manifest.csv"
    if not path.exists():
        print(f"no real series: {path.parent} is absent")
        return
    manifest = pd.read_csv(path)
    chosen = manifest[
        (manifest.period_source == "domain") & manifest.family.isin(["nab", "kpi", "ucr", "smd"]) & (manifest.n > 20 * manifest.period)
    ]
    for row in chosen.groupby("group").first().reset_index().iloc[:: 4 if quick else 1].itertuples():
        frame = pd.read_parquet(SHARED / "data" / row.path)[:LONGEST]
        values = frame[[c for c in frame if c not in ("timestamp", "label") and not c.startswith("_")]].iloc[:, 0].astype(float)
        if values.nunique() > 10:
            yield row.name, values.interpolate(limit_direction="both").to_numpy(), frame["label"].to_numpy(int), int(row.period)


def synthetic(kind: str, seed: int) -> np.ndarray:
    """A cycle of four harmonics, a wandering level and noise of .3 of the cycle; what its kind says happens to the cycle."""
    rng = np.random.default_rng(seed)
    t = np.arange(CYCLES * PERIOD)
    first, second = (_cycle(t, rng) for _ in range(2))
    share = t / len(t)
    shapes = {
        "stable": first,
        "growing": first * (0.5 + 1.5 * share),
        "changing": (1 - share) * first + share * second,
        "switching": np.where(share < 0.7, first, second),
        "wandering": np.interp((t + 0.15 * PERIOD * np.sin(2 * np.pi * share)) % PERIOD, np.arange(PERIOD), first[:PERIOD], period=PERIOD),
    }
    return shapes[kind] + np.cumsum(rng.normal(size=len(t))) * 0.25 / np.sqrt(PERIOD) + 0.3 * rng.normal(size=len(t))


def _cycle(t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sizes, shifts = rng.normal(size=4), rng.uniform(0, 2 * np.pi, 4)
    cycle = np.sum([a / k * np.sin(2 * np.pi * k * t / PERIOD + b) for k, a, b in zip(range(1, 5), sizes, shifts, strict=True)], axis=0)
    return cycle / cycle.std()


def methods(x: np.ndarray, period: int, n_train: int) -> dict[str, Method]:
    """Name -> residual of a record, in the unit of the series; all but two-sided STL learned on the prefix."""
    train = x[:n_train, None]
    phase = np.arange(len(x)) % period
    profile = phase_medians(x[:n_train], period)[phase]
    settings = Settings(period, 13, default_trend(period, 13), period + 1 + period % 2, inner_iter=1, outer_iter=6)
    found: dict[str, Method] = {
        "first difference": lambda v: np.diff(v, prepend=v[0]),
        "two-sided STL": lambda v: v - sum(stl(v, settings)[:2]),
        "classic profile": lambda v: v - profile,
    }
    for name, adapt, share in (("frozen", 0.0, 1.0), ("adapt=1", 1.0, 1.0), ("half", np.inf, BELIEVED), ("adapt=inf", np.inf, 1.0)):
        season = Deseason(period, adapt=adapt).fit(train)
        if adapt:
            season.part_ = replace(season.part_, share=share)
        trend = Detrend(length=min(28 * period, n_train // 2), channels=("level", "innovation"), scale=False).fit(season.transform(train))
        for k, channel in enumerate(("level", "innovation")):
            found[f"chain {name}, {channel}"] = lambda v, season=season, trend=trend, k=k: trend.transform(season.transform(v[:, None]))[
                :, k
            ]
    return found


def measured(name: str, x: np.ndarray, labels: np.ndarray, period: int) -> Iterator[dict[str, object]]:
    """A row for each method."""
    n_train = len(x) // 2 // period * period
    near = np.convolve(labels, np.ones(5), mode="same") > 0
    judged = np.arange(len(x)) >= n_train
    judged &= ~near
    found = methods(x, period, n_train)
    two_sided = found["two-sided STL"](x)
    noise = mad(two_sided[judged]) or float(np.std(two_sided[judged])) or 1.0
    best = _explained(two_sided, x, judged)
    starts = _starts(len(x), n_train, period)
    for method, residual in found.items():
        base = residual(x)
        explained = _explained(base, x, judged)
        row: dict[str, object] = {"name": name, "method": method, "explained": explained, "of two-sided": explained / best}
        for what, rows, height in (("spike", 1, 10.0), ("half cycle", period // 2, 5.0), ("three cycles", 3 * period, 5.0)):
            inside = starts[:, None] + np.arange(rows)
            changed = x.copy()
            changed[inside] += height * noise
            gained = (residual(changed) - base) / (height * noise)
            row[f"{what} kept"] = float(np.median(gained[inside].mean(axis=1)))
            after = inside[:, -1:] + np.arange(1, 5 * period)
            row[f"{what} ghost"] = float(np.median(np.abs(gained[np.minimum(after, len(x) - 1)]).max(axis=1)))
        yield row


def _explained(residual: np.ndarray, x: np.ndarray, judged: np.ndarray) -> float:
    return max(-1.0, 1.0 - float(np.nanvar(residual[judged]) / np.var(x[judged])))


def _starts(n: int, n_train: int, period: int) -> np.ndarray:
    """Where anomalies begin: nine cycles apart, so that one does not see the ghost of another."""
    starts = np.arange(n_train + period // 2, n - 9 * period, 9 * period)[:12]
    return starts if len(starts) else np.array([n_train + period // 2])
