"""STL against statsmodels, the seasonal profile, and periods: speed as ratios in one process, accuracy beside it.

CPU seconds on one thread, medians, loading and compiling done before.  Where statsmodels is timed on a shorter record its time is
scaled by the length, which it grows with, and the table says so.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter
from statsmodels.tsa.seasonal import STL
from threadpoolctl import threadpool_limits

from tsprune.kernels.periods import find
from tsprune.kernels.profile import seasonal_profile
from tsprune.kernels.stl import Settings, default_trend, stl

if TYPE_CHECKING:
    from collections.abc import Callable


def run(quick: bool = False) -> None:
    with threadpool_limits(1):
        _single(quick)
        _panel(quick)
        _growth(quick)
        _profile()
        _periods(quick)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _cpu(work: Callable[[], object], repeats: int) -> float:
    work()
    return statistics.median(_seconds(work) for _ in range(repeats))


def _against(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Both in turn, ours before and after theirs, so that a busy machine slows both alike."""
    ours()
    before = [_seconds(ours) for _ in range(3)]
    span = _seconds(theirs)
    return statistics.median([*before, *(_seconds(ours) for _ in range(3))]), span


def _series(n: int, period: int, seed: int = 0) -> np.ndarray:
    rng, t = np.random.default_rng(seed), np.arange(n)
    cycle = 2 * np.sin(2 * np.pi * t / period) + np.sin(4 * np.pi * t / period)
    return 10 + 1e-4 * t + cycle + 0.3 * rng.normal(size=n) + np.cumsum(0.01 * rng.normal(size=n))


def _settings(period: int, robust: bool) -> Settings:
    loops = {"inner_iter": 2, "outer_iter": 15} if robust else {"inner_iter": 5, "outer_iter": 0}
    return Settings(period, 7, default_trend(period, 7), period + 1 + period % 2, **loops)


def _peer(y: np.ndarray, settings: Settings) -> object:
    arguments = asdict(settings)
    loops = {name: arguments.pop(name) for name in ("inner_iter", "outer_iter")}
    del arguments["widen"]
    return STL(y, **arguments).fit(**loops)


