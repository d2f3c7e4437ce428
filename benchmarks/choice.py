"""`tsp.choose` on labelled series that it sees no label of, beside fixed detectors and PyOD.

    python -m benchmarks choice [--sample N] [--seed S] [--cache FILE] [--methods "a;b"] [--table]

`--sample` takes N of the 98 sources; `--cache` keeps what is measured, so that a run can be stopped and taken up again; `--table`
prints what the cache holds and measures nothing.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import unlabelled
from tsprune.blend import Blend
from tsprune.choose import Budget, choose
from tsprune.features.views import view
from tsprune.metrics import average_precision, vus_pr
from tsprune.pipeline import Pipeline
from tsprune.progress import track

if TYPE_CHECKING:
    from benchmarks.unlabelled import Case

#: Resamples of the sources for an interval.
RESAMPLES = 2000
#: What is compared with.
REFERENCE = "iforest on points"


def options(more: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks choice")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--methods", type=lambda text: tuple(text.split(";")))
    parser.add_argument("--table", action="store_true")
    return vars(parser.parse_args(more))


def run(
    quick: bool = False,
    sample: int | None = None,
    seed: int = 0,
    cache: Path | None = None,
    methods: tuple[str, ...] | None = None,
    table: bool = False,
) -> None:
    known = pd.read_csv(cache) if cache is not None and cache.exists() else pd.DataFrame(columns=["name", "method"])
    names = unlabelled.sample(8 if quick else sample, seed)
    if not table:
        warnings.simplefilter("ignore")
        for name in track(names, "series"):
            known = _measured(name, methods or tuple(METHODS), known)
            if cache is not None:
                known.to_csv(cache, index=False)
    found = known[known["name"].isin(names) & known["method"].isin(methods or tuple(METHODS))]
    _print(found)


def _measured(name: str, methods: tuple[str, ...], known: pd.DataFrame) -> pd.DataFrame:
    done = set(known.loc[known["name"] == name, "method"])
    todo = [method for method in methods if method not in done]
    case = unlabelled.load(name) if todo else None
    if case is None:
        return known
    rows = [
        {"name": name, "family": case.family, "group": case.group, "method": method} | _judged(case, METHODS[method]) for method in todo
    ]
    return pd.concat([known, pd.DataFrame(rows)], ignore_index=True)


def _judged(case: Case, method: Callable[[Case], tuple[np.ndarray, float, float]]) -> dict[str, float]:
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


def _chosen(placement: str = "end", **how: Any) -> Callable[[Case], tuple[np.ndarray, float, float]]:
    def method(case: Case) -> tuple[np.ndarray, float, float]:
        start = time.process_time()
        pipeline = choose(case.history, **how).pipeline
        if placement == "cover":
            pipeline = Blend(pipeline.members, placement="cover").fit(case.history)
        fitted = time.process_time() - start
        return pipeline.anomaly_score(case.rows, case.context).to_numpy(), fitted, pipeline.model_.nbytes

    return method


def _pipeline(make: Callable[[], list[Any]]) -> Callable[[Case], tuple[np.ndarray, float, float]]:
    def method(case: Case) -> tuple[np.ndarray, float, float]:
        start = time.process_time()
        pipeline = Pipeline(make()).fit(case.history)
        fitted = time.process_time() - start
        return pipeline.anomaly_score(case.rows, case.context).to_numpy(), fitted, pipeline.model_.nbytes

    return method


def _pyod(make: Callable[[], Any], recent: int | None = None) -> Callable[[Case], tuple[np.ndarray, float, float]]:
    """PyOD's TimeSeriesOD: windows of 50 rows, the largest score of the windows that cover a row."""

    def method(case: Case) -> tuple[np.ndarray, float, float]:
        from pyod.models.ts_od import TimeSeriesOD

        history = case.history.to_numpy()[-(recent or len(case.history)) :]
        start = time.process_time()
        detector = TimeSeriesOD(make(), window_size=min(50, len(history) // 4)).fit(history)
        fitted = time.process_time() - start
        before = case.context.to_numpy()[-50:]
        return detector.decision_function(np.concatenate([before, case.rows.to_numpy()]))[len(before) :], fitted, np.nan

    return method


def _rolling_z(case: Case) -> tuple[np.ndarray, float, float]:
    """Distance from the mean of the last 200 rows in their standard deviations."""
    values = pd.concat([case.context, case.rows]).iloc[:, 0].reset_index(drop=True)
    before = values.shift(1).rolling(200, min_periods=20)
    spread = before.std().clip(lower=1e-3 * float(case.history.iloc[:, 0].std()) + 1e-12)
    return ((values - before.mean()).abs() / spread).to_numpy()[len(case.context) :], 0.0, 0.0


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


METHODS: dict[str, Callable[[Case], tuple[np.ndarray, float, float]]] = {
    "choose": _chosen(),
    "choose, small": _chosen(budget=Budget.small()),
    "choose, point": _chosen(preset="point"),
    "choose, cover": _chosen("cover"),
    "iforest on points": _pipeline(lambda: [view("point"), "iforest"]),
    "Mahalanobis on points": _pipeline(lambda: [view("point"), "subspace"]),
    "Sub-PCA, 50 rows": _pipeline(lambda: [view("window"), "subspace"]),
    "rolling z-score": _rolling_z,
    "PyOD LOF, 4,000": _pyod(_lof, 4000),
    "PyOD IForest": _pyod(_forest),
    "PyOD OCSVM, 4,000": _pyod(_svm, 4000),
    "PyOD PCA": _pyod(_pca),
}


# -- tables -------------------------------------------------------------------------------------------------------------


def _print(found: pd.DataFrame) -> None:
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
    order = [method for method in METHODS if method in wide]
    print(f"{'':<24}{'VUS-PR':>8}{'minus ' + REFERENCE:>34}{'AUC-PR':>9}{'fit s':>8}{'us/row':>8}{'kB':>8}")
    for method in order:
        gain = (wide[method] - wide[REFERENCE]).to_numpy() if REFERENCE in wide else np.full(len(wide), np.nan)
        low, high = np.percentile(gain[draws].mean(axis=1), [2.5, 97.5])
        mean = by_group.loc[method]
        print(
            f"{method:<24}{wide[method].mean():>8.3f}{f'{gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]':>34}{mean['auc_pr'].mean():>9.3f}"
            f"{mean['fit_s'].median():>8.2f}{mean['us_per_row'].median():>8.1f}{mean['bytes'].median() / 1000:>8.0f}"
        )
    print("\nVUS-PR by family\n" + wide.groupby("family").mean()[order].T.to_string(float_format=lambda value: f"{value:.2f}"))
