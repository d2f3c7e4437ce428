"""Series of every awkward kind, seeded: what the contract tests run over."""

from __future__ import annotations

import numpy as np
import pandas as pd


def wave(index: pd.Index, seed: int = 0) -> np.ndarray:
    """A daily cycle (24 rows), a wandering level, noise and a few spikes."""
    rng = np.random.default_rng(seed)
    n = len(index)
    values = 3 * np.sin(np.arange(n) * 2 * np.pi / 24) + np.cumsum(rng.normal(size=n)) * 0.05 + rng.normal(size=n) * 0.3
    values[rng.integers(0, n, max(1, n // 200))] += 8
    return values


def kinds(n: int = 900) -> dict[str, pd.Series]:
    """Name -> series with that trouble."""
    rng = np.random.default_rng(1)
    hours = pd.date_range("2026-02-01", periods=n, freq="h")
    regular = pd.Series(wave(hours), index=hours, name="load")
    with_nan = regular.copy()
    with_nan.iloc[rng.integers(0, n, n // 20)] = np.nan
    berlin = pd.date_range("2026-02-20", periods=n, freq="h", tz="Europe/Berlin")
    york = pd.date_range("2026-10-10", periods=n, freq="h", tz="America/New_York")
    months = pd.date_range("1950-01-01", periods=n // 2, freq="MS")
    return {
        "regular": regular,
        "missing rows": regular[rng.random(n) > 0.1],
        "missing values": with_nan,
        "a hole of three days": regular.drop(regular.index[300:372]),
        "duplicates": pd.concat([regular, regular.iloc[rng.integers(0, n, 30)] + 5]).sort_index(kind="stable"),
        "jitter": regular.set_axis(hours + pd.to_timedelta(rng.integers(-400, 400, n), unit="s")),
        "Berlin in spring": pd.Series(wave(berlin), index=berlin, name="load"),
        "New York in autumn, gaps": pd.Series(wave(york), index=york, name="load")[rng.random(n) > 0.1],
        "whole numbers": pd.Series(wave(hours), index=pd.RangeIndex(n), name="load"),
        "months": pd.Series(wave(months), index=months, name="load"),
    }
