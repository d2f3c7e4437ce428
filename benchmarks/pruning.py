"""Every cut beside its honest baseline and its ceiling: forests, one-class SVMs, LOF, features, students of other detectors.

On the tables of `benchmarks.tables`: features of real series, and tables of scikit-learn.  A detector learns and is cut on the
training rows and is judged on the others.  rho is the rank correlation with the detector before the cut, top 1 % the share of its top
rows that stay on top, AP the average precision against the labels after the cut less that before it.  Means over sets and
seeds; worst is the worst single run.  CPU seconds, one thread.
"""

from __future__ import annotations

import importlib
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM

from benchmarks import density
from benchmarks.tables import Table, tables
from tsprune.detect import fit_detector, to_part
from tsprune.detect.boundary import to_boundary
from tsprune.detect.forest import Growing, grow_teacher, to_forest
from tsprune.features import SelectFeatures
from tsprune.kernels.agreement import spearman, split_half, top_overlap
from tsprune.metrics import average_precision
from tsprune.prune import Guard, Pruned, grow
from tsprune.prune.nodes import Collapse
from tsprune.prune.reduce import Reduction
from tsprune.prune.trees import cap_depth

ROWS = {"n_train": 3000, "n_test": 4000}
Cuts = Iterator[tuple[str, object]]


def run(quick: bool = False) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        for part in (forests, teachers, growing, boundaries, density.cleaning, density.condensing, junk, students):
            begin = time.process_time()
            part(quick)
            print(f"({time.process_time() - begin:.0f} s)", flush=True)


@dataclass
class Found:
    """What one way of being small gave in all runs."""

    fewer: list[float] = field(default_factory=list)
    rho: list[float] = field(default_factory=list)
    top: list[float] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, table: Table, before: np.ndarray, n_before: int, cut: object, seconds: float) -> None:
        after = cut.anomaly_score(table.test)
        self.fewer.append(n_before / cut.n_parts)
        self.rho.append(spearman(before, after))
        self.top.append(top_overlap(before, after))
        self.precision.append(average_precision(table.labels, after) - average_precision(table.labels, before))
        self.where.append(table.name)
        self.seconds.append(seconds)

    def __str__(self) -> str:
        rho, change = np.array(self.rho), np.array(self.precision)
        return (
            f"{np.mean(self.fewer):>7.1f}{rho.mean():>8.4f}{rho.min():>8.3f}{np.mean(self.top):>8.2f}{change.mean():>+9.4f}{np.median(change):>+8.4f}"
            f"{change.min():>+8.3f}{np.mean(self.seconds):>7.2f}  {self.where[int(rho.argmin())]}"
        )


HEAD = f"{'':<46}{'fewer':>7}{'rho':>8}{'worst':>8}{'top 1 %':>8}{'AP':>9}{'median':>8}{'worst':>8}{'s':>7}  worst rho on"


def collect(found: dict[str, Found], cuts: Cuts, table: Table, before: np.ndarray, n_before: int) -> None:
    begin = time.process_time()
    for name, cut in cuts:
        found.setdefault(name, Found()).add(table, before, n_before, cut, time.process_time() - begin)


def show(title: str, found: dict[str, Found]) -> None:
    print(f"\n{title}\n{HEAD}", *(f"{name:<46}{one}" for name, one in found.items()), sep="\n")


def runs(quick: bool, seeds: int) -> Iterator[tuple[int, Table]]:
    for seed in range(1 if quick else seeds):
        for table in tables(quick, seed=seed, **ROWS):
            yield seed, table


# -- isolation forest -------------------------------------------------------------------------------------------------------


def forests(quick: bool) -> None:
    found: dict[str, Found] = {}
    halves, names = [], set()
    for seed, table in runs(quick, 2):
        names.add(table.name)
        whole = to_forest(IsolationForest(random_state=seed).fit(table.train))
        before = whole.anomaly_score(table.test)
        halves.append(split_half(whole.part_scores(table.test)))
        path = Collapse(whole, table.train, random_state=seed)
        n = whole.n_parts
        collect(found, ((f"nodes collapsed, {k}x", path.to(round(n / k))) for k in (2, 4, 10, 20, 40)), table, before, n)
        plain = Collapse(whole, table.train, relearn=False, random_state=seed)
        collect(found, ((f"the same, leaves not learned anew, {k}x", plain.to(round(n / k))) for k in (4, 10)), table, before, n)
        collect(found, ((f"depth capped at {d}", cap_depth(whole, d)) for d in (6, 4)), table, before, n)
        collect(found, ((f"{t} of its trees", whole.keep(np.arange(100) < t)) for t in (25, 10)), table, before, n)
        collect(found, ((f"a fresh forest of {t} trees", fresh(table, t, seed)) for t in (25, 10, 5)), table, before, n)
    show(
        f"isolation forest of 100 trees: {len(names)} sets; its own halves agree at {np.mean(halves):.3f} (worst {min(halves):.3f})", found
    )


