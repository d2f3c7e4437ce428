"""LOF: scoring against scikit-learn, cleaning and condensing the reference set.

Speed: ratios in one process, one thread, CPU time, medians of runs in turn; the first run, which compiles, does not count.
Cleaning: on the tables of `benchmarks.tables`, learned as they come and with anomalies of the other rows planted (5 % of the training
rows, never judged then); AP is the average precision against the labels.  Beside it the plain distance to the k-th neighbour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from sklearn.neighbors import LocalOutlierFactor

from benchmarks.forest import correlated, in_turn
from benchmarks.tables import Table, tables
from tsprune.detect.density import to_density
from tsprune.kernels.agreement import spearman, top_overlap
from tsprune.metrics import average_precision
from tsprune.model.density import Density, Neighbours
from tsprune.prune.reference import Condensation, cascade, clean, cleaned

#: Neighbours of LOF, and changes of AP that count as a win or a loss.
K, MATTERS = 20, 0.01
PLANTED = 0.05


def run(quick: bool = False) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        scoring(quick)
        cleaning(quick)
        condensing(quick)


# -- scoring ----------------------------------------------------------------------------------------------------------------


def scoring(quick: bool) -> None:
    """New rows against reference sets of several sizes and widths; scikit-learn's fastest algorithm at each."""
    print("\nLOF, 20 neighbours: ms for a batch of 2,000 rows, and the time of scikit-learn's fastest algorithm over ours")
    print(f"{'points x columns':<20}{'ours':>8}{'ratio':>8}  fastest")
    for n, d in ((5_000, 8), (5_000, 32)) if quick else ((1_000, 8), (5_000, 8), (5_000, 32), (5_000, 64), (20_000, 8), (20_000, 32)):
        points, rows = correlated(n, d), correlated(2_000, d) + 0.01
        found = {}
        for algorithm in ("brute", "kd_tree"):
            peer = LocalOutlierFactor(n_neighbors=K, novelty=True, algorithm=algorithm).fit(points)
            whole = to_density(peer)
            ours, theirs = in_turn(whole.anomaly_score, peer.score_samples, rows, 3)
            found[algorithm] = theirs, ours
        best = min(found, key=lambda name: found[name][0])
        print(f"{f'{n} x {d}':<20}{found[best][1] * 1e3:>8.1f}{found[best][0] / found[best][1]:>8.2f}  {best}")


# -- cleaning ---------------------------------------------------------------------------------------------------------------


