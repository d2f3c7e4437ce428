"""What is loaded, and when: numpy alone for a saved model, the rest when its work begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pandas", "scipy", "sklearn", "statsmodels", "pyod", "numba", "matplotlib"}


def loaded_by(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"],
        capture_output=True,
        text=True,
        check=True,
    )
    return HEAVY & set(told.stdout.split())


def test_importing_the_package_loads_numpy_at_the_most():
    assert loaded_by("import tsprune") == set()


def test_the_metrics_load_numpy_only():
    assert loaded_by("import tsprune as tsp; tsp.metrics.average_precision([0, 1, 0], [0.1, 0.9, 0.3])") == set()


def test_model_parts_load_numpy_only():
    assert loaded_by("import tsprune.model, tsprune.kernels.smooth, tsprune.kernels.windows") == set()


def test_reading_a_file_loads_pandas_only():
    assert loaded_by("import tsprune.series.io, tsprune.series.regular, tsprune.series.doctor") <= {"pandas"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    import numpy as np
    import pandas as pd

    import tsprune as tsp

    folder = tmp_path_factory.mktemp("model")
    index = pd.date_range("2026-01-01", periods=24 * 40, freq="h")
    rng = np.random.default_rng(0)
    load = pd.Series(np.sin(np.arange(len(index)) * np.pi / 12) + rng.normal(size=len(index)) * 0.1, index=index, name="load")
    paths = {}
    for detector in ("iforest", "ocsvm", "lof"):
        steps = [tsp.Deseason(), tsp.Windows(6), tsp.SelectFeatures(), tsp.Pruned(detector, random_state=0)]
        paths[detector] = folder / f"{detector}.tsp"
        tsp.Pipeline(steps).fit(load).freeze().save(paths[detector])
    load.rename_axis("time").to_csv(folder / "load.csv")
    return paths


@pytest.mark.parametrize("detector", ["iforest", "ocsvm", "lof"])
def test_scoring_a_saved_model_loads_numpy_only(saved, detector):
    code = f"""
import numpy as np, tsprune as tsp
model = tsp.load({str(saved[detector])!r})
time = np.datetime64("2026-03-01", "ns") + np.arange(model.lookback + 3) * np.timedelta64(1, "h")
assert np.isfinite(model.anomaly_score(np.sin(np.arange(len(time))), time)[-1])
"""
    assert loaded_by(code) == set()


def test_the_command_that_scores_loads_pandas_besides(saved):
    data = saved["iforest"].parent / "load.csv"
    code = f"""
import sys
from tsprune.cli import main
assert main(["score", {str(data)!r}, "--model", {str(saved["iforest"])!r}, "--out", {str(data.with_name("scores.csv"))!r}]) == 0
"""
    assert loaded_by(code) == {"pandas"}