def fresh(table: Table, n_trees: int, seed: int) -> object:
    return to_forest(IsolationForest(n_estimators=n_trees, random_state=1000 + seed).fit(table.train))


def teachers(quick: bool) -> None:
    found: dict[str, Found] = {}
    halves = []
    for seed, table in list(runs(quick, 1))[::2]:
        whole = to_forest(IsolationForest(n_estimators=1000, random_state=seed).fit(table.train))
        before = whole.anomaly_score(table.test)
        halves.append(split_half(whole.part_scores(table.test)))
        n = whole.n_parts
        ways = (
            (f"{t} trees chosen, then nodes, {k}x", Collapse(whole, table.train, trees=t, random_state=seed).to(round(n / k)))
            for t, k in ((200, 42), (100, 42), (200, 100), (100, 100))
        )
        collect(found, ways, table, before, n)
        collect(found, ((f"a fresh forest of {t} trees", fresh(table, t, seed)) for t in (100, 24, 10)), table, before, n)
    show(f"a teacher of 1,000 trees: {len(halves)} sets; its own halves agree at {np.mean(halves):.3f} (worst {min(halves):.3f})", found)


def growing(quick: bool) -> None:
    """How many trees `grow="converged"` takes, and how well each size follows another forest of the most trees."""
    print(f"\ntrees doubled until converged; rho to another forest of {grow.MOST} trees, on other rows")
    print(f"{'':<34}{'trees':>7}{'halves':>8}{'rho':>8}{'of 100':>8}{'of 1000':>8}{'s':>7}")
    told = []
    for seed, table in runs(quick, 1):
        begin = time.process_time()
        small = IsolationForest(random_state=seed).fit(table.train)
        forest, growth = grow.until_converged(Growing(small, table.train), table.train[-(len(table.train) // 4) :])
        seconds = time.process_time() - begin
        far = fresh(table, grow.MOST, seed).anomaly_score(table.test)
        sizes = (forest, to_forest(small), grow_teacher(small, table.train, 1000))
        told.append((growth.n_trees, growth.agreements[-1][1], *(spearman(far, one.anomaly_score(table.test)) for one in sizes), seconds))
        print(f"{table.name:<34}{_grown(told[-1])}", flush=True)
    for name, summary in (("mean", np.mean), ("worst", np.min)):
        print(f"{name:<34}{_grown(summary(told, axis=0))}")


def _grown(told: tuple[float, ...]) -> str:
    trees, agreement, *rho, seconds = told
    return f"{trees:>7.0f}{agreement:>8.3f}" + "".join(f"{one:>8.4f}" for one in rho) + f"{seconds:>7.1f}"


# -- one-class SVM ----------------------------------------------------------------------------------------------------------


def boundaries(quick: bool) -> None:
    precision: dict[float, list[float]] = defaultdict(list)
    for nu in (0.05, 0.3):
        found: dict[str, Found] = {}
        vectors = []
        for seed, table in runs(quick, 2):
            whole = to_boundary(OneClassSVM(nu=nu).fit(table.train))
            before = whole.anomaly_score(table.test)
            vectors.append(whole.n_parts)
            precision[nu].append(average_precision(table.labels, before))
            reduction = Reduction(whole, table.train, random_state=seed)
            sizes = [m for m in (8, 16, 20, 32) if m < whole.n_parts]
            collect(found, ((f"{m} centres", reduction.at(m)) for m in sizes), table, before, whole.n_parts)
            rng = np.random.default_rng(seed)
            small = ((f"SVM of a subsample, about {m} vectors", subsample(table, whole, m, nu, rng)) for m in sizes)
            collect(found, small, table, before, whole.n_parts)
            collect(found, ((f"the {m} largest weights", largest(whole, m)) for m in (20,) if m in sizes), table, before, whole.n_parts)
        show(f"one-class SVM, nu = {nu}, {np.mean(vectors):.0f} support vectors on average", found)
    print("uncut, mean AP: " + ", ".join(f"nu {nu}: {np.mean(own):.3f}" for nu, own in precision.items()))


def subsample(table: Table, whole: object, m: int, nu: float, rng: np.random.Generator) -> object:
    n = max(m + 1, round(m / nu))
    return to_boundary(OneClassSVM(nu=nu, gamma=whole.gamma).fit(table.train[rng.permutation(len(table.train))[:n]]))


def largest(whole: object, m: int) -> object:
    kept = np.zeros(whole.n_parts, bool)
    kept[np.argsort(-whole.weights, kind="stable")[:m]] = True
    return whole.keep(kept)


# -- features ---------------------------------------------------------------------------------------------------------------


def junk(quick: bool) -> None:
    """Columns of noise planted among the statistics of a series: found, and what is lost with them."""
    rng = np.random.default_rng(0)
    rates: list[tuple[str, float, float]] = []
    quality: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for table in tables(quick, **ROWS):
        d = table.train.shape[1]
        if d < 8:
            continue
        train, test = (np.hstack([part, noise(len(part), rng)]) for part in (table.train, table.test))
        kept = np.array(SelectFeatures(criterion="unrelated").fit(pd.DataFrame(train)).part_.kept)
        rates.append((table.name, 1.0 - (kept >= d).sum() / N_JUNK, (kept < d).sum() / d))
        for name in ("iforest", "ocsvm", "lof"):
            found = []
            for columns in (np.arange(d + N_JUNK), kept, np.arange(d)):
                part = fit_detector(name, train[:, columns], random_state=0).part_
                found.append(average_precision(table.labels, part.anomaly_score(test[:, columns])))
            quality[name].append((found[0], found[1], found[2]))
    print(f"\n{N_JUNK} columns of noise planted; SelectFeatures(criterion='unrelated') on {len(rates)} sets with 8 columns or more")
    for kind in ("series", "several sensors and tables"):
        own = [rate for rate in rates if statistics_of_a_series(rate[0]) == (kind == "series")]
        if own:
            worst = min(own, key=lambda rate: rate[2])
            print(
                f"  {kind:<28}{len(own):>3} sets: noise found {np.mean([r[1] for r in own]):.3f} (worst {min(r[1] for r in own):.2f}), originals kept "
                f"{np.mean([r[2] for r in own]):.3f} (worst {worst[2]:.2f} on {worst[0]})"
            )
    for name, values in quality.items():
        dirty, selected, clean = np.mean(values, axis=0)
        print(f"  {name:<8} AP with the noise {dirty:.3f}, selected {selected:.3f}, without the noise {clean:.3f}")


N_JUNK = 30


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Independent columns of five shapes."""
    shapes = (
        lambda: rng.normal(size=n),
        lambda: rng.uniform(-2, 2, size=n),
        lambda: rng.standard_t(3, size=n),
        lambda: rng.exponential(size=n) - 1.0,
        lambda: rng.integers(3, size=n) - 1.0,
    )
    return np.column_stack([shapes[j % 5]() for j in range(N_JUNK)])


def statistics_of_a_series(name: str) -> bool:
    return name.split(":")[0] in ("nab", "kpi", "ucr")


# -- any other detector -----------------------------------------------------------------------------------------------------

OTHERS = {"ecod": "ECOD", "copod": "COPOD", "hbos": "HBOS", "inne": "INNE", "loda": "LODA", "mcd": "MCD", "knn": "KNN", "pca": "PCA"}


def students(quick: bool) -> None:
    """Detectors of PyOD that have no form of ours: the student that a guard of 0.95 lets pass, or none."""
    print("\nstudents of other detectors (guard 0.95): sets where one is accepted; its size and, on other rows, rho and change of AP")
    chosen = [table for i, table in enumerate(tables(True, **ROWS)) if i in ((0, 5) if quick else (0, 2, 4, 5))]
    for module, name in OTHERS.items():
        rho, change, sizes, kinds, n_refused = [], [], [], [], 0
        for table in chosen:
            detector = getattr(importlib.import_module(f"pyod.models.{module}"), name)()
            pruned = Pruned(detector, guard=Guard(fidelity=0.95), random_state=0).fit(table.train)
            whole = to_part(pruned.detector_)
            if pruned.part_.n_parts == whole.n_parts and pruned.fidelity_ == 1.0:
                n_refused += 1
                continue
            before, after = whole.anomaly_score(table.test), pruned.part_.anomaly_score(table.test)
            rho.append(spearman(before, after))
            change.append(average_precision(table.labels, after) - average_precision(table.labels, before))
            sizes.append(pruned.part_.nbytes / 1e3)
            kinds.append(type(pruned.part_).__name__)
        told = f"  {name:<8} accepted {len(rho)} of {len(chosen)}"
        if rho:
            told += f"; {np.mean(sizes):.0f} kB, rho {np.mean(rho):.3f} (worst {min(rho):.3f}), AP {np.mean(change):+.3f} (worst {min(change):+.3f}); "
            told += ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        print(told, flush=True)
