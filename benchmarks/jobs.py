"""What a scheduled run costs: one series as a whole process, and ten thousand series in one run.

The peer is the script that such a job is today: pandas reads the last four weeks from SQLite, statsmodels takes the season away,
PyOD scores the new rows with a pickled forest, and scores and state go back into SQLite.  Both do one hourly run; whole processes in
turn, one thread, medians.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import tsprune as tsp

_HOUR = 3600 * 10**9

_PEER = """\
import joblib, pandas as pd, sqlite3
from statsmodels.tsa.seasonal import STL
db = sqlite3.connect("peer.db")
cursor = pd.Timestamp(db.execute("SELECT time FROM cursor").fetchone()[0])
since, until = cursor - pd.Timedelta("28D"), cursor + pd.Timedelta("1h")
rows = pd.read_sql("SELECT time, load FROM metrics WHERE time > ? AND time <= ?", db, params=(since.isoformat(), until.isoformat()))
load = pd.Series(rows["load"].to_numpy(), index=pd.DatetimeIndex(rows["time"]))
residual = STL(load, period=24, seasonal=13, robust=True).fit().resid
windows = pd.concat([residual.shift(k) for k in (2, 1, 0)], axis=1).loc[cursor + pd.Timedelta("1s"):]
model = joblib.load("peer.joblib")
scores = model.decision_function(windows.to_numpy())
with db:
    db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?)", zip(windows.index.map(str), scores.tolist()))
    db.execute("UPDATE cursor SET time = ?", (windows.index[-1].isoformat(),))
