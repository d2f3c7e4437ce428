"""The promises of the signal stages counted: values compared bitwise, and how many differ.

For every stage and every kind of series: another future, chunks cut at random places, and single rows, each with its lookback as
context, against one batch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tsprune.series.clock import times
from tsprune.signal import Denoise, Deseason, Detrend

#: Values that are compared at least.
ENOUGH = 10_000_000


def run(quick: bool = False) -> None:
    import numba  # noqa: F401 -- loaded, so that large batches run as machine code and chunks in numpy

    days = 100 if quick else 600
    total = wrong = 0
    for kind, x in kinds(days).items():
        compared = differ = 0
        for stage in stages():
            fitted = stage.fit(x.iloc[: len(x) // 3])
            a, b = count(fitted, x, np.random.default_rng(0))
            compared, differ = compared + a, differ + b
        print(f"{kind:<34} {len(x):7d} rows: {compared:11,d} values compared, {differ} differ", flush=True)
        total, wrong = total + compared, wrong + differ
    target = "" if quick else f" (target: {ENOUGH:,} and 0)"
    print(f"{'all kinds':<34} {total:24,d} values compared, {wrong} differ{target}")


def stages() -> list[Deseason | Detrend | Denoise]:
    """Every stage that is causal, with lookbacks that a record of a hundred days can hold."""
    every = ("level", "innovation", "difference")
    return [
        Deseason(24),
        Deseason((24, 168)),
        Deseason(24, adapt=1.0),
        Deseason(24, adapt=np.inf, wall=False),
        Detrend(length="7D", channels=every),
        Detrend(length="20D"),
        Detrend("none", channels=every),
        *(Denoise(method, window=9) for method in ("hampel", "median", "mean", "wavelet", "savgol", "kalman")),
    ]


def kinds(days: int) -> dict[str, pd.Series]:
    """Hourly series with every trouble."""
    rng = np.random.default_rng(0)
    regular = _wave(pd.date_range("2026-01-01", periods=24 * days, freq="h"))
    n = len(regular)
    holed = regular.drop(regular.index[np.r_[n // 2 : n // 2 + 72, 2 * n // 3 : 2 * n // 3 + 72]])
    with_nan = regular.where(rng.random(n) > 0.1)
    zones = {
        zone: _wave(pd.date_range("2026-01-10", periods=24 * days, freq="h", tz=zone)) for zone in ("Europe/Berlin", "America/New_York")
    }
    doubled = pd.concat([regular, regular.iloc[rng.integers(0, n, n // 20)] + 5.0]).sort_index(kind="stable")
    return {
        "regular": regular,
        "10 % of the rows missing": regular[rng.random(n) > 0.1],
        "10 % of the values missing": with_nan,
        "two holes of three days": holed,
        "Berlin": zones["Europe/Berlin"],
        "New York, 10 % missing": zones["America/New_York"][rng.random(n) > 0.1],
        "duplicates": doubled,
        "duplicates, NaN and holes": doubled.where(rng.random(len(doubled)) > 0.05).drop(holed.index[n // 4 : n // 4 + 72]),
    }


def _wave(index: pd.DatetimeIndex) -> pd.Series:
    rng = np.random.default_rng(1)
    n = len(index)
    values = 3 * np.sin(np.arange(n) * 2 * np.pi / 24) + np.cumsum(rng.normal(size=n)) * 0.05 + rng.normal(size=n) * 0.3
    values[rng.integers(0, n, n // 200)] += 8
    return pd.Series(values, index, name="load")


def count(fitted: Deseason | Detrend | Denoise, x: pd.Series, rng: np.random.Generator) -> tuple[int, int]:
    """Values compared, and those that differ."""
    whole = _out(fitted, x)
    slots = fitted.clock_.slots(times(x.index)).absolute
    n, compared, differ = len(x), 0, 0

    def compare(part: np.ndarray, wanted: np.ndarray) -> None:
        nonlocal compared, differ
        same = (part == wanted) | (np.isnan(part) & np.isnan(wanted))
        compared, differ = compared + same.size, differ + int((~same).sum())

    def context(row: int) -> int:
        return int(np.searchsorted(slots, slots[row] - fitted.lookback_))

    for future in (np.nan, 1e9, -3.0, None):
        cut = int(rng.integers(n // 3, n))
        other = x.iloc[:cut] if future is None else x.where(np.arange(n) < cut, future)
        compare(_out(fitted, other)[:cut], whole[:cut])
    for pieces in (3, 17, 60):
        cuts = np.unique(np.r_[0, rng.integers(1, n, pieces), n])
        for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            begin = context(start)
            compare(_out(fitted, x.iloc[begin:stop])[start - begin :], whole[start:stop])
    for row in rng.integers(0, n, 40).tolist():
        compare(_out(fitted, x.iloc[context(row) : row + 1])[-1:], whole[row : row + 1])
    return compared, differ


def _out(fitted: Deseason | Detrend | Denoise, x: pd.Series) -> np.ndarray:
    out = np.asarray(fitted.transform(x), dtype=np.float64)
    return out[:, None] if out.ndim == 1 else out
