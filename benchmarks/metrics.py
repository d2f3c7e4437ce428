"""What a metric costs: against one argsort of the scores, scikit-learn, and the public implementations.

TSB-AD pins numpy below 2, but the modules of its evaluation folder run with today's numpy.  To measure against them,
unpack its wheel (`pip download --no-deps TSB-AD==1.5`) and name that folder: TSB_AD_EVALUATION=.../TSB_AD/evaluation.
Without it, affiliation is compared with the textbook of the tests, which does the same work per event and prediction, and the
volumes with argsort alone.  One process, one thread, CPU time, medians of runs in turn.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import time
import tracemalloc
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune import metrics as m

if TYPE_CHECKING:
    from collections.abc import Callable

BUFFER = 100


def run(quick: bool = False) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        compare((10_000,) if quick else (10_000, 100_000))
        growth((10_000, 100_000) if quick else (100_000, 1_000_000, 10_000_000))


def compare(sizes: tuple[int, ...]) -> None:
    """Ours against each peer."""
    print(f"{'':<44}{'rows':>10}{'ours':>12}{'peer':>12}  peer, ratio, largest difference of the values")
    for n in sizes:
        labels, scores = case(n)
        against_argsort(labels, scores)
        against_sklearn(labels, scores)
        against_tsb_ad(labels, scores)


def case(n: int, longest: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """A smooth score, and an event of up to 120 rows per 2000 rows."""
    rng = np.random.default_rng(0)
    labels = np.zeros(n, np.int64)
    for start in rng.choice(n - longest - 1, max(3, n // 2000), replace=False):
        labels[start : start + rng.integers(1, longest)] = 1
    return labels, np.convolve(rng.random(n) + 0.5 * labels * rng.random(n), np.ones(25) / 25, "same")


def against_argsort(labels: np.ndarray, scores: np.ndarray) -> None:
    """The unit of the goal: VUS-PR and VUS-ROC within two argsorts."""

    def argsort() -> float:
        return float(np.argsort(scores, kind="stable")[0])

    def together() -> float:
        return m.evaluate_all(labels, scores, buffer=BUFFER, metrics=("vus_pr", "vus_roc"))["vus_pr"]

    def apart() -> float:
        return m.vus_pr(labels, scores, buffer=BUFFER) + m.vus_roc(labels, scores, buffer=BUFFER)

    peer = 'np.argsort(kind="stable")'
    row(f"vus_pr and vus_roc, buffer {BUFFER}, evaluate_all", len(labels), together, argsort, peer, same_value=False)
    row(f"vus_pr and vus_roc, buffer {BUFFER}, two calls", len(labels), apart, argsort, peer, same_value=False)


def against_sklearn(labels: np.ndarray, scores: np.ndarray) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    n = len(labels)
    row(
        "average_precision", n, lambda: m.average_precision(labels, scores), lambda: average_precision_score(labels, scores), "scikit-learn"
    )
    row("roc_auc", n, lambda: m.roc_auc(labels, scores), lambda: roc_auc_score(labels, scores), "scikit-learn")


def against_tsb_ad(labels: np.ndarray, scores: np.ndarray) -> None:
    n = len(labels)

    def ours() -> float:
        return m.affiliation_best_f1(labels, scores)

    theirs = tsb_ad()
    if theirs is None:
        if n <= 10_000:
            slow, listed = textbook(), (labels.tolist(), scores.tolist())
            row("affiliation_best_f1", n, ours, lambda: slow.affiliation_best_f1(*listed, 100), "textbook of the tests", runs=1)
        return
    grader = theirs.basic_metricor()
    row("affiliation_best_f1", n, ours, lambda: grader.metric_Affiliation(labels, scores), "TSB-AD 1.5", runs=1)
    row(
        f"vus_pr, buffer {BUFFER} (TSB-AD gives vus_roc too)",
        n,
        lambda: m.vus_pr(labels, scores, buffer=BUFFER),
        lambda: theirs.generate_curve(labels, scores, BUFFER, "opt", 250)[-1],
        "TSB-AD 1.5",
        runs=1,
    )


def tsb_ad() -> Any:
    """TSB-AD's `basic_metrics`, from the folder that the environment names."""
    folder = os.environ.get("TSB_AD_EVALUATION")
    if folder is None:
        return None
    package = types.ModuleType("tsb_ad_evaluation")
    package.__path__ = [folder]
    sys.modules[package.__name__] = package
    return importlib.import_module("tsb_ad_evaluation.basic_metrics")


def growth(sizes: tuple[int, ...]) -> None:
    """Time and memory per row: a straight line has the same figures in every row."""
    print(
        f"\n{'':<24}"
        + "".join(f"{f'{n:,} rows':>26}" for n in sizes)
        + "\n"
        + f"{'':<24}"
        + f"{'ns, extra bytes per row':>26}" * len(sizes)
    )
    cells: dict[str, list[str]] = {}
    for n in sizes:
        labels, scores = case(n)
        alarms = scores > np.quantile(scores, 0.95)
        for name, work in _works(labels, scores, alarms).items():
            nanoseconds = statistics.median(seconds(work) for _ in range(3)) / n * 1e9
            cells.setdefault(name, []).append(f"{f'{nanoseconds:.1f}, {peak(work) / n:.1f}':>26}")
    for name, columns in cells.items():
        print(f"{name:<24}" + "".join(columns))


def _works(labels: Any, scores: Any, alarms: Any) -> dict[str, Callable[[], Any]]:
    return {
        "argsort": lambda: np.argsort(scores, kind="stable"),
        "vus_pr": lambda: m.vus_pr(labels, scores, buffer=BUFFER),
        "vus_pr, every score": lambda: m.vus_pr(labels, scores, buffer=BUFFER, thresholds=None),
        "average_precision": lambda: m.average_precision(labels, scores),
        "affiliation_best_f1": lambda: m.affiliation_best_f1(labels, scores),
        "pate": lambda: m.pate(labels, scores),
        "event_f1": lambda: m.event_f1(labels, alarms),
        "evaluate_all": lambda: m.evaluate_all(labels, scores, predictions=alarms, buffer=BUFFER),
    }


def row(
    what: str, n: int, ours: Callable[[], float], theirs: Callable[[], float], peer: str, *, same_value: bool = True, runs: int = 11
) -> None:
    """Print one comparison; the values must agree where both compute the same."""
    difference = abs(ours() - (theirs() if same_value else 0.0))
    if same_value and difference > 1e-9:
        raise ArithmeticError(f"{what}: {peer} differs by {difference}")
    times = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    told = f"{ratio:,.1f}x, {difference:.0e}" if same_value else f"ours is {1 / ratio:.2f} of it"
    print(f"{what:<44}{n:>10,}{mine * 1e3:>9.2f} ms{other * 1e3:>9.2f} ms  {peer}, {told}")


def seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def peak(work: Callable[[], Any]) -> int:
    """Bytes that were allocated at most at one time."""
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def textbook() -> Any:
    """The slow metrics of the tests."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    return importlib.import_module("reference.metrics")
