"""A fleet: stages and scoring per core, new points, threads, store, starting from the fleet, and rows by the ten million.

Ratios in one process, CPU time, one thread, medians.  Where statsmodels is timed on some of the series its time is scaled by their
number.  The rows of the streamed data set are written and read in a fresh process, whose largest resident memory is reported.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pandas as pd

import tsprune as tsp
from tsprune.model.roster import Roster
from tsprune.panel.frames import Names, read_frame

DAY = 24


def run(quick: bool = False) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        model = learned(quick)
        stages(model, quick)
        scoring(model, quick)
        new_points(model, quick)
        threads(model, quick)
        store(model, quick)
        sharing(quick)
        transfer(quick)
        streamed(quick)


# -- the fleet ----------------------------------------------------------------------------------------------------------------------


def hosts(n_series: int, n: int, seed: int = 0) -> pd.DataFrame:
    """Loads of hosts by the hour: a day each, seen or hardly, on its own level and scale."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2026-01-05", periods=n, freq="h")
    hour = np.arange(n)[:, None] % DAY
    day = np.exp(-0.5 * ((hour - rng.uniform(11, 15, n_series)) / rng.uniform(2, 4, n_series)) ** 2)
    noise = rng.normal(size=(n, n_series)) + 0.3 * rng.normal(size=(n, 1))
    values = rng.uniform(0, 100, n_series) + rng.uniform(1, 10, n_series) * (rng.uniform(1, 6, n_series) * day + 0.4 * noise)
    return pd.DataFrame(values, index=index, columns=[f"host-{k:05d}" for k in range(n_series)])


def learned(quick: bool) -> tsp.panel.PanelModel:
    n_series, n = (200, 1000) if quick else (1000, 2000)
    frame = hosts(n_series, n)
    begin = time.process_time()
    model = tsp.panel.fit(frame, clusters=1)
    span = time.process_time() - begin
    print(f"fit {n_series} x {n}: {span:.1f} s, {span / frame.size * 1e6:.1f} us per row; {model}")
    return model


def seconds(work: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.process_time) -> float:
    work()
    spans = []
    for _ in range(repeats):
        begin = clock()
        work()
        spans.append(clock() - begin)
    return statistics.median(spans)


