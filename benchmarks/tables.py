"""Rows to learn from and labelled rows to judge on: real series as rolling statistics, real and generated tables.

A series is learned from its prefix; features are scaled by what the prefix shows.  One series per physical source.
The real series lie in a folder `shared/data` beside the project, or in the one that TSPRUNE_SHARED names; without them the tables remain.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs, make_moons

SHARED = Path(os.environ.get("TSPRUNE_SHARED", Path(__file__).resolve().parents[2] / "shared"))

#: Series of shared/data, one or two per source; the share of rows that teaches, where the manifest names none that is long enough.
SERIES = (
    "realKnownCause__nyc_taxi",
    "realKnownCause__machine_temperature_system_failure",
    "realKnownCause__ambient_temperature_system_failure",
    "realKnownCause__cpu_utilization_asg_misconfiguration",
    "realTweets__Twitter_volume_AAPL",
    "realAWSCloudwatch__grok_asg_anomaly",
    "kpi_301c70d8",
    "kpi_431a8542",
    "kpi_6a757df4",
    "004_DISTORTEDBIDMC1",
    "011_DISTORTEDECG1",
    "machine-1-6",
    "machine-3-4",
    "smap_A-1",
    "smap_E-11",
)
QUICK = (0, 1, 6, 10, 12)
PREFIX = 0.35
WINDOWS = (8, 32, 96)


@dataclass(frozen=True)
class Table:
    """Rows to learn from, and other rows with labels, shape (n, d)."""

    name: str
    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray


def tables(quick: bool, *, n_train: int = 4000, n_test: int = 6000, seed: int = 0) -> Iterator[Table]:
    """All sets, or a few of each kind."""
    yield from series_tables(quick, n_train=n_train, n_test=n_test, seed=seed)
    yield from plain_tables(quick, seed=seed)


def series_tables(quick: bool, *, n_train: int = 4000, n_test: int = 6000, seed: int = 0) -> Iterator[Table]:
    """Real series: rolling statistics of one value, or the values of several sensors as they are."""
    manifest = SHARED / "data" / "manifest.csv"
    if not manifest.exists():
        print(f"no real series: {manifest} is absent")
        return
    facts = pd.read_csv(manifest).set_index("name")
    for name in [SERIES[i] for i in QUICK] if quick else SERIES:
        row = facts.loc[name]
        frame = pd.read_parquet(SHARED / "data" / row["path"])
        values = frame[[c for c in frame if c not in ("timestamp", "label") and not c.startswith("_")]].astype(float)
        rows = rolling_statistics(values.iloc[:, 0]) if values.shape[1] == 1 else values
        cut = max(int(PREFIX * len(rows)), int(row["train_len"])) if row["train_len"] < 0.6 * len(rows) else int(PREFIX * len(rows))
        yield _table(
            f"{row['family']}:{name.split('__')[-1][:24]}", rows.to_numpy(), frame["label"].to_numpy(int), cut, n_train, n_test, seed
        )


def rolling_statistics(values: pd.Series) -> pd.DataFrame:
    """Level, change, lags, and of three trailing windows the level, spread, extremes, slope, roughness and skew: 38 columns."""
    change = values.diff().fillna(0.0)
    columns = {"value": values, "change": change, "size": change.abs()}
    columns |= {f"lag{k}": values.shift(k) for k in (1, 2, 4, 8, 16)}
    for w in WINDOWS:
        rolling, changes = values.rolling(w, min_periods=2), change.rolling(w, min_periods=2)
        mean, spread = rolling.mean(), rolling.std()
        columns |= {f"mean{w}": mean, f"std{w}": spread, f"min{w}": rolling.min(), f"max{w}": rolling.max(), f"median{w}": rolling.median()}
        columns |= {
            f"rough{w}": changes.std(),
            f"moves{w}": change.abs().rolling(w, min_periods=2).mean(),
            f"z{w}": (values - mean) / (spread + 1e-9),
        }
        columns |= {f"slope{w}": (values - values.shift(w)) / w, f"skew{w}": values.rolling(w, min_periods=4).skew()}
    return pd.DataFrame(columns).bfill().fillna(0.0).replace([np.inf, -np.inf], 0.0)


def plain_tables(quick: bool, seed: int = 0) -> Iterator[Table]:
    """Digits with one of them rare, tumours, and generated clouds, moons and clusters; contaminated like life."""
    rng = np.random.default_rng(seed)
    digits = load_digits()
    rare = (digits.target == 8) & (rng.random(len(digits.target)) < 0.2)
    common = digits.target != 8
    yield _shuffled("table:digits", digits.data[common | rare], rare[common | rare], rng)
    moons, _ = make_moons(4000, noise=0.08, random_state=seed)
    yield _shuffled("table:moons", *_with_noise(moons, 200, rng), rng)
    if quick:
        return
    tumours = load_breast_cancer()
    malignant = (tumours.target == 0) & (rng.random(len(tumours.target)) < 0.15)
    kept = (tumours.target == 1) | malignant
    yield _shuffled("table:tumours", tumours.data[kept], malignant[kept], rng)
    blobs, _ = make_blobs(4000, n_features=8, centers=5, cluster_std=[0.5, 1.0, 1.5, 2.0, 2.5], random_state=seed)
    yield _shuffled("table:blobs", *_with_noise(blobs, 200, rng), rng)
    low = rng.normal(size=(4000, 4)) @ rng.normal(size=(4, 16)) + 0.3 * rng.normal(size=(4000, 16))
    yield _shuffled("table:low rank", *_with_noise(low, 200, rng), rng)


def _with_noise(rows: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    low, high = rows.min(axis=0), rows.max(axis=0)
    noise = rng.uniform(low - 0.1 * (high - low), high + 0.1 * (high - low), size=(n, rows.shape[1]))
    return np.vstack([rows, noise]), np.r_[np.zeros(len(rows), bool), np.ones(n, bool)]


def _shuffled(name: str, rows: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Table:
    order = rng.permutation(len(rows))
    return _table(name, rows[order].astype(float), labels[order].astype(int), len(rows) // 2, len(rows), len(rows), 0, skip=0)


def _table(
    name: str, rows: np.ndarray, labels: np.ndarray, cut: int, n_train: int, n_test: int, seed: int, skip: int = max(WINDOWS)
) -> Table:
    rng = np.random.default_rng(seed)
    train, test, judged = rows[skip:cut], rows[cut:], labels[cut:]
    train = train[np.sort(rng.permutation(len(train))[:n_train])]
    some = np.sort(rng.permutation(len(test))[:n_test])
    varies = train.std(axis=0) > 1e-9
    centre, scale = train[:, varies].mean(axis=0), train[:, varies].std(axis=0)
    scaled = [np.clip((part[:, varies] - centre) / scale, -50.0, 50.0) for part in (train, test[some])]
    return Table(name, *scaled, judged[some])
