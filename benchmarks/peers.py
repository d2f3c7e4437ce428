"""tsprune beside what people use, on the labelled series of `shared/data`: the same rows to learn from, the same to be judged.

Causal: learn the prefix, score later rows as a job would, each from itself and rows before it.  Retrospective: learn and score the
judged rows themselves, as an analyst would.  A threshold is the same for all: the 99.5 % quantile of the training scores.
Figures of one physical source are averaged first, then those of a family, then the families.

    python -m benchmarks peers             # every source, three seeds: some hours
    python -m benchmarks peers --quick     # a sample of four sources of each family at the most, one seed
"""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import unlabelled
from benchmarks.peer_methods import PEERS, Peer
from tsprune import metrics

#: Rows that teach, and that are judged: the same for every method; and rows before those judged that give windows their past.
TAUGHT, JUDGED, BEFORE = 2_000, 3_000, 500
#: The method that the others are counted against.
OURS = "tsprune choose"
#: Quantile of the training scores that is the threshold.
CALM = 0.995
FIGURES = ("vus_pr", "event_f1", "found", "delay", "silent", "fit_s", "us_per_row", "bytes")
#: Where more of the judged rows lie in an event there is nothing to tell apart: any score gets a VUS-PR of 1.
MOST_LABELLED = 0.9
#: Sources of each family in a sample.
SAMPLED = 4


def run(quick: bool) -> None:
    """Measure, print the tables, and leave one line per series, method and seed in the file named by PEERS_CSV; what is there is kept."""
    warnings.filterwarnings("ignore")
    peers = [peer for peer in PEERS if peer.installed]
    for peer in PEERS:
        if not peer.installed:
            print(f"left out: {peer.name} (pip install {peer.needs})")
    file = Path(os.environ.get("PEERS_CSV", "peers.csv"))
    known = pd.read_csv(file, keep_default_na=False, na_values=[""]).fillna({"failed": ""}) if file.exists() else pd.DataFrame()
    lines: list[dict[str, object]] = known.to_dict("records")
    done = {(line["series"], line["seed"]) for line in lines}
    warm(peers)
    for seed in range(1 if quick else 3):
        for name in series(quick):
            case = None if (name, seed) in done else unlabelled.load(name)
            if case is None or stretch(case)[1].mean() > MOST_LABELLED:
                continue
            lines += [judged(peer, case, seed, whole) for peer in peers if peer.random or not seed for whole in (False, True)]
            pd.DataFrame(lines).to_csv(file, index=False)
            print(
                f"seed {seed}: {len({line['series'] for line in lines if line['seed'] == seed})} series measured, the last {name}",
                flush=True,
            )
    print("\n".join(tables(pd.DataFrame(lines))))


def series(quick: bool) -> list[str]:
    """The names of all series, or of one series of `SAMPLED` sources of each family."""
    every = unlabelled.names()
    facts = pd.read_csv(unlabelled.SHARED / "data" / "manifest.csv").set_index("name").loc[every]
    facts = facts.drop_duplicates("group")
    turn = facts.groupby("family").cumcount()
    return list(facts[turn < SAMPLED].assign(turn=turn).sort_values("turn", kind="stable").index) if quick else every


def warm(peers: list[Peer]) -> None:
    """Let every method compile and load what it needs before it is timed."""
    waves = pd.DataFrame({"value": np.sin(np.arange(4000) * 2 * np.pi / 24)})
    for peer in peers:
        try:
            learned = peer.learn(waves, 24, 0)
            for whole in (False, True):
                learned.scores(waves, whole=whole)
        except Exception as error:  # counted where it is measured
            print(f"{peer.name} does not do a sine wave: {error}")


def judged(peer: Peer, case: unlabelled.Case, seed: int, whole: bool) -> dict[str, object]:
    """One method on one series; a method that fails says nothing of any row."""
    rows, labels = stretch(case)
    before = case.context.iloc[-BEFORE:]
    history = rows if whole else case.history.iloc[-TAUGHT:]
    facts = {"series": case.name, "family": case.family, "group": case.group, "method": peer.name, "seed": seed}
    facts["protocol"] = "retrospective" if whole else "causal"
    try:
        start = time.process_time()
        learned = peer.learn(history, case.buffer, seed)
        taught = time.process_time()
        asked = rows if whole else pd.concat([before, rows])
        scores = learned.scores(asked, whole=whole)[-len(rows) :]
        told = time.process_time()
        known = learned.scores(history, whole=whole)
        return facts | {"failed": ""} | figures(labels, scores, known, case.buffer) | {
            "fit_s": taught - start, "us_per_row": (told - taught) / len(asked) * 1e6, "bytes": learned.nbytes,
        }  # fmt: skip
    except Exception as error:  # a peer may fail in any way: the table counts how often
        silent = np.zeros(len(rows))
        return facts | {"failed": f"{type(error).__name__}: {error}"[:120]} | figures(labels, silent, silent, case.buffer)


