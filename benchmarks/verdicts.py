"""What injected anomalies say of a stage beside what labels say, on real series.

A pipeline and its variants, each with one stage left out, learn the prefix of a series; their effects are judged on the labelled rows,
and on the same rows with injected anomalies of several make.  An agreement is counted where labels decide (the interval leaves out 0).
`--sources N` takes N physical sources; effects of one source are averaged first.
"""

from __future__ import annotations

import argparse
import zlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import unlabelled

METRIC = "vus_pr"
N_BOOT = 40
#: How anomalies are made: the report's own way, and what was tried to be nearer to labels.
MAKES: dict[str, dict[str, Any]] = {
    "as in the report": {"kinds": "all", "n_events": 24},
    "clusters": {"kinds": ["clusters"], "n_events": 24},
    "long kinds": {"kinds": ["level_shift", "trend", "amplitude_change", "pattern_swap", "noise_burst", "flat_line"], "n_events": 16},
}


def options(more: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks verdicts")
    parser.add_argument("--sources", type=int, default=30, help="physical sources (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return vars(parser.parse_args(more))


def run(quick: bool = False, sources: int = 30, seed: int = 0) -> None:
    found: dict[tuple[str, str, str], list[tuple[float, float, float]]] = defaultdict(list)  # (group, stage, judge) -> effects
    n = 0
    for name in unlabelled.sample(6 if quick else sources, seed):
        case = unlabelled.load(name)
        if case is None:
            continue
        n += 1
        for stage, judge, effect in effects(case):
            found[case.group, stage, judge].append(effect)
        print(f"\r{n} series", end="", flush=True)
    print(f"\r{n} series of {len({group for group, _, _ in found})} sources; metric {METRIC}, {N_BOOT} resamples\n")
    _print(found)


def effects(case: unlabelled.Case) -> Iterator[tuple[str, str, tuple[float, float, float]]]:
    """Of each stage and judge the effect with its interval."""
    from threadpoolctl import threadpool_limits

    import tsprune as tsp
    from tsprune.errors import BadSeries, TsPruneError
    from tsprune.evaluate import Judge, interval
    from tsprune.ledger import Bench

    pipeline = tsp.Pipeline(
        [tsp.Deseason(), tsp.Detrend(), tsp.Windows(), tsp.SelectFeatures(), tsp.Pruned("iforest", keep=0.2, guard=None, random_state=0)]
    )
    try:
        pipeline.fit(case.history)
        names = [name for name in pipeline.named_stages_ if name != "threshold"]
        others = {name: pipeline.without(name).fit(case.history) for name in names}
    except TsPruneError as error:
        print(f"\n{case.name}: {error}")
        return
    records = {"labels": (case.rows, case.labels)}
    for make, how in MAKES.items():
        try:
            changed, truth, _ = tsp.inject(case.rows, random_state=zlib.crc32(case.name.encode()) % 1000, **how)
        except (BadSeries, tsp.BadParameter):
            continue
        records[make] = (changed, truth.to_numpy().astype(np.int64))
    with threadpool_limits(1, user_api="blas"):
        for judged_by, (rows, truth) in records.items():
            judge = Judge.of(truth, (METRIC,), N_BOOT, 0, None)
            bench = Bench(pipeline, judge, rows, case.context, "labels", None)  # type: ignore[arg-type]
            said = {name: bench.said(other) for name, other in others.items()}
            known = np.all([~np.isnan(one.scores) for one in (bench.whole, *said.values())], axis=0)
            with_ = judge.quality(bench.whole.where(known))
            for name, one in said.items():
                without = judge.quality(one.where(known))
                yield name, judged_by, (with_.whole[METRIC] - without.whole[METRIC], *interval(METRIC, without, with_))


def _print(found: dict[tuple[str, str, str], list[tuple[float, float, float]]]) -> None:
    groups, stages = sorted({key[0] for key in found}), list(dict.fromkeys(key[1] for key in found))
    print(
        f"{'judged by':<18}{'decided by labels':>19}{'same sign':>11}{'same verdict':>14}{'opposite verdict':>18}{'rank correlation of effects':>29}"
    )
    for make in MAKES:
        pairs = [
            (
                np.mean([e[0] for e in found[g, s, "labels"]]),
                np.mean([e[0] for e in found[g, s, make]]),
                found[g, s, "labels"],
                found[g, s, make],
            )
            for g in groups
            for s in stages
            if (g, s, "labels") in found and (g, s, make) in found
        ]
        decided = [pair for pair in pairs if _verdict(pair[2])]
        same_sign = np.mean([np.sign(pair[0]) == np.sign(pair[1]) for pair in decided])
        same = np.mean([_verdict(pair[2]) == _verdict(pair[3]) for pair in decided])
        opposite = np.mean([_verdict(pair[2]) == -_verdict(pair[3]) for pair in decided])
        ranks = [np.argsort(np.argsort([pair[k] for pair in pairs])) for k in (0, 1)]
        correlation = np.corrcoef(*ranks)[0, 1]
        print(f"{make:<18}{f'{len(decided)} of {len(pairs)}':>19}{same_sign:>11.0%}{same:>14.0%}{opposite:>18.0%}{correlation:>29.2f}")
    print(f"\n{'mean effect over sources':<28}" + "".join(f"{stage:>16}" for stage in stages))
    for make in ("labels", *MAKES):
        cells = [[np.mean([e[0] for e in found[g, stage, make]]) for g in groups if (g, stage, make) in found] for stage in stages]
        print(f"{make:<28}" + "".join(f"{np.mean(cell):>+16.3f}" for cell in cells))


def _verdict(effects: list[tuple[float, float, float]]) -> int:
    """1 helps, -1 hurts, 0 undecided: the intervals of a source's series, averaged."""
    low, high = (np.mean([effect[k] for effect in effects]) for k in (1, 2))
    return int(low > 0) - int(high < 0)
