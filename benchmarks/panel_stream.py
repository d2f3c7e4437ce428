"""One size of the streamed benchmark in a process of its own: `python -m benchmarks.panel_stream 10` (millions of rows).

Rows are written in order of time, as they come in: every series is in every part of the file.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tsprune as tsp

HOURS = 2000


def write(path: Path, n_series: int) -> None:
    rng = np.random.default_rng(0)
    level, height, middle = rng.uniform(0, 100, n_series), rng.uniform(1, 20, n_series), rng.uniform(11, 15, n_series)
    names = pa.array([f"host-{k:06d}" for k in range(n_series)])
    start = np.datetime64("2026-01-05", "ns")
    together = max(1, 200_000 // n_series)
    writer = None
    for first in range(0, HOURS, together):
        hours = np.arange(first, min(first + together, HOURS))
        values = level + height * np.exp(-0.5 * ((hours[:, None] % 24 - middle) / 3) ** 2) + rng.normal(size=(len(hours), n_series))
        ids = pa.DictionaryArray.from_arrays(np.tile(np.arange(n_series, dtype=np.int32), len(hours)), names)
        times = np.repeat(start + hours * np.timedelta64(1, "h"), n_series)
        table = pa.table({"unique_id": ids, "ds": times, "y": values.ravel()})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def main(millions: float) -> None:
    from threadpoolctl import threadpool_limits

    pa.set_cpu_count(1)
    n_series = round(millions * 1e6 / HOURS)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = Path(folder) / "rows.parquet"
        write(path, n_series)
        spans = [time.process_time()]
        model = tsp.panel.fit_parquet(
            path, tsp.Pipeline([tsp.Deseason(24), tsp.Windows(16, "point"), tsp.Pruned("iforest", random_state=0)]), clusters=1
        )
        spans.append(time.process_time())
        count = tsp.panel.score_parquet(model, path, Path(folder) / "scores.parquet")
        spans.append(time.process_time())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(count, *np.diff(spans), peak)


if __name__ == "__main__":
    main(float(sys.argv[1]))