print(len(scores))
"""


def run(quick: bool = False) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _cold_start(folder, 5 if quick else 15)
        _many_series(folder, 1000 if quick else 10_000)


def _series(n: int, seed: int) -> pd.Series:
    index = pd.date_range("2026-01-01", periods=n, freq="h", tz="UTC", name="time")
    hour = np.arange(n)
    values = 50.0 + 20.0 * np.sin(2 * np.pi * hour / 24) + np.random.default_rng(seed).normal(size=n)
    return pd.Series(values, index=index, name="load")


def _model(series: pd.Series) -> tsp.Model:
    return (
        tsp.Pipeline([tsp.Deseason(24), tsp.Windows(3), tsp.Pruned("iforest", keep=0.2, guard=None, random_state=0)]).fit(series).freeze()
    )


def _cold_start(folder: Path, rounds: int) -> None:
    series = _series(24 * 90, 0)
    start = len(series) - rounds - 2
    _prepare_ours(folder, series, start)
    _prepare_peer(folder, series, start)
    ours, peer = [], []
    for i in range(rounds + 1):
        moment = series.index[start + i + 1] + pd.Timedelta("1min")
        command = [sys.executable, "-m", "tsprune.cli", "run", "job.toml", "--as-of", moment.isoformat()]
        ours.append(_cpu(command, folder))
        peer.append(_cpu([sys.executable, "-W", "ignore", "peer.py"], folder))
    mine, theirs = ours[1:], peer[1:]  # the first of each fills caches
    floor = statistics.median(_cpu([sys.executable, "-c", "import numpy"], folder) for _ in range(5))
    imports = statistics.median(
        _cpu([sys.executable, "-c", "import joblib, pandas, statsmodels.tsa.seasonal, pyod.models.iforest"], folder) for _ in range(3)
    )
    ratio = statistics.median(b / a for a, b in zip(mine, theirs, strict=True))
    with sqlite3.connect(folder / "job.db") as store:
        kept = store.execute("SELECT COUNT(*) FROM scores").fetchone()[0]
    assert kept >= rounds, kept
    print(f"an hourly run of one series from SQLite (CPU seconds of the whole process, median of {rounds}):")
    print(f"  tsprune run {statistics.median(mine):.3f}   pandas + statsmodels + PyOD {statistics.median(theirs):.3f}   ratio {ratio:.1f}x")
    print(f"  of which: import numpy {floor:.3f}; the peer's imports {imports:.3f}")


def _prepare_ours(folder: Path, series: pd.Series, start: int) -> None:
    _model(series.iloc[: 24 * 60]).save(folder / "m.tsp")
    _fill(folder / "data.db", series.index, {"one": series.to_numpy()})
    (folder / "job.toml").write_text(_JOB.format(name="job", source="data.db", schedule='start = "1h"'))
    subprocess.run(
        [sys.executable, "-m", "tsprune.cli", "run", "job.toml", "--as-of", (series.index[start] + pd.Timedelta("1min")).isoformat()],
        cwd=folder,
        env=_environment(),
        check=True,
        capture_output=True,
    )


_JOB = """\
name = "{name}"
[schedule]
every = "1h"
{schedule}
[source]
kind = "sql"
url = "sqlite:///{source}"
table = "metrics"
series = "host"
[model]
file = "m.tsp"
[[sink]]
kind = "file"
path = "alerts.jsonl"
"""


def _prepare_peer(folder: Path, series: pd.Series, start: int) -> None:
    import joblib
    from pyod.models.iforest import IForest
    from statsmodels.tsa.seasonal import STL

    residual = STL(series.iloc[: 24 * 60], period=24, seasonal=13, robust=True).fit().resid
    windows = pd.concat([residual.shift(k) for k in (2, 1, 0)], axis=1).dropna()
    joblib.dump(IForest(random_state=0).fit(windows.to_numpy()), folder / "peer.joblib")
    _fill(folder / "peer.db", series.index, {"one": series.to_numpy()})
    with sqlite3.connect(folder / "peer.db") as db:
        db.execute("CREATE TABLE scores (time TEXT PRIMARY KEY, score REAL)")
        db.execute("CREATE TABLE cursor (time TEXT)")
        db.execute("INSERT INTO cursor VALUES (?)", (series.index[start].tz_localize(None).isoformat(),))
    (folder / "peer.py").write_text(_PEER)


def _fill(path: Path, index: pd.DatetimeIndex, columns: dict[str, np.ndarray]) -> None:
    times = index.tz_localize(None).strftime("%Y-%m-%dT%H:%M:%S").tolist()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE metrics (time TEXT, host TEXT, load REAL)")
        for name, values in columns.items():
            db.executemany("INSERT INTO metrics VALUES (?, ?, ?)", zip(times, [name] * len(times), values.tolist(), strict=True))
        db.execute("CREATE INDEX by_time ON metrics (time)")
    db.close()


def _many_series(folder: Path, n_series: int) -> None:
    from tsprune.monitor import Job

    first = _series(24 * 60, 1)
    many = folder / "many"
    many.mkdir()
    _model(first).save(many / "m.tsp")
    index = _series(24 * 63, 2).index[24 * 60 :]
    rng = np.random.default_rng(3)
    daily = 50.0 + 20.0 * np.sin(2 * np.pi * np.arange(len(index)) / 24)
    _fill(many / "data.db", index, {f"host-{i}": daily + rng.normal(size=len(index)) for i in range(n_series)})
    (many / "job.toml").write_text(_JOB.format(name="many", source="data.db", schedule='start = "1d"'))
    job = Job.load(many / "job.toml")
    print(f"{n_series:,} series in one run, from SQLite into SQLite, one process, one thread:")
    for what, hours in (("the first run, a day of rows", 24), ("a daily run", 48), ("an hourly run", 49), ("the next one", 50)):
        as_of = int(index[0].value) + hours * _HOUR - _HOUR // 2
        began, wall = time.process_time(), time.perf_counter()
        result = job.run(as_of)
        seconds = time.process_time() - began
        rate = result.n_rows / seconds
        print(f"  {what}: {result.n_rows:,} rows, {seconds:.2f} CPU s ({time.perf_counter() - wall:.2f} s), {rate:,.0f} series-rows/s")


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([root, *(p for p in sys.path if p)])}


def _cpu(command: list[str], folder: Path) -> float:
    """User and system seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
