"""The signal stages on new rows: speed, promises, what is explained and kept, and what the residuals are worth as scores.

CPU seconds on one thread, medians; loading and compiling done before.  The exact STL below: `signal_stl`.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import signal_prefixes, signal_promises, signal_quality, signal_scores
from tsprune.kernels import trend as trend_kernel
from tsprune.model.clock import Slots
from tsprune.signal import Denoise, Deseason, Detrend

#: Samples of a day in steps of five minutes; rows that a model takes at a time.
PERIOD, CHUNK = 288, 32_768
#: Repeats of each speed.
REPEATS = 15


def run(quick: bool = False) -> None:
    with threadpool_limits(1):
        _speed(200_000 if quick else 1_000_000)
        _sizes()
        signal_promises.run(quick)
        signal_quality.run(quick)
        signal_scores.run(quick)
        signal_prefixes.run(quick)


def _cpu(work: Callable[[], object], repeats: int = 9) -> float:
    work()
    spans = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        spans.append(time.process_time() - begin)
    return statistics.median(spans)


def _in_turns(ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """CPU seconds of each way, measured by turns: what else the machine does falls on all of them."""
    spans: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(REPEATS + 1):
        for name, work in ways.items():
            begin = time.process_time()
            work()
            if turn:  # the first turn compiles
                spans[name].append(time.process_time() - begin)
    return spans


def _added(rows: np.ndarray) -> None:
    for start in range(0, len(rows), CHUNK):
        rows[start : start + CHUNK] + 1.0


def _series(n: int) -> np.ndarray:
    return (np.sin(np.arange(n) * 2 * np.pi / PERIOD) + 0.3 * np.random.default_rng(0).normal(size=n))[:, None]


def _speed(n: int) -> None:
    x = _series(n)
    history = x[: 28 * PERIOD]
    season, trend = Deseason(PERIOD).fit(history), Detrend(length=28 * PERIOD)
    trend.fit(season.transform(history))
    adapted = Deseason(PERIOD, adapt=1.0).fit(history)
    there = np.random.default_rng(0).random(n) > 0.01

    def through(parts: list, rows: np.ndarray, slots: np.ndarray) -> None:
        for start in range(0, len(rows), CHUNK):
            values, absolute = rows[start : start + CHUNK], slots[start : start + CHUNK]
            for part in parts:
                values = part.apply(values, Slots(absolute, absolute))

    chain = [season.part_, trend.part_]
    slots = np.arange(n)
    cases = {
        "Deseason": ([season.part_], x, slots),
        "Detrend (28 days, 2 channels)": ([trend.part_], x, slots),
        "whole chain": (chain, x, slots),
        "whole chain, 1 % of rows missing": (chain, x[there], slots[there]),
        "whole chain, adapt=1": ([adapted.part_, trend.part_], x, slots),
        **{
            f"Denoise({m!r}, 11), replacing": ([_quiet(m, history)], x, slots)
            for m in ("hampel", "median", "mean", "wavelet", "savgol", "kalman")
        },
    }
    print(f"run path, {n:,} rows in pieces of {CHUNK:,}: million points per second, median and best of {REPEATS} repeats by turns")
    print(f"with `values + 1.0` on the same pieces: 1 means as fast as memory; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"{'':34} {'numpy':>14} {'machine code':>15} {'values + 1':>15} {'code / values + 1':>18}")
    switch = trend_kernel.COMPILED_FROM, trend_kernel.LOADED_FROM
    for name, (parts, rows, at) in cases.items():

        def by(first: int, parts: list = parts, rows: np.ndarray = rows, at: np.ndarray = at) -> None:
            trend_kernel.COMPILED_FROM = trend_kernel.LOADED_FROM = first
            through(parts, rows, at)

        ways = {"numpy": lambda by=by: by(1 << 60), "code": lambda by=by: by(0), "memory": lambda rows=rows: _added(rows)}
        if name.startswith("Denoise"):
            del ways["code"]
        speeds = {way: [len(rows) / 1e6 / span for span in spans] for way, spans in _in_turns(ways).items()}
        shown = [f"{statistics.median(v):7.1f} {max(v):6.1f}" for v in speeds.values()]
        if "code" in speeds:
            shares = [own / memory for own, memory in zip(speeds["code"], speeds["memory"], strict=True)]
            shown.append(f"{statistics.median(shares):8.3f} {max(shares):6.3f}")
        print(f"{name:34} " + "  ".join(shown), flush=True)
    trend_kernel.COMPILED_FROM, trend_kernel.LOADED_FROM = switch
    context = trend.lookback_ + 1
    one = _cpu(lambda: through(chain, x[:context], slots[:context]), 50)
    print(f"one new row with its context, {context} rows read again: {one * 1e3:.2f} ms")


def _quiet(method: str, history: np.ndarray) -> object:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it deletes spikes is known here
        return Denoise(method, output="replace").fit(history).part_


def _sizes() -> None:
    history = _series(28 * PERIOD)
    holed = np.where(np.random.default_rng(0).random(history.shape) < 0.1, np.nan, history)
    season = Deseason(PERIOD).fit(history)
    left = season.transform(history)
    trend = Detrend(length=14 * PERIOD).fit(left)
    print(f"fit on 28 cycles of {PERIOD}: Deseason {_cpu(lambda: Deseason(PERIOD).fit(history)) * 1e3:.0f} ms ", end="")
    print(f"(10 % missing {_cpu(lambda: Deseason(PERIOD).fit(holed)) * 1e3:.0f} ms), ", end="")
    print(f"Detrend {_cpu(lambda: Detrend(length=14 * PERIOD).fit(left)) * 1e3:.0f} ms, ", end="")
    print(f"Denoise {_cpu(lambda: Denoise().fit(left)) * 1e3:.0f} ms")
    print(f"fitted: Deseason {season.part_.nbytes} bytes, Detrend {trend.part_.nbytes} bytes")
