"""`tsprune demo`: the main job on a shipped series, from the raw signal to a pruned, saved, re-loaded model."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsprune.choose.beside import beside
from tsprune.detect import Threshold
from tsprune.features import SelectFeatures, Windows
from tsprune.kernels.labelled import runs
from tsprune.model.chain import load
from tsprune.pipeline import Pipeline
from tsprune.prune import Pruned
from tsprune.series import datasets
from tsprune.series.clock import times
from tsprune.signal import Deseason

if TYPE_CHECKING:
    import pandas as pd

    from tsprune.model import Model
    from tsprune.report import Report


def run(folder: Path, name: str = "elnino") -> int:
    """Run the demo and write `report.html` and `model.tsp` into a folder; returns the exit code."""
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    data = datasets.load(name)
    n = int(float(str(data.facts["train_share"])) * len(data.frame))
    past, rest, truth = data.frame.iloc[:n], data.frame.iloc[n:], data.labels.iloc[n:]
    _say(f"{data.facts['title']}: {len(data.frame):,} rows. Learning on the first {n:,}, judging on the rest.")
    pipeline = Pipeline([Deseason(), Windows(3, features="raw"), SelectFeatures(), Pruned("iforest", random_state=0), Threshold(rate=0.02)])
    pipeline.fit(past)
    _say("learned; now each stage is left out in turn and what stands behind it is refitted ...")
    report = pipeline.report(rest, truth)
    report = report.noting(f"{beside(past, report)}.")
    sys.stdout.write(f"{report}\n")
    report.to_html(folder / "report.html")
    pipeline.freeze().save(folder / "model.tsp")
    model = load(folder / "model.tsp")
    scores = _scored(model, past, rest)
    same = np.array_equal(scores, report.scores.to_numpy(), equal_nan=True)
    _say(f"written: {folder / 'report.html'}, {folder / 'model.tsp'} ({(folder / 'model.tsp').stat().st_size:,} bytes)")
    sys.stdout.write(closing(report, pipeline, [str(event) for event in data.facts["events"]], same) + "\n")  # type: ignore[union-attr]
    _say(f"{time.perf_counter() - start:.1f} s")
    return 0 if same else 1


def closing(report: Report, pipeline: Pipeline, events: list[str], same: bool) -> str:
    """One sentence: which anomalies were found, and what was pruned at what price."""
    found, missed = _found(report, events)
    pruned = next(stage for stage in pipeline.named_stages_.values() if isinstance(stage, Pruned))
    return (
        f"Found {', '.join(found) or 'no event'}{'; missed ' + ', '.join(missed) if missed else ''}, with {report.facts['alarms_outside']:.0f} alarms "
        f"besides; the forest was pruned from {pruned.n_parts_before_:,} to {pruned.n_parts_after_:,} nodes "
        f"({pruned.bytes_before_:,} to {pruned.bytes_after_:,} bytes) at a fidelity of {pruned.fidelity_:.3f} "
        f"(two halves of it agree at {pruned.ceiling_:.3f}), and the re-loaded model {'gives the same scores to the bit' if same else 'DIFFERS'}."
    )


def _scored(model: Model, past: pd.DataFrame, rest: pd.DataFrame) -> np.ndarray:
    """Score as a job does: the last `lookback` rows before the new ones are read again."""
    context = past.iloc[max(0, len(past) - model.lookback) :] if model.lookback else past.iloc[:0]
    values = np.concatenate([context.to_numpy(), rest.to_numpy()])
    stamps = np.concatenate([times(context.index), times(rest.index)])
    return model.anomaly_score(values, stamps)[len(context) :]


def _found(report: Report, events: list[str]) -> tuple[list[str], list[str]]:
    """The names of the events with an alarm in them, and of the others; the last names belong to the rows judged."""
    judged = runs(report.labels.to_numpy() == 1)
    named = list(zip(events[len(events) - len(judged) :], judged.count(report.alarms().to_numpy()) > 0, strict=True))
    return [name for name, hit in named if hit], [name for name, hit in named if not hit]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
