"""`tsp.choose` on labelled series that it sees no label of, beside fixed detectors and PyOD.

    python -m benchmarks choice [--sample N] [--seed S] [--cache FILE] [--methods "a;b"] [--table] [--columns]

`--sample` takes N of the 98 sources; `--cache` keeps what is measured, so that a run can be stopped and taken up again; `--table`
prints what the cache holds and measures nothing; `--columns` takes the series of several columns with all of them.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import unlabelled
from tsprune.blend import Blend
from tsprune.choose import Budget, choose
from tsprune.features import Windows
from tsprune.features.views import FLAT, view
from tsprune.kernels.windows import largest_ahead, normalised
from tsprune.metrics import average_precision, vus_pr
from tsprune.pipeline import Pipeline
from tsprune.progress import track

if TYPE_CHECKING:
    from benchmarks.unlabelled import Case

#: A case in; scores of its rows, seconds to learn and bytes of the model out.
Method = Callable[["Case"], tuple[np.ndarray, float, float]]

#: Resamples of the sources for an interval.
RESAMPLES = 2000
#: Rows of a window of the matrix profile, and windows that look for their nearest one together.
PROFILE, BLOCK = 50, 128
#: What is compared with.
REFERENCES = ("iforest on points", "iforest on rows")


def options(more: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks choice")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--methods", type=lambda text: tuple(text.split(";")))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--columns", action="store_true", help="series of several columns, with all of them")
    return vars(parser.parse_args(more))


def run(
    quick: bool = False,
    sample: int | None = None,
    seed: int = 0,
    cache: Path | None = None,
    methods: tuple[str, ...] | None = None,
    table: bool = False,
    columns: bool = False,
) -> None:
    every = COLUMN_METHODS if columns else METHODS
    known = pd.read_csv(cache) if cache is not None and cache.exists() else pd.DataFrame(columns=["name", "method"])
    names = unlabelled.sample(8 if quick else sample, seed)
    if not table:
        warnings.simplefilter("ignore")
        for name in track(names, "series"):
            known = _measured(name, {method: every[method] for method in methods or every}, known, columns)
            if cache is not None:
                known.to_csv(cache, index=False)
    found = known[known["name"].isin(names) & known["method"].isin(methods or tuple(every))]
    _print(found, tuple(every))


def _measured(name: str, methods: dict[str, Method], known: pd.DataFrame, columns: bool) -> pd.DataFrame:
    done = set(known.loc[known["name"] == name, "method"])
    todo = [method for method in methods if method not in done]
    case = unlabelled.load(name, columns=columns) if todo else None
    if case is None or (columns and case.history.shape[1] == 1):
        return known
    rows = [
        {"name": name, "family": case.family, "group": case.group, "method": method} | _judged(case, methods[method]) for method in todo
    ]
    return pd.concat([known, pd.DataFrame(rows)], ignore_index=True)


def _judged(case: Case, method: Method) -> dict[str, float]:
    start = time.process_time()
    scores, fitted, nbytes = method(case)
    total = time.process_time() - start
    scores = np.nan_to_num(np.asarray(scores, dtype=np.float64), nan=-np.inf)
    scores[np.isinf(scores)] = scores[np.isfinite(scores)].min(initial=0.0)
    return {
        "vus_pr": vus_pr(case.labels, scores, buffer=case.buffer),
        "auc_pr": average_precision(case.labels, scores),
        "fit_s": fitted,
        "us_per_row": (total - fitted) / (len(case.rows) + len(case.context)) * 1e6,
        "bytes": nbytes,
    }


# -- methods: a case in, scores of its rows, seconds to learn, bytes of the model out ---------------------------------------


def _chosen(placement: str = "end", **how: Any) -> Method:
    def method(case: Case) -> tuple[np.ndarray, float, float]:
        start = time.process_time()
        pipeline = _blend(case, how)
        if placement == "cover":
            pipeline = Blend(pipeline.members, placement="cover").fit(case.history)
        fitted = time.process_time() - start
        return pipeline.anomaly_score(case.rows, case.context).to_numpy(), fitted, pipeline.model_.nbytes

    return method


#: The blend chosen last, and for what: "cover" places what "end" has chosen.
_last: dict[str, Blend] = {}


def _blend(case: Case, how: dict[str, Any]) -> Blend:
    key = f"{case.name} {how}"
    if key not in _last:
        _last.clear()
        _last[key] = choose(case.history, **how).pipeline
    return _last[key]


def _pipeline(make: Callable[[], list[Any]]) -> Method:
    def method(case: Case) -> tuple[np.ndarray, float, float]:
        start = time.process_time()
        pipeline = Pipeline(make()).fit(case.history)
        fitted = time.process_time() - start
        return pipeline.anomaly_score(case.rows, case.context).to_numpy(), fitted, pipeline.model_.nbytes

    return method


def _pyod(make: Callable[[], Any], recent: int | None = None) -> Method:
    """PyOD's TimeSeriesOD: windows of 50 rows, the largest score of the windows that cover a row; nothing where it has learned nothing."""

    def method(case: Case) -> tuple[np.ndarray, float, float]:
        from pyod.models.ts_od import TimeSeriesOD

        history = case.history.to_numpy()[-(recent or len(case.history)) :]
        start = time.process_time()
        try:
            detector = TimeSeriesOD(make(), window_size=min(50, len(history) // 4)).fit(history)
        except IndexError:  # no window of a constant history has a score
            return np.zeros(len(case.rows)), 0.0, np.nan
        fitted = time.process_time() - start
        before = case.context.to_numpy()[-50:]
        return detector.decision_function(np.concatenate([before, case.rows.to_numpy()]))[len(before) :], fitted, np.nan

    return method


def _scaled() -> Windows:
    return Windows(1, "value")


def _rolling_z(case: Case) -> tuple[np.ndarray, float, float]:
    """Distance from the mean of the last 200 rows in their standard deviations."""
    values = pd.concat([case.context, case.rows]).iloc[:, 0].reset_index(drop=True)
    before = values.shift(1).rolling(200, min_periods=20)
    spread = before.std().clip(lower=1e-3 * float(case.history.iloc[:, 0].std()) + 1e-12)
    return ((values - before.mean()).abs() / spread).to_numpy()[len(case.context) :], 0.0, 0.0


def _matrix_profile(placement: str = "end") -> Method:
    """The left matrix profile: how far the z-normed last 50 rows are from the nearest such window before, half a window apart or more."""

    def method(case: Case) -> tuple[np.ndarray, float, float]:
        between = case.context[case.context.index > case.history.index[-1]]
        values = pd.concat([case.history, between, case.rows]).iloc[:, 0].to_numpy()
        windows = np.lib.stride_tricks.sliding_window_view(values, PROFILE)
        shapes = normalised(windows, FLAT * float(case.history.iloc[:, 0].std()) + 1e-12) / np.sqrt(PROFILE)
        n, judged = len(shapes), len(case.rows)
        profile = np.empty(judged)
        for start in range(0, judged, BLOCK):
            own = np.arange(start, min(start + BLOCK, judged)) + n - judged
            before = own[-1] - PROFILE // 2 + 1
            squares = (shapes[own] ** 2).sum(axis=1)[:, None] + (shapes[:before] ** 2).sum(axis=1) - 2.0 * (shapes[own] @ shapes[:before].T)
            squares[np.arange(before) > own[:, None] - PROFILE // 2] = np.inf
            profile[start : start + BLOCK] = np.sqrt(np.maximum(squares.min(axis=1), 0.0))
        return (largest_ahead(profile, PROFILE) if placement == "cover" else profile), 0.0, values[: len(case.history)].nbytes

    return method


def _forest() -> Any:
    from pyod.models.iforest import IForest

    return IForest(random_state=0)


def _lof() -> Any:
    from pyod.models.lof import LOF

    return LOF()


def _svm() -> Any:
    from pyod.models.ocsvm import OCSVM

    return OCSVM()


def _pca() -> Any:
    from pyod.models.pca import PCA

    return PCA()


METHODS: dict[str, Method] = {
    "choose": _chosen(),
    "choose, cover": _chosen("cover"),
    "choose, small": _chosen(budget=Budget.small()),
    **({"choose, small, Optuna": _chosen(budget=Budget.small(), search="optuna")} if find_spec("optuna") else {}),
    "choose, point": _chosen(preset="point"),
    "iforest on points": _pipeline(lambda: [view("point"), "iforest"]),
    "Mahalanobis on points": _pipeline(lambda: [view("point"), "subspace"]),
    "Sub-PCA, 50 rows": _pipeline(lambda: [view("window"), "subspace"]),
    "matrix profile": _matrix_profile(),
    "matrix profile, cover": _matrix_profile("cover"),
    "rolling z-score": _rolling_z,
    "PyOD LOF, 4,000": _pyod(_lof, 4000),
    "PyOD IForest": _pyod(_forest),
    "PyOD OCSVM, 4,000": _pyod(_svm, 4000),
    "PyOD PCA": _pyod(_pca),
}

#: What series of several columns are judged by.
COLUMN_METHODS: dict[str, Method] = {
    "choose": _chosen(),
    "choose, small": _chosen(budget=Budget.small()),
    "iforest on rows": _pipeline(lambda: ["iforest"]),
    "ocsvm on rows": _pipeline(lambda: [_scaled(), "ocsvm"]),
    "lof on rows": _pipeline(lambda: [_scaled(), "lof"]),
    "Sub-PCA on rows": _pipeline(lambda: ["subspace"]),
}


# -- tables -------------------------------------------------------------------------------------------------------------


def _print(found: pd.DataFrame, methods: tuple[str, ...]) -> None:
    if found.empty:
        print("nothing measured")
        return
    complete = found.groupby("name")["method"].transform("nunique") == found["method"].nunique()
    found = found[complete]
    by_group = found.groupby(["method", "family", "group"])[["vus_pr", "auc_pr", "fit_s", "us_per_row", "bytes"]].mean()
    wide = by_group["vus_pr"].unstack("method")
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(wide), (RESAMPLES, len(wide)))
    print(f"{found['name'].nunique()} series, {len(wide)} sources; mean over sources, 95 % interval by bootstrap over sources\n")
    order = [method for method in methods if method in wide]
    reference = next((method for method in REFERENCES if method in wide), order[0])
    print(f"{'':<24}{'VUS-PR':>8}{'minus ' + reference:>34}{'AUC-PR':>9}{'fit s':>8}{'us/row':>8}{'kB':>8}")
    for method in order:
        gain = (wide[method] - wide[reference]).to_numpy()
        low, high = np.percentile(gain[draws].mean(axis=1), [2.5, 97.5])
        mean = by_group.loc[method]
        print(
            f"{method:<24}{wide[method].mean():>8.3f}{f'{gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]':>34}{mean['auc_pr'].mean():>9.3f}"
            f"{mean['fit_s'].median():>8.2f}{mean['us_per_row'].median():>8.1f}{mean['bytes'].median() / 1000:>8.0f}"
        )
    print("\nVUS-PR by family\n" + wide.groupby("family").mean()[order].T.to_string(float_format=lambda value: f"{value:.2f}"))
