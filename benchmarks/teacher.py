"""What cuts of a forest of 1,000 trees lose in average precision, over seeds: noise, and what is more than noise.

On the tables of `benchmarks.tables`; every seed draws other rows of a series, grows another teacher and cuts it.  Differences are paired:
a cut less its own teacher on the same rows.  The interval is over sets (bootstrap of their means over seeds, 95 %), since seeds of one set are
no new evidence about other sets.  A second teacher of another seed is beside them: a difference that is nothing but noise.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from benchmarks.pruning import ROWS
from benchmarks.tables import tables
from tsprune.detect.forest import to_forest
from tsprune.kernels.agreement import spearman, top_overlap
from tsprune.metrics import average_precision
from tsprune.prune.nodes import Collapse

#: Times fewer nodes, and trees that are chosen first: what `Pruned(grow=1000)` does.
CUTS = {42: 200, 100: 100}
Told = tuple[float, float, float]


def options(more: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks teacher")
    parser.add_argument("--seeds", type=int, default=6)
    return vars(parser.parse_args(more))


def run(quick: bool = False, seeds: int = 6) -> None:
    from threadpoolctl import threadpool_limits

    found: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))  # way -> set -> differences
    with threadpool_limits(1):
        for seed in range(2 if quick else seeds):
            for table in tables(quick, seed=seed, **ROWS):
                for way, told in differences(table, seed).items():
                    found[way][table.name].append(told)
    n_sets = len(next(iter(found.values())))
    print(f"\n1,000 trees and their cuts, {n_sets} sets; AP less the teacher's, its 95 % interval over sets, and the spread of single runs")
    print(f"{'':<34}{'rho':>8}{'worst':>8}{'top 1 %':>8}{'AP':>9}{'from':>9}{'to':>9}{'median set':>12}{'run':>8}")
    for way, of_sets in found.items():
        print(f"{way:<34}{summary(list(of_sets.values()))}")


def differences(table: Any, seed: int) -> dict[str, Told]:
    """Rank correlation with the teacher, top rows kept and change of average precision, of each way."""
    whole = teacher(table, seed)
    before = whole.anomaly_score(table.test)
    ways = {
        f"{trees} trees chosen, then nodes, {fewer}x": Collapse(whole, table.train, trees=trees, random_state=seed).to(
            round(whole.n_parts / fewer)
        )
        for fewer, trees in CUTS.items()
    }
    ways["another teacher"] = teacher(table, 500 + seed)
    scores = {way: cut.anomaly_score(table.test) for way, cut in ways.items()}
    own = average_precision(table.labels, before)
    return {
        way: (spearman(before, after), top_overlap(before, after), average_precision(table.labels, after) - own)
        for way, after in scores.items()
    }


def teacher(table: Any, seed: int) -> Any:
    return to_forest(IsolationForest(n_estimators=1000, random_state=seed).fit(table.train))


def summary(of_sets: list[list[Told]]) -> str:
    rho, top, change = (np.array([[told[k] for told in own] for own in of_sets]) for k in range(3))
    means, rng = change.mean(axis=1), np.random.default_rng(0)
    low, high = np.quantile(means[rng.integers(len(means), size=(5000, len(means)))].mean(axis=1), [0.025, 0.975])
    return (
        f"{rho.mean():>8.4f}{rho.min():>8.3f}{top.mean():>8.2f}{means.mean():>+9.4f}{low:>+9.4f}{high:>+9.4f}{np.median(means):>+12.4f}"
        f"{change.std():>8.3f}"
    )