def stages(model: tsp.panel.PanelModel, quick: bool) -> None:
    """All signal stages of all series, applied, against the decomposition that a user of statsmodels repeats per series."""
    from statsmodels.tsa.seasonal import STL

    d, n = len(model.series), 1000 if quick else 2000
    frame = hosts(d, n)
    some = 20 if quick else 50
    theirs = seconds(lambda: [STL(frame.iloc[:, k].to_numpy(), period=DAY).fit() for k in range(some)], 3) * d / some
    robust = seconds(lambda: [STL(frame.iloc[:, k].to_numpy(), period=DAY, robust=True).fit() for k in range(5)], 1) * d / 5
    print(f"\nsignal stages of {d} x {n} (CPU s); statsmodels STL {theirs:.1f}, robust {robust:.1f}, scaled from {some} and 5 series")
    print(f"{'stages':<32}{'ours':>10}{'us/row':>10}{'ratio':>10}{'to robust':>12}")
    all_stages = [tsp.Deseason(), tsp.Detrend(length=240), tsp.Denoise("hampel", 5)]
    few = frame.iloc[:, : d // 10]
    rich = tsp.panel.fit(few, tsp.Pipeline([*all_stages, tsp.Windows(16, "point"), "subspace"]), clusters=1)
    for name, fitted in {"Deseason": model, "Deseason, Detrend, Denoise": repeated(rich, d)}.items():
        (cohort,) = fitted._forms[2]
        slots = fitted.fleet.clocks[0].slots(frame.index.to_numpy())
        values = frame.to_numpy()
        span = seconds(lambda cohort=cohort, values=values, slots=slots: cohort.channel_values(values, slots), 3)
        print(f"{name:<32}{span:>10.3f}{span / frame.size * 1e6:>10.3f}{theirs / span:>10.0f}{robust / span:>12.0f}")


def scoring(model: tsp.panel.PanelModel, quick: bool) -> None:
    """Season, windows, pruned forest: from a frame to a frame."""
    frame = hosts(len(model.series), 1000 if quick else 2000)
    long = frame.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    print("\nend-to-end scoring, one core")
    print(f"{'frame':<32}{'rows':>12}{'CPU s':>10}{'rows/s':>14}")
    for name, given in (("wide", frame), ("long, by series", long), ("long, by time", long.sort_values(["ds", "unique_id"]))):
        span = seconds(lambda given=given: tsp.panel.score(model, given), 3)
        print(f"{name:<32}{frame.size:>12,}{span:>10.2f}{frame.size / span:>14,.0f}")


def repeated(model: tsp.panel.PanelModel, n_series: int) -> tsp.panel.PanelModel:
    """A model of so many series: those that are there, again under other names."""
    from dataclasses import replace

    own = list(model.members.values())
    return replace(model, members=Roster.of((f"host-{k:05d}", own[k % len(own)]) for k in range(n_series)))


def new_points(model: tsp.panel.PanelModel, quick: bool) -> None:
    """Each of many series brings one new row, with its lookback as context."""
    d = 2000 if quick else 10_000
    large = repeated(model, d)
    frame = hosts(d, model.lookback + 1)
    context, new = frame[:-1], frame[-1:]
    rows, before = (read_frame(part, Names()).rows for part in (new, context))
    long, earlier = (part.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y") for part in (new, context))
    print(f"\none new row for each of {d:,} series, {model.lookback} slots of context")
    print(f"{'':<32}{'CPU s':>10}{'points/s':>14}")
    for name, work in {
        "wide frame": lambda: tsp.panel.score(large, new, context=context),
        "long frame": lambda: tsp.panel.score(large, long, context=earlier),
        "arrays (score_rows)": lambda: large.score_rows(rows, before),
    }.items():
        span = seconds(work, 7)
        print(f"{name:<32}{span:>10.3f}{d / span:>14,.0f}")


def threads(model: tsp.panel.PanelModel, quick: bool) -> None:
    """Wall time with one thread and with two, beside what two threads of pure arithmetic gain at the same moment: what is to be had."""
    rows = read_frame(hosts(len(model.series), 1000 if quick else 2000), Names()).rows
    jobs: list[int] = []
    before = seconds(lambda: model.score_rows(rows, None, lambda some: jobs.append(len(some)) or []), 3)
    whole = seconds(lambda: model.score_rows(rows), 3)
    with ThreadPoolExecutor(2) as pool:

        def shared(some: list[Callable[[], object]]) -> list[object]:
            return list(pool.map(_call, some))

        _arithmetic(2)
        ratios = np.array(
            [
                (
                    _wall(lambda: [_arithmetic(10**8) for _ in range(2)]) / _wall(lambda: list(pool.map(_arithmetic, [10**8] * 2))),
                    _wall(lambda: model.score_rows(rows)) / _wall(lambda: model.score_rows(rows, None, shared)),
                )
                for _ in range(3 if quick else 21)
            ]
        )
        faults = [
            _faults(lambda: model.score_rows(rows)),
            _faults(lambda: model.score_rows(rows, None, shared)),
        ]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    (free, ours), (_, best) = np.median(ratios, axis=0), ratios.max(axis=0)
    print(
        f"\nn_jobs=2: {ours:.2f}x, best {best:.2f}x; pure arithmetic {free:.2f}x (wall time; load average {load:.1f} on {os.cpu_count()} cores)"
    )
    print(f"  {jobs[0]} pieces; before they start {before / whole:.1%} of the CPU time has passed")
    for count, (pages, system) in enumerate(faults, 1):
        print(f"  {count} thread(s): {pages:.0f} page faults, {system:.2f} s in the system")


def _call(job: Callable[[], object]) -> object:
    return job()


def _faults(work: Callable[[], object]) -> tuple[float, float]:
    """Pages that the process asked the system for, and seconds that the system took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_minflt - before.ru_minflt, after.ru_stime - before.ru_stime


def _wall(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


@numba.njit(nogil=True)
def _arithmetic(n: int) -> float:
    """Work that touches no memory and lets go of the interpreter."""
    x = 1.0
    for _ in range(n):
        x = x * 0.999999 + 1e-7
    return x


def store(model: tsp.panel.PanelModel, quick: bool) -> None:
    d = 2000 if quick else 10_000
    large = repeated(model, d)
    sizes = large.facts()["bytes"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.tspf"
        saving = seconds(lambda: large.save(path), 1)
        loading = seconds(lambda: tsp.panel.load(path), 1)
        one = seconds(lambda: tsp.panel.load(path, ["host-00007"]), 5)
        print(f"\nstore of {d:,} series: {path.stat().st_size / 1e6:.1f} MB, {path.stat().st_size / d:.0f} bytes per series in all")
        print(f"  facts of a series {sizes.min()} to {sizes.max()} bytes, shared {model.fleet.nbytes:,} bytes")
        print(f"  save {saving:.2f} s, load all {loading:.2f} s, load one series {one * 1e3:.1f} ms (CPU)")


# -- sharing, and starting from the fleet ---------------------------------------------------------------------------------------------


def sharing(quick: bool) -> None:
    """Average precision of injected anomalies: own detectors against shared ones, on simulated and on real series."""
    from benchmarks.panel_data import real_fleets

    print("\nwhat sharing costs (average precision of injected anomalies; 24 series asked)")
    print(f"{'fleet':<32}{'own':>8}{'1':>8}{'2':>8}{'4':>8}{'8':>8}{'chance':>8}{'chosen':>8}   cost of one, 95 %")
    for name, frame in {"simulated hosts": hosts(64, 1000), **real_fleets(quick)}.items():
        told = tsp.panel.fit(frame).sharing
        if told is None:
            continue
        means = dict(zip(told.counts, told.precision[:, 1:].mean(axis=0), strict=True))
        shown = "".join(f"{means[k]:>8.3f}" if k in means else f"{'':>8}" for k in (1, 2, 4, 8))
        cost, low, high = told.cost(1)
        print(
            f"{name:<32}{told.precision[:, 0].mean():>8.3f}{shown}{told.chance.mean():>8.3f}{told.chosen:>8}   {cost:+.3f} [{low:+.3f}, {high:+.3f}]"
        )


def transfer(quick: bool) -> list[tuple[int, float, float]]:
    """Quality of a new series as its history grows: started from the fleet, and from nothing but itself."""
    n_new = 6 if quick else 12
    frame = hosts(64 + n_new, 24 * 42, seed=2)
    fitted = tsp.panel.fit(frame.iloc[:, :64], clusters=1)
    new = frame.iloc[:, 64:]
    judged = {name: tsp.inject(new[name][24 * 28 :], n_events=8, random_state=k) for k, name in enumerate(new)}
    print(f"\na new series as its history grows: average precision on two later weeks with injected anomalies, mean of {n_new} series")
    print(f"{'days of history':<20}{'from the fleet':>16}{'its own model':>16}")
    lines = []
    for rows in (6, 12, 24, 48, 72, 96, 168, 336, 672):
        started = tsp.panel.learn(fitted, new[24 * 28 - rows : 24 * 28])
        fleet = [precision(tsp.panel.score(started, changed.to_frame())[name], labels) for name, (changed, labels, _) in judged.items()]
        alone = [own_precision(new[name][24 * 28 - rows : 24 * 28], *judged[name][:2]) for name in new]
        lines.append((rows, float(np.mean(fleet)), float(np.mean(alone))))
        print(f"{rows / 24:<20g}{np.mean(fleet):>16.3f}{np.mean(alone):>16.3f}")
    chance = np.mean([labels.mean() for _, labels, _ in judged.values()])
    print(f"chance {chance:.3f}")
    return lines


def precision(scores: pd.Series, labels: pd.Series) -> float:
    return tsp.metrics.average_precision(labels.to_numpy(), scores.to_numpy())


def own_precision(history: pd.Series, changed: pd.Series, labels: pd.Series) -> float:
    """Of a pipeline with the same steps that has this history alone; chance where that is too short to learn at all."""
    try:
        own = tsp.Pipeline([tsp.Deseason(), tsp.Windows(16, "point"), "iforest"]).fit(history)
    except tsp.BadSeries:
        return float(labels.mean())
    return precision(own.anomaly_score(changed), labels)


def draw_transfer(path: str = "docs/pictures/fleet_transfer.png") -> None:
    """Draw the table of `transfer`: `python -c "from benchmarks.panel import draw_transfer; draw_transfer()"`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = np.array(transfer(quick=False))
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    axes.plot(lines[:, 0] / 24, lines[:, 1], "o-", label="from the fleet")
    axes.plot(lines[:, 0] / 24, lines[:, 2], "s--", label="its own model")
    axes.set(xscale="log", xlabel="days of history", ylabel="average precision", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


# -- more rows than memory ------------------------------------------------------------------------------------------------------------


def streamed(quick: bool) -> None:
    """Files of growing size, learned and scored, each in a fresh process: few long series, and many short ones."""
    for hours in (20_000, 2_000):
        print(f"\nParquet, streamed: long rows of series of {hours:,} hours, in order of time")
        print(f"{'rows':>12}{'series':>8}{'fit s':>10}{'us/row':>10}{'score s':>10}{'us/row':>10}{'peak MB':>10}")
        found = []
        for millions in (0.5, 1.0) if quick else (1.0, 4.0, 10.0):
            told = [sys.executable, "-m", "benchmarks.panel_stream", str(millions), str(hours)]
            out = subprocess.run(told, capture_output=True, text=True, check=True)
            rows, fit, score, _, peak = (float(word) for word in out.stdout.split()[-5:])
            found.append((rows, fit, score, peak))
            spans = f"{fit:>10.1f}{fit / rows * 1e6:>10.2f}{score:>10.1f}{score / rows * 1e6:>10.2f}"
            print(f"{rows:>12,.0f}{rows / hours:>8,.0f}{spans}{peak:>10.0f}")
        _slopes(*np.array(found).T)


def _slopes(rows: np.ndarray, fit: np.ndarray, score: np.ndarray, peak: np.ndarray) -> None:
    """How time and memory grow with the rows."""
    for name, spans in (("fit", fit), ("score", score)):
        slope = np.polyfit(np.log(rows), np.log(spans), 1)[0]
        print(f"{name}: time grows as rows to the {slope:.2f}; 100 million rows at this rate {spans[-1] / rows[-1] * 1e8 / 60:.0f} min")
    growth = np.polyfit(rows, peak, 1)[0]
    print(f"peak memory grows by {growth * 1e6:.1f} MB per million rows; at 100 million {peak[-1] + growth * (1e8 - rows[-1]):.0f} MB")