def _single(quick: bool) -> None:
    print("STL of one series, statsmodels' settings (error on the scale of the series):")
    print(f"{'n':>8} {'period':>7} {'':8} {'tsprune':>10} {'statsmodels':>12} {'ratio':>7} {'error':>9}")
    sizes = [(10_000, 24), (100_000, 24), (10_000, 288), (100_000, 288)] + ([] if quick else [(100_000, 1440)])
    for n, period in sizes:
        for robust in (False, True):
            settings = _settings(period, robust)
            timed = n if n * period * (8 if robust else 1) < (6e6 if quick else 4e7) else max(10 * period, n // 10)
            y, short = _series(n, period), _series(timed, period)
            mine, theirs = _against(lambda y=y, s=settings: stl(y, s), lambda y=short, s=settings: _peer(y, s))
            theirs *= n / timed
            scaled = "" if timed == n else f"   (statsmodels timed on {timed} and scaled)"
            row = f"{n:8d} {period:7d} {'robust' if robust else 'plain':8} {mine * 1e3:7.1f} ms {theirs:10.2f} s {theirs / mine:6.0f}x"
            print(f"{row} {_error(short[: 20 * period], settings):9.0e}{scaled}", flush=True)


def _error(y: np.ndarray, settings: Settings) -> float:
    ours, theirs = stl(y, settings), _peer(y, settings)
    return max(np.abs(ours.trend - theirs.trend).max(), np.abs(ours.seasonal - theirs.seasonal).max()) / np.abs(y).max()


def _panel(quick: bool) -> None:
    count = 200 if quick else 1000
    columns = np.column_stack([_series(2000, 24, seed) for seed in range(count)])
    for robust in (False, True):
        settings, some = _settings(24, robust), 20 if robust else 60
        peers = [np.ascontiguousarray(column) for column in columns.T[:some]]
        mine, theirs = _against(lambda s=settings: stl(columns, s), lambda s=settings, p=peers: [_peer(y, s) for y in p])
        theirs *= count / some
        print(f"panel of {count} x 2000, period 24, {'robust' if robust else 'plain'}: {mine:.2f} s, ", end="")
        print(f"statsmodels {theirs:.1f} s (scaled from {some} series), {theirs / mine:.0f}x", flush=True)


def _growth(quick: bool) -> None:
    print("growth: nanoseconds per sample, period 288")
    for n in (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000):
        y = _series(n, 288)
        plain, robust = _settings(288, False), _settings(288, True)
        spans = [_cpu(lambda y=y, s=s: stl(y, s), 3 if n < 1e6 else 1) / n * 1e9 for s in (plain, robust)]
        print(f"{n:8d}: plain {spans[0]:.0f}, robust {spans[1]:.0f}")


def _profile() -> None:
    y = _series(28 * 288, 288)
    holed = np.where(np.random.default_rng(0).random(len(y)) < 0.1, np.nan, y)
    print(f"seasonal profile of 28 cycles of 288: {_cpu(lambda: seasonal_profile(y, 288), 9) * 1e3:.0f} ms; ", end="")
    print(f"with 10 % missing {_cpu(lambda: seasonal_profile(holed, 288), 9) * 1e3:.0f} ms")


def _periods(quick: bool) -> None:
    trials = 200 if quick else 1000
    hits = {0.3: [], 1.0: [], 2.0: []}
    for seed in range(trials):
        x, period, noise = _cyclic(seed)
        found = find(x)
        hits[noise].append(bool(found) and abs(found[0].samples - period) <= max(1.0, 0.02 * period))
    told = ", ".join(f"{noise}: {np.mean(own):.3f}" for noise, own in hits.items())
    print(f"periods: share found within 2 %, by noise in units of the cycle ({trials} series): {told}")
    names = ("white", "AR .5", "AR .9", "AR .99", "random walk", "rare steps", "bursts", "AR(2) resonance")
    nothing = {name: np.mean([not find(_aimless(kind, seed)) for seed in range(trials // 8)]) for kind, name in enumerate(names)}
    print("periods: share of 'none' on " + ", ".join(f"{name} {share:.3f}" for name, share in nothing.items()))
    t = np.arange(100_000)
    x = np.sin(2 * np.pi * t / 288) * np.where(t // 288 % 7 >= 5, 0.4, 1.0) + 0.3 * np.random.default_rng(0).normal(size=len(t))
    without, with_calendar = _cpu(lambda: find(x), 9), _cpu(lambda: find(x, [12, 144, 288, 2016]), 9)
    print(f"periods of 100,000 samples: {without * 1e3:.0f} ms, with a calendar {with_calendar * 1e3:.0f} ms")


def _cyclic(seed: int) -> tuple[np.ndarray, int, float]:
    """A cycle of random length (8 and more of them), shape, noise and trend, with outliers; a quarter have weeks of seven cycles."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([2000, 10_000]))
    period = int(np.exp(rng.uniform(np.log(10), np.log(n / 8))))
    turn = (np.arange(n) + rng.integers(period)) % period / period
    weights = rng.normal(size=6)
    shapes = (
        np.sin(2 * np.pi * turn),
        sum(weights[k] * np.sin(2 * np.pi * (k + 1) * turn + k) for k in range(6)),
        np.exp(-0.5 * ((turn - 0.5) / 0.05) ** 2),
        (turn < 0.3).astype(float),
    )
    cycle = shapes[rng.integers(4)]
    cycle = cycle / cycle.std()
    noise = lfilter([1], [1, -rng.choice([0.0, 0.9])], rng.normal(size=n))
    size = float(rng.choice([0.3, 1.0, 2.0]))
    x = cycle + size * noise / noise.std()
    if rng.random() < 0.25 and 7 * period <= n // 4:
        x = x - 1.5 * (np.arange(n) // period % 7 >= 5) * (cycle + 1)
    trends = (
        0.0,
        3.0 * np.cumsum(rng.normal(size=n)) / np.sqrt(n),
        5.0 * np.arange(n) / n,
        4.0 * (np.arange(n) > n * rng.uniform(0.2, 0.8)),
    )
    x = x + trends[rng.integers(4)]
    x[rng.integers(0, n, n // 200)] += 10 * rng.choice([-1, 1])
    return x, period, size


def _aimless(kind: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(100_000 + seed)
    n = int(rng.choice([2000, 10_000]))
    e = rng.normal(size=n)
    if kind < 4:
        return lfilter([1], [1, -(0.0, 0.5, 0.9, 0.99)[kind]], e)
    return (
        lambda: np.cumsum(e),
        lambda: np.cumsum(e * (rng.random(n) < 0.01)) + 0.2 * e,
        lambda: (rng.random(n) < 0.02) * rng.pareto(1.5, n) + 0.1 * e,
        lambda: lfilter([1], [1, -1.9 * np.cos(2 * np.pi / 50), 0.9025], e),
    )[kind - 4]()