def planted(table: Table, rng: np.random.Generator) -> Table:
    """The table with some of its labelled anomalies among the training rows; at most half of them."""
    odd = np.flatnonzero(table.labels == 1)
    chosen = rng.permutation(odd)[: min(len(odd) // 2, round(PLANTED * len(table.train)))]
    rest = np.setdiff1d(np.arange(len(table.test)), chosen)
    return Table(table.name, np.vstack([table.train, table.test[chosen]]), table.test[rest], table.labels[rest])


def detectors(points: np.ndarray) -> Iterator[tuple[str, Density | Neighbours, int]]:
    """Ways to score, with the number of points that each of them left out."""
    whole = Density.of(points, K)
    yield "LOF as it comes", whole, 0
    rest = cleaned(whole)
    yield "LOF cleaned: median + 3 MAD", rest, whole.n_parts - rest.n_parts
    for share in (0.05, 0.1, 0.2):
        kept = points[clean(points, rule=share)]
        yield f"LOF cleaned: farthest {share:.0%}", Density.of(kept, K), len(points) - len(kept)
    own = whole.anomaly_score(points)
    yield "LOF cleaned by itself, 5 %", Density.of(points[own <= np.quantile(own, 0.95)], K), round(0.05 * len(points))
    yield "LOF with 100 neighbours", Density.of(points, 100), 0
    for k in (K, 100):
        yield f"plain distance to neighbour {k}", Neighbours(points, min(k, len(points)), "largest"), 0


def cleaning(quick: bool) -> None:
    for what in ("as they come", "with 5 % planted"):
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        names = []
        for seed in range(1 if quick else 2):
            for table in tables(quick, n_train=3000, n_test=4000, seed=seed):
                given = table if what == "as they come" else planted(table, np.random.default_rng(seed))
                names.append(table.name)
                for name, part, n_out in detectors(given.train):
                    found[name].append((average_precision(given.labels, part.anomaly_score(given.test)), n_out / len(given.train)))
        told(what, found, names)


def told(what: str, found: dict[str, list[tuple[float, float]]], names: list[str]) -> None:
    base = np.array(found["LOF as it comes"])[:, 0]
    print(f"\nLOF on training rows {what}: {len(set(names))} sets, {len(names)} runs")
    print(f"{'':<34}{'AP':>8}{'change':>8}{'median':>8}{'wins':>6}{'losses':>8}{'out':>7}  worst")
    for name, runs in found.items():
        precision, out = np.array(runs).T
        change = precision - base
        worst = int(change.argmin())
        print(
            f"{name:<34}{precision.mean():>8.3f}{change.mean():>+8.3f}{np.median(change):>+8.3f}{(change > MATTERS).sum():>6}"
            f"{(change < -MATTERS).sum():>8}{out.mean():>7.1%}  {change[worst]:+.3f} {names[worst]}"
        )


# -- condensing -------------------------------------------------------------------------------------------------------------


def condensing(quick: bool) -> None:
    """How much of a cleaned LOF is left with fewer points; a cascade; a LOF of random points beside it."""
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    tops = []
    for table in tables(quick, n_train=3000, n_test=4000):
        whole = cleaned(Density.of(table.train, K))
        before = whole.anomaly_score(table.test)
        path = Condensation(whole, random_state=0)
        rng = np.random.default_rng(0)
        for fewer in (2, 5, 20):
            n = max(K + 1, whole.n_parts // fewer)
            some = np.sort(rng.permutation(whole.n_parts)[:n])
            ways = {
                f"condensed, {fewer}x": path.at(n),
                f"random points, values carried, {fewer}x": whole.keep(np.isin(np.arange(whole.n_parts), some)),
                f"LOF of random points, {fewer}x": Density.of(whole.points[some], K),
            }
            for name, cut in ways.items():
                found[name].append(agreement(table, before, cut.anomaly_score(table.test), 1.0 / fewer))
        quick_one = cascade(whole, random_state=0)
        found["cascade: filter of 3 or 5 % of the points"].append(
            agreement(table, before, quick_one.anomaly_score(table.test), quick_one.work(table.test))
        )
        top = quick_one.top(table.test)
        tops.append((float((before[top.rows] >= np.sort(before)[-len(top.rows)]).mean()), top.work))
    print(
        "\ncleaned LOF with fewer reference points, against itself with all: share of the top 1 % and 5 % that stay, change of AP, distances"
    )
    print(f"{'':<40}{'top 1 %':>8}{'worst':>8}{'top 5 %':>8}{'rho':>8}{'AP':>9}{'work':>8}")
    for name, runs in found.items():
        top, more, rho, change, work = np.array(runs).T
        print(
            f"{name:<40}{top.mean():>8.2f}{top.min():>8.2f}{more.mean():>8.2f}{rho.mean():>8.3f}{change.mean():>+9.3f}{work.mean():>8.1%}"
        )
    kept, work = np.array(tops).T
    print(
        f"top 1 % of the rows as a batch (`Cascade.top`): {kept.mean():.3f} of them found, worst {kept.min():.2f}, all on {(kept == 1).sum()} of {len(kept)} "
        f"sets; {work.mean():.1%} of the distances, median {np.median(work):.1%}, most {work.max():.1%}"
    )


def agreement(table: Table, before: np.ndarray, after: np.ndarray, work: float) -> tuple[float, ...]:
    change = average_precision(table.labels, after) - average_precision(table.labels, before)
    return top_overlap(before, after), top_overlap(before, after, share=0.05), spearman(before, after), change, work
