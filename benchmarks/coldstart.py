"""A scheduled job's price: a fresh process loads a model and scores one row.

The peer does the same with the same forest as PyOD and joblib keep it.  Whole processes, in turn, medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def run(quick: bool = False) -> None:
    import joblib
    from pyod.models.iforest import IForest

    import tsprune as tsp

    X = np.random.default_rng(0).normal(size=(2000, 32))
    with tempfile.TemporaryDirectory() as folder:
        peer_file, our_file, row = (Path(folder) / name for name in ("peer.joblib", "ours.tsp", "row.npy"))
        detector = IForest(random_state=0)
        joblib.dump(detector.fit(X), peer_file)
        tsp.Pipeline([IForest(random_state=0)]).fit(X).freeze().save(our_file)
        np.save(row, X[:1])
        ours = f"import numpy as np, tsprune as tsp; print(tsp.load({str(our_file)!r}).anomaly_score(np.load({str(row)!r}))[0])"
        peer = f"import joblib, numpy as np; print(joblib.load({str(peer_file)!r}).decision_function(np.load({str(row)!r}))[0])"
        numpy = "import numpy"
        assert abs(float(_output(ours)) - float(_output(peer))) < 1e-10
        runs = [[_cpu(code) for code in (ours, peer, numpy)] for _ in range(5 if quick else 15)]
    mine, theirs, floor = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = statistics.median(b / a for a, b, _ in runs)
    print(f"cold start, one row (CPU seconds of the whole process, median of {len(runs)}):")
    print(f"  tsprune {mine:.3f}   PyOD + joblib {theirs:.3f}   import numpy alone {floor:.3f}")
    print(f"  ratio {ratio:.1f}x; scores agree to 1e-10")


def _output(code: str) -> str:
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True).stdout


def _cpu(code: str) -> float:
    """User and system seconds of a fresh process."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _output(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
