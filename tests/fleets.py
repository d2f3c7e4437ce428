"""Small fleets of hourly series for tests, wide and long."""

from __future__ import annotations

import numpy as np
import pandas as pd

HOURS = 24 * 18


def wide_fleet(n_series: int = 8, n: int = HOURS, *, seed: int = 0, zone: str | None = None) -> pd.DataFrame:
    """A day each, on its own level and scale, with holes."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2026-03-16", periods=n, freq="h", tz=zone)
    day = np.sin(np.arange(n)[:, None] * np.pi / 12 + rng.integers(0, 2, n_series))
    values = rng.uniform(-5, 50, n_series) + rng.uniform(0.5, 4, n_series) * (2 * day + 0.3 * rng.normal(size=(n, n_series)))
    values[rng.random(values.shape) < 0.01] = np.nan
    values[60:80, 1 % n_series] = np.nan
    return pd.DataFrame(values, index=index, columns=[f"host-{k}" for k in range(n_series)])


def to_long(wide: pd.DataFrame, *, shuffled: int | None = None) -> pd.DataFrame:
    """One row per series and time, without missing values; in random order where a seed is given."""
    long = wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y").dropna(ignore_index=True)
    return long if shuffled is None else long.sample(frac=1.0, random_state=shuffled)
