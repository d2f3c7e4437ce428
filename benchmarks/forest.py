"""Isolation forest: growing and scoring against scikit-learn, pruned nodes against small forests.

Speed: ratios in one process, one thread, CPU time, medians of runs in turn; the first run, which compiles, does not count.
Pruning: on the tables of `benchmarks.tables`; each forest learns and is cut on the training rows and is judged on the others.
rho is the rank correlation with the forest before the cut; top 1 % the share of its top rows that stay on top; AP the average precision
against the labels after the cut less that before it, which has a standard deviation of some 0.03 between forests of 100 trees.
"""

from __future__ import annotations

import pickle
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from sklearn.ensemble import IsolationForest

from benchmarks.tables import Table, tables
from tsprune.detect import GrownForest
from tsprune.detect.forest import to_forest
from tsprune.kernels import forest_grow
from tsprune.kernels.agreement import spearman, split_half, top_overlap
from tsprune.metrics import average_precision
from tsprune.model.forest import Forest
from tsprune.prune.nodes import Collapse
from tsprune.prune.trees import cap_depth

Cuts = Iterator[tuple[str, Forest]]
Score = Callable[[np.ndarray], object]


def run(quick: bool = False) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        growing(quick)
        scoring(quick)
        pruning(quick)
        teachers(quick)


# -- growing ----------------------------------------------------------------------------------------------------------------


def growing(quick: bool) -> None:
    """A fit of `GrownForest`, by numba and by numpy alone, and of scikit-learn's forest."""
    print("\ngrowing: a fit in ms, scikit-learn's time over ours")
    print(f"{'rows x columns, trees':<22}{'numba':>8}{'ratio':>8}{'numpy':>8}{'ratio':>8}{'scikit-learn':>14}")
    sizes = (
        ((10_000, 32, 100),) if quick else ((10_000, 8, 100), (10_000, 32, 100), (10_000, 64, 100), (100_000, 32, 100), (10_000, 32, 1000))
    )
    for n, d, n_trees in sizes:
        rows = correlated(n, d)
        ours, theirs = GrownForest(n_trees, random_state=0), IsolationForest(n_estimators=n_trees, random_state=0)
        forest_grow.COMPILED_FROM, usual = 2**60, forest_grow.COMPILED_FROM
        forest_grow.LOADED_FROM, loaded = 2**60, forest_grow.LOADED_FROM
        plain, peer = in_turn(ours.fit, theirs.fit, rows, 5)
        forest_grow.COMPILED_FROM = forest_grow.LOADED_FROM = 0
        fast, again = in_turn(ours.fit, theirs.fit, rows, 5)
        forest_grow.COMPILED_FROM, forest_grow.LOADED_FROM = usual, loaded
        print(
            f"{f'{n} x {d}, {n_trees}':<22}{fast * 1e3:>8.1f}{again / fast:>8.1f}{plain * 1e3:>8.1f}{peer / plain:>8.1f}{again * 1e3:>14.0f}",
            flush=True,
        )


# -- scoring ----------------------------------------------------------------------------------------------------------------


def scoring(quick: bool) -> None:
    """A batch and a single row, as grown and as pruned; bytes in a file."""
    print("\nscoring: whole call in ms, one row in us, and scikit-learn's time over ours; its batch, one row and pickle behind")
    print(f"{'rows x columns, trees':<22}{'nodes':>8}{'batch':>8}{'ratio':>8}{'one row':>9}{'ratio':>8}{'kB':>8}")
    sizes = ((20_000, 32, 100),) if quick else ((100_000, 8, 100), (100_000, 32, 100), (100_000, 64, 100), (100_000, 32, 300))
    for n, d, n_trees in sizes:
        rows = correlated(n, d)
        fitted = IsolationForest(n_estimators=n_trees, random_state=0).fit(rows)
        whole = to_forest(fitted)
        assert np.abs(whole.anomaly_score(rows) + fitted.score_samples(rows)).max() < 1e-12
        path = Collapse(whole, rows[:4000], random_state=0)
        for share in (1.0, 0.5, 0.25, 0.1):
            cut = path.to(round(share * whole.n_parts))
            batch, peer = in_turn(cut.anomaly_score, fitted.score_samples, rows, 7)
            single, alone = in_turn(cut.anomaly_score, fitted.score_samples, rows[:1], 51)
            print(
                f"{f'{n} x {d}, {n_trees}':<22}{cut.n_parts:>8}{batch * 1e3:>8.1f}{peer / batch:>8.1f}{single * 1e6:>9.0f}{alone / single:>8.0f}"
                f"{cut.nbytes / 1e3:>8.1f}  {peer * 1e3:.0f} ms, {alone * 1e6:.0f} us, {len(pickle.dumps(fitted)) / 1e3:.0f} kB"
            )


