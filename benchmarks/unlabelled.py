"""The labelled series of `shared/data` as cases for detectors that learn without labels, one signal each.

A case teaches with the last 12,000 rows of its prefix at the most and is judged on 8,000 rows that hold an event.  Of several series
of one physical source the figures are averaged first.  Families of several columns are reduced to one signal: the telemetry column of
SMAP, else the first principal component of the prefix.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.tables import SHARED

#: Rows that teach, and rows that are judged, at the most.
TAUGHT, JUDGED = 12_000, 8_000
#: Families whose prefix is short: at least this share of a series teaches.
SHORT, SHARE = ("nab", "mgab", "kpi"), 0.35


@dataclass(frozen=True)
class Case:
    """One series: rows to learn from, the rows after them with labels, and where they come from."""

    name: str
    family: str
    group: str
    history: pd.DataFrame
    context: pd.DataFrame  # rows just before those judged
    rows: pd.DataFrame
    labels: np.ndarray
    buffer: int  # of VUS-PR: the period within 16 ... 128, or 64


def names() -> list[str]:
    """The 113 series of the measurement: every source, and never many of one, in a fixed random order."""
    facts = pd.read_csv(SHARED / "data" / "manifest.csv")
    chosen: list[str] = []
    for family, of in facts.groupby("family"):
        if family == "nab":
            of = of[of.n_events_after_train > 0]
        elif family in ("ucr", "skab", "3w"):
            of = of if family == "ucr" else of[of.n_events_after_train > 0]
            most = 2 if family == "ucr" else 1
            of = pd.concat([group.sample(min(most, len(group)), random_state=1) for _, group in of.groupby("group")])
        chosen += list(of["name"])
    return list(np.random.default_rng(0).permutation(chosen))


def sample(n: int | None, seed: int) -> list[str]:
    """The names, or those of `n` randomly drawn sources."""
    every = names()
    if n is None:
        return every
    group = pd.read_csv(SHARED / "data" / "manifest.csv").set_index("name")["group"]
    groups = sorted(set(group[every]))
    drawn = set(np.random.default_rng(seed).permutation(groups)[:n])
    return [name for name in every if group[name] in drawn]


def load(name: str, *, columns: bool = False) -> Case | None:
    """The case of a series, or None where no event, or nothing but events, is left to be judged; `columns` keeps all columns instead of one signal."""
    row = pd.read_csv(SHARED / "data" / "manifest.csv").set_index("name").loc[name]
    frame = pd.read_parquet(SHARED / "data" / row["path"])
    labels = frame["label"].to_numpy().astype(np.int64)
    n = len(frame)
    taught = int(row["train_len"]) if row["train_len"] == row["train_len"] else int(0.3 * n)
    if row["family"] in SHORT:
        taught = max(taught, int(SHARE * n))
    first, last = _judged(labels, taught, zlib.crc32(name.encode()) % 100_000)
    if last == first or not 0 < labels[first:last].mean() < 1:
        return None
    index = pd.DatetimeIndex(frame["timestamp"]) if "timestamp" in frame else pd.RangeIndex(n)
    values = _values(frame, columns, row["family"], taught).set_index(index)
    start = max(0, taught - TAUGHT)
    known = int(row["period"]) if row["period"] == row["period"] and str(row["period_source"]).startswith("domain") else 0
    length = period(values.iloc[start:taught, 0].to_numpy(), known)
    before = values.iloc[max(0, first - 4000) : first]
    return Case(
        name, row["family"], row["group"], values.iloc[start:taught], before, values.iloc[first:last], labels[first:last],
        int(np.clip(length, 16, 128)) if length else 64,
    )  # fmt: skip


def _values(frame: pd.DataFrame, columns: bool, family: str, taught: int) -> pd.DataFrame:
    names = [c for c in frame if c not in ("timestamp", "label") and not c.startswith("_")]
    values = frame[names].astype(float).replace([np.inf, -np.inf], np.nan).ffill().bfill().fillna(0.0)
    if columns:
        return values
    if len(names) == 1 or family == "smap":
        return values[[names[0]]]
    taught_rows = values.to_numpy()[:taught]
    varies = taught_rows.std(axis=0) > 1e-9
    if not varies.any():
        return pd.DataFrame({"signal": np.zeros(len(values))})
    z = np.clip((values.to_numpy() - np.median(taught_rows, axis=0))[:, varies] / taught_rows.std(axis=0)[varies], -10, 10)
    directions = np.linalg.eigh(np.atleast_2d(np.cov(z[:taught].T)))[1]
    return pd.DataFrame({"signal": z @ directions[:, -1]})


def _judged(labels: np.ndarray, taught: int, seed: int) -> tuple[int, int]:
    """A stretch of the rows after the prefix that holds an event, drawn at random where there are more than enough."""
    n = len(labels)
    rng = np.random.default_rng(seed)
    edges = np.diff(np.r_[0, labels[taught:], 0])
    starts, stops = np.flatnonzero(edges == 1) + taught, np.flatnonzero(edges == -1) + taught
    if len(starts) == 0:
        return 0, 0
    if n - taught <= JUDGED:
        return taught, n
    k = rng.integers(len(starts))
    length = min(stops[k] - starts[k], JUDGED // 2)
    low = max(taught, starts[k] + length - JUDGED + 200)
    high = max(low + 1, min(starts[k] - 200, n - JUDGED))
    first = int(np.clip(rng.integers(min(low, high), max(low, high) + 1), taught, n - JUDGED))
    return first, first + JUDGED


def period(x: np.ndarray, known: int = 0) -> int:
    """The period that the metric's buffer goes by: the known one where the series repeats with it, else the first strong peak; 0 for none."""
    clipped = np.clip(x, *np.quantile(x, [0.01, 0.99]))
    t = np.arange(len(x))
    z = clipped - np.polyval(np.polyfit(t, clipped, 1), t)
    most = min(len(z) // 3, 2100)
    if z.std() < 1e-9 or most < 12:
        return 0
    z = z - z.mean()
    spectrum = np.fft.rfft(z, 2 * len(z))
    c = np.fft.irfft(spectrum * np.conj(spectrum))[: most + 1]
    c = c / (c[0] + 1e-12) * len(z) / (len(z) - np.arange(most + 1))
    if 8 <= known <= most and c[known - 1 : known + 2].max() >= 0.1:
        return known
    peaks = [k for k in range(8, most) if c[k] >= c[k - 1] and c[k] > c[k + 1] and c[k] >= 0.2 and c[:k].min() < c[k] - 0.1]
    best = max((c[k] for k in peaks), default=0.0)
    return next((k for k in peaks if c[k] >= 0.9 * best), 0)