def stretch(case: unlabelled.Case) -> tuple[pd.DataFrame, np.ndarray]:
    """At most `JUDGED` of the rows: those around the first event."""
    first = int(np.flatnonzero(case.labels)[0])
    start = int(np.clip(first - JUDGED // 2, 0, max(0, len(case.rows) - JUDGED)))
    return case.rows.iloc[start : start + JUDGED], case.labels[start : start + JUDGED]


def figures(labels: np.ndarray, scores: np.ndarray, known: np.ndarray, buffer: int) -> dict[str, float]:
    """Quality of the scores, and of the alarms at the common threshold."""
    calm = known[np.isfinite(known)]
    alarms = above(np.nan_to_num(scores, nan=-np.inf), calm)
    starts = np.flatnonzero(np.diff(labels, prepend=0) == 1)
    stops = np.flatnonzero(np.diff(labels, append=0) == -1) + 1
    found = [alarms[a:b].any() for a, b in zip(starts, stops, strict=True)]
    return {
        "vus_pr": metrics.vus_pr(labels, scores, buffer=buffer),
        "event_f1": metrics.event_f1(labels, alarms),
        "found": float(np.mean(found)),
        "delay": metrics.detection_delay(labels, alarms),
        "silent": float(np.isnan(scores).mean()),
    }


def above(scores: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """Rows above the threshold; at it, where so many training rows share the highest score that none is above."""
    if len(calm) == 0 or calm.min() == calm.max():
        return np.zeros(len(scores), dtype=bool)
    threshold = np.quantile(calm, CALM)
    return scores > threshold if calm.max() > threshold else scores >= threshold


def tables(lines: pd.DataFrame) -> list[str]:
    """One table per protocol, with the sources where each method is better than the blend that tsprune chooses, and worse."""
    out: list[str] = []
    for protocol, of in lines.groupby("protocol"):
        groups = of.groupby(["method", "family", "group"])[list(FIGURES)].mean().reset_index()
        families = groups.groupby(["method", "family"])[list(FIGURES)].mean()
        overall = families.groupby("method").mean()
        by_family = families["vus_pr"].unstack("family")
        failures = of[of.failed != ""].groupby("method")["series"].nunique()
        out += ["", f"## {protocol}", "", _head(by_family.columns)]
        for method in overall.sort_values("vus_pr", ascending=False).index:
            out.append(_line(method, overall.loc[method], by_family.loc[method], groups, int(failures.get(method, 0))))
    return out


def _head(families: pd.Index) -> str:
    names = [
        "method",
        "VUS-PR",
        *families,
        "event F1",
        "events found",
        "delay",
        "unscored",
        "fit s",
        "us/row",
        "bytes",
        "sources won / lost",
        "failed",
    ]
    return "| " + " | ".join(names) + " |\n|" + " --- |" * len(names)


def _line(method: str, of: pd.Series, by_family: pd.Series, groups: pd.DataFrame, failed: int) -> str:
    sources = groups.pivot_table(index="group", columns="method", values="vus_pr")
    ours = sources[OURS]
    won, lost = int((sources[method] > ours).sum()), int((sources[method] < ours).sum())
    cells = [method, f"{of['vus_pr']:.3f}", *(f"{value:.2f}" for value in by_family)]
    cells += [
        f"{of['event_f1']:.3f}",
        f"{of['found']:.2f}",
        f"{of['delay']:.0f}",
        f"{of['silent']:.1%}",
        f"{of['fit_s']:.2f}",
        f"{of['us_per_row']:.1f}",
    ]
    cells += [f"{of['bytes']:,.0f}", "" if method == OURS else f"{won} / {lost}", str(failed)]
    return "| " + " | ".join(cells) + " |"