def correlated(n: int, d: int) -> np.ndarray:
    """Columns that share a quarter as many causes, like statistics of windows, with 1 % of odd rows."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n, max(2, d // 4))) @ rng.normal(size=(max(2, d // 4), d)) + 0.5 * rng.normal(size=(n, d))
    rows[rng.choice(n, n // 100, replace=False)] += 6 * rng.normal(size=(n // 100, d))
    return rows


def in_turn(ours: Score, theirs: Score, rows: np.ndarray, repeats: int) -> tuple[float, float]:
    """Median CPU seconds of both, run in turn so that a busy machine slows both alike."""
    spans: dict[Score, list[float]] = {ours: [], theirs: []}
    for _ in range(repeats + 1):
        for score, own in spans.items():
            begin = time.process_time()
            score(rows)
            own.append(time.process_time() - begin)
    mine, other = (statistics.median(own[1:]) for own in spans.values())
    return mine, other


# -- pruning ----------------------------------------------------------------------------------------------------------------


@dataclass
class Column:
    """What one way of cutting gave on all sets."""

    nodes: list[float] = field(default_factory=list)
    rho: list[float] = field(default_factory=list)
    top: list[float] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, table: Table, whole: Forest, cut: Forest, seconds: float) -> None:
        before, after = whole.anomaly_score(table.test), cut.anomaly_score(table.test)
        self.nodes.append(whole.n_parts / cut.n_parts)
        self.rho.append(spearman(before, after))
        self.top.append(top_overlap(before, after))
        self.precision.append(average_precision(table.labels, after) - average_precision(table.labels, before))
        self.seconds.append(seconds)

    def __str__(self) -> str:
        change = f"{np.mean(self.precision):>+9.4f}{np.median(self.precision):>+9.4f}{np.min(self.precision):>+9.3f}"
        rho = f"{np.mean(self.rho):>8.4f}{np.min(self.rho):>8.3f}"
        return f"{np.mean(self.nodes):>8.1f}{rho}{np.mean(self.top):>8.2f}{change}{np.mean(self.seconds):>9.2f}"


HEAD = f"{'':<46}{'fewer':>8}{'rho':>8}{'worst':>8}{'top 1 %':>8}{'AP':>9}{'median':>9}{'worst':>9}{'seconds':>9}"


def pruning(quick: bool) -> None:
    """Ways to be small, for a forest of 100 trees."""
    found: dict[str, Column] = {}
    halves, sets = [], 0
    for table in tables(quick):
        sets += 1
        fitted = IsolationForest(random_state=1).fit(table.train)
        whole = to_forest(fitted)
        halves.append(split_half(whole.part_scores(table.test)))
        for way in (collapsed, tail_alike, not_relearned, trees_first, capped, some_trees, small_forests):
            judge(way(whole, table), table, whole, found)
    print(
        f"\nan isolation forest of 100 trees on {sets} sets; two halves of it agree at {np.mean(halves):.3f} (worst {np.min(halves):.3f})"
    )
    print(HEAD, *(f"{name:<46}{column}" for name, column in found.items()), sep="\n")


def judge(cuts: Cuts, table: Table, whole: Forest, found: dict[str, Column]) -> None:
    begin = time.process_time()
    for name, cut in cuts:
        found.setdefault(name, Column()).add(table, whole, cut, time.process_time() - begin)


def collapsed(whole: Forest, table: Table) -> Cuts:
    path = Collapse(whole, table.train, random_state=0)
    for fewer in (2, 4, 10, 20):
        yield f"nodes collapsed, lengths learned anew, {fewer}x", path.to(round(whole.n_parts / fewer))


def not_relearned(whole: Forest, table: Table) -> Cuts:
    path = Collapse(whole, table.train, relearn=False, random_state=0)
    for fewer in (4, 10):
        yield f"the same, lengths not learned, {fewer}x", path.to(round(whole.n_parts / fewer))


def tail_alike(whole: Forest, table: Table) -> Cuts:
    path = Collapse(whole, table.train, tail_weight=1.0, random_state=0)
    for fewer in (4, 10):
        yield f"the same, the tail as the others, {fewer}x", path.to(round(whole.n_parts / fewer))


def trees_first(whole: Forest, table: Table) -> Cuts:
    path = Collapse(whole, table.train, trees=50, random_state=0)
    for fewer in (10, 20):
        yield f"50 trees chosen first, then nodes, {fewer}x", path.to(round(whole.n_parts / fewer))


def capped(whole: Forest, _: Table) -> Cuts:
    for depth in (6, 4):
        yield f"depth capped at {depth}", cap_depth(whole, depth)


def some_trees(whole: Forest, _: Table) -> Cuts:
    for n in (25, 10):
        yield f"its first {n} trees", whole.keep(np.arange(whole.n_trees) < n)


def small_forests(_: Forest, table: Table) -> Cuts:
    for n in (25, 10, 5):
        yield f"another forest, of {n} trees", to_forest(IsolationForest(n_estimators=n, random_state=2).fit(table.train))


def teachers(quick: bool) -> None:
    """Parts of a forest of 1,000 trees against ordinary forests."""
    found: dict[str, Column] = {}
    halves = []
    for table in tables(quick):
        whole = to_forest(IsolationForest(n_estimators=1000, random_state=1).fit(table.train))
        halves.append(split_half(whole.part_scores(table.test)))
        for way in (taught, ordinary):
            judge(way(whole, table), table, whole, found)
    print(f"\na teacher of 1,000 trees; two halves of it agree at {np.mean(halves):.3f} (worst {np.min(halves):.3f})")
    print(HEAD, *(f"{name:<46}{column}" for name, column in found.items()), sep="\n")


def taught(whole: Forest, table: Table) -> Cuts:
    for n in (100, 200):
        path = Collapse(whole, table.train, trees=n, random_state=0)
        for fewer in (42, 100):
            yield f"{n} trees chosen, then nodes, {fewer}x", path.to(round(whole.n_parts / fewer))


def ordinary(_: Forest, table: Table) -> Cuts:
    for n in (100, 24, 10):
        yield f"another forest, of {n} trees", to_forest(IsolationForest(n_estimators=n, random_state=2).fit(table.train))
