"""One size of the streamed benchmark in a process of its own: `python -m benchmarks.panel_stream 10 20000`.

Millions of rows, and rows of each series.  The rows are written by another process, whose memory does not count, in order of
time, as they come in: every series is in every part of the file.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: Rows that are written at a time.
TOGETHER = 200_000


def write(path: Path, n_series: int, hours: int) -> None:
    rng = np.random.default_rng(0)
    level, height, middle = rng.uniform(0, 100, n_series), rng.uniform(1, 20, n_series), rng.uniform(11, 15, n_series)
    names = pa.array([f"host-{k:06d}" for k in range(n_series)])
    start = np.datetime64("2020-01-05", "ns")
    together = max(1, TOGETHER // n_series)
    writer = None
    for first in range(0, hours, together):
        hour = np.arange(first, min(first + together, hours))
        values = level + height * np.exp(-0.5 * ((hour[:, None] % 24 - middle) / 3) ** 2) + rng.normal(size=(len(hour), n_series))
        ids = pa.DictionaryArray.from_arrays(np.tile(np.arange(n_series, dtype=np.int32), len(hour)), names)
        times = np.repeat(start + hour * np.timedelta64(1, "h"), n_series)
        table = pa.table({"unique_id": ids, "ds": times, "y": values.ravel()})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def main(millions: float, hours: int) -> None:
    """Print rows, CPU seconds of the fit and of scoring, wall seconds of both, and peak resident megabytes of this process."""
    from threadpoolctl import threadpool_limits

    import tsprune as tsp

    pa.set_cpu_count(1)
    n_series = round(millions * 1e6 / hours)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = Path(folder) / "rows.parquet"
        subprocess.run([sys.executable, "-m", "benchmarks.panel_stream", "write", str(path), str(n_series), str(hours)], check=True)
        cpu, wall = [time.process_time()], [time.perf_counter()]
        pipeline = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(16, "point"), tsp.Pruned("iforest", random_state=0)])
        model = tsp.panel.fit_parquet(path, pipeline, clusters=1)
        cpu.append(time.process_time())
        count = tsp.panel.score_parquet(model, path, Path(folder) / "scores.parquet")
        cpu.append(time.process_time())
        wall.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(count, *np.diff(cpu), wall[-1] - wall[0], peak)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(float(sys.argv[1]), int(sys.argv[2]))
