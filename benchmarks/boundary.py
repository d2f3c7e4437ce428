"""One-class SVM: scoring against libsvm, few centres against small SVMs, teachers learned from a sample.

Speed: ratios in one process, one thread, CPU time, medians of runs in turn; the first run, which compiles, does not count.
Cuts: on the tables of `benchmarks.tables`; each SVM learns and is cut on the training rows and is judged on the others.
rho is the rank correlation with the SVM before the cut; top 1 % the share of its top rows that stay on top; AP the average
precision against the labels after the cut less that before it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from sklearn.svm import OneClassSVM

from benchmarks.forest import correlated, in_turn
from benchmarks.tables import Table, tables
from tsprune.detect import fit_detector
from tsprune.detect.boundary import to_boundary
from tsprune.kernels.agreement import spearman, top_overlap
from tsprune.metrics import average_precision
from tsprune.model.boundary import Boundary
from tsprune.prune.reduce import FINAL_RIDGE, Reduction, gaussians, ridge_weights
from tsprune.prune.teacher import settings_effect

CENTRES = (8, 10, 16, 20, 32)
NUS = (0.05, 0.1, 0.3)


def run(quick: bool = False) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        scoring(quick)
        cutting(quick)
        large(quick)
        sampling(quick)


# -- scoring ----------------------------------------------------------------------------------------------------------------


def scoring(quick: bool) -> None:
    """A batch and a single row, whole and cut, against libsvm."""
    print("\nscoring: ns per row and support vector, libsvm's time over ours; after a cut to 20 centres, libsvm with all over ours with 20")
    print(
        f"{'rows x columns, support vectors':<34}{'ours':>8}{'libsvm':>8}{'ratio':>8}{'cut':>8}{'one row':>9}{'ratio':>8}{'difference':>12}"
    )
    for d, n, nu in ((8, 4000, 0.3), (32, 4000, 0.05), (32, 4000, 0.3), (64, 4000, 0.3)):
        learn, rows = correlated(n, d), correlated(4000 if quick else 20_000, d)[::-1].copy()
        learn, rows = learn / learn.std(axis=0), rows / learn.std(axis=0)
        svm = OneClassSVM(nu=nu).fit(learn)
        whole = to_boundary(svm)
        cut = Reduction(whole, learn, random_state=0).at(20)
        batch, peer = in_turn(whole.anomaly_score, svm.decision_function, rows, 3 if quick else 7)
        small, _ = in_turn(cut.anomaly_score, np.ascontiguousarray, rows, 7)
        single, alone = in_turn(whole.anomaly_score, svm.decision_function, rows[:1], 51)
        values = len(rows) * whole.n_parts
        off = np.abs(whole.anomaly_score(rows) + svm.decision_function(rows)).max() / whole.weights.sum()
        by_one = np.concatenate([whole.anomaly_score(rows[i : i + 1]) for i in range(100)])
        assert (by_one == whole.anomaly_score(rows)[:100]).all(), "row by row gives other bits than the batch"
        print(
            f"{f'{len(rows)} x {d}, {whole.n_parts}':<34}{batch / values * 1e9:>8.2f}{peer / values * 1e9:>8.1f}{peer / batch:>8.1f}{peer / small:>8.0f}"
            f"{single * 1e6:>7.0f}us{alone / single:>8.1f}{off:>12.0e}"
        )


# -- few centres ------------------------------------------------------------------------------------------------------------


def ways(
    whole: Boundary, reduction: Reduction, table: Table, m: int, nu: float, rng: np.random.Generator
) -> Iterator[tuple[str, Boundary]]:
    """The cut, and what else has as many centres."""
    yield "few centres (ours)", reduction.at(m)
    start = reduction._starts(m)[0]
    yield "k-means of vectors + ridge", refitted(reduction, start)
    few = OneClassSVM(nu=nu, gamma=whole.gamma).fit(table.train[rng.permutation(len(table.train))[: max(m + 1, round(m / nu))]])
    yield "SVM of a subsample", to_boundary(few)
    yield "random vectors + ridge", refitted(reduction, whole.vectors[rng.permutation(whole.n_parts)[:m]])
    largest = np.zeros(whole.n_parts, bool)
    largest[np.argsort(-whole.weights, kind="stable")[:m]] = True
    yield "largest weights kept", whole.keep(largest)


def refitted(reduction: Reduction, centres: np.ndarray) -> Boundary:
    whole = reduction.boundary
    similarity = gaussians(reduction.rows, centres, whole.gamma)
    weights = ridge_weights(similarity, reduction.target, np.ones(len(similarity)), FINAL_RIDGE)
    return Boundary(centres, weights, whole.gamma, whole.offset)


def cutting(quick: bool) -> None:
    found: dict[tuple[float, int, str], list[tuple[float, ...]]] = defaultdict(list)
    plain: dict[float, list[float]] = defaultdict(list)
    told, names = [], []
    for table in tables(quick):
        names.append(table.name)
        for nu in NUS:
            svm = OneClassSVM(nu=nu).fit(table.train)
            whole = to_boundary(svm)
            before = whole.anomaly_score(table.test)
            plain[nu].append(average_precision(table.labels, before))
            for seed in range(1 if quick else 2):
                reduction = Reduction(whole, table.train, random_state=seed)
                rng = np.random.default_rng(seed)
                for m in CENTRES:
                    for way, cut in ways(whole, reduction, table, min(m, whole.n_parts), nu, rng):
                        after = cut.anomaly_score(table.test)
                        change = average_precision(table.labels, after) - plain[nu][-1]
                        found[nu, m, way].append(
                            (spearman(before, after), top_overlap(before, after), change, whole.n_parts / cut.n_parts, len(names))
                        )
            if nu == NUS[0]:
                told.append(f"  {table.name:<28}{settings_effect(svm, reduction.at(20), table.train, table.test)}")
    show(found, plain, names)
    print("\nwhat matters more, by set (20 centres, nu = 0.05):", *told, sep="\n")


def show(found: dict[tuple[float, int, str], list[tuple[float, ...]]], plain: dict[float, list[float]], names: list[str]) -> None:
    print(f"\nfew centres on {len(names)} sets")
    print(f"{'':<44}{'fewer':>8}{'rho':>8}{'median':>8}{'worst':>8}{'top 1 %':>8}{'AP':>9}{'worst':>9}  worst rho on")
    for (nu, m, way), cuts in found.items():
        rho, top, change, fewer, where = np.array(cuts).T
        print(
            f"{f'nu {nu}, {m} centres, {way}':<44}{fewer.mean():>8.1f}{rho.mean():>8.4f}{np.median(rho):>8.4f}{rho.min():>8.3f}{top.mean():>8.2f}"
            f"{change.mean():>+9.4f}{change.min():>+9.3f}  {names[int(where[rho.argmin()]) - 1]}"
        )
    print(
        "uncut, mean AP: " + ", ".join(f"nu {nu}: {np.mean(own):.3f}" for nu, own in plain.items()) + "; nu moves it more than any cut does"
    )


def large(quick: bool) -> None:
    """More rows, more support vectors, no more centres."""
    print("\nmore rows (nu = 0.1): rho after a cut to so many centres, and how many times fewer that is")
    for table in tables(True, n_train=2000 if quick else 8000):
        if len(table.train) < 2000:
            continue
        whole = to_boundary(OneClassSVM(nu=0.1).fit(table.train))
        before = whole.anomaly_score(table.test)
        reduction = Reduction(whole, table.train, random_state=0)
        begin = time.process_time()
        cuts = {m: reduction.at(m) for m in (8, 16, 32, 64)}
        spent = time.process_time() - begin
        told = "".join(
            f"  {m}: {spearman(before, cut.anomaly_score(table.test)):.4f} ({whole.n_parts / m:.0f}x)" for m, cut in cuts.items()
        )
        print(f"  {table.name:<28}{len(table.train):>6} rows, {whole.n_parts:>4} vectors{told}   {spent / len(cuts):.2f} s a cut")


# -- large histories --------------------------------------------------------------------------------------------------------


def sampling(quick: bool) -> None:
    """Rows that one libsvm fit would not finish."""
    n = 30_000 if quick else 300_000
    rows = correlated(n, 32)
    rows /= rows.std(axis=0)
    print(f"\nlearning from {n} rows x 32: CPU seconds with the second teacher that judges the first")
    for nu in (0.05, 0.3):
        for n_rows in (2000, 5000) if quick else (2000, 5000, 10_000, 20_000):
            begin = time.process_time()
            one, other = (fit_detector(OneClassSVM(nu=nu), some, sample=n_rows).part_ for some in (rows, rows[::-1]))
            judges = rows[:: max(1, n // 5000)]
            agreement = spearman(one.anomaly_score(judges), other.anomaly_score(judges))
            told = f"{one.n_parts:>5} vectors from {n_rows:>6} rows; a second sample orders rows the same to {agreement:.4f}"
            print(f"  nu {nu}: {time.process_time() - begin:>6.1f} s, {told}")
