"""The report: every stage with its effect on quality, its size and its time; as text, frame, JSON, HTML and picture."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune import page
from tsprune.errors import BadParameter, NotPrunable
from tsprune.evaluate import COLUMNS, Judge, Judged, Quality, StageEffect, interval, us_per_row, verdict
from tsprune.progress import track
from tsprune.series.stage import Stage
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsprune.types import Ints


@dataclass(frozen=True)
class Report:
    """What a pipeline's stages are worth on some rows.

    Attributes
    ----------
    stages : tuple of StageEffect
        One per stage and metric, in the order of the pipeline.
    rows : DataFrame
        The rows judged.
    scores : Series
    labels : Series of 0 and 1
    threshold : float
    facts : dict
        Numbers about the whole: rows, events, events found, alarms, bytes, lookback.
    """

    stages: tuple[StageEffect, ...]
    rows: pd.DataFrame
    scores: pd.Series
    labels: pd.Series
    threshold: float
    facts: dict[str, float]

    def to_frame(self) -> pd.DataFrame:
        """One row per stage and metric, the fields of StageEffect as columns."""
        return pd.DataFrame([{name: getattr(effect, name) for name in COLUMNS} for effect in self.stages], columns=list(COLUMNS))

    def to_json(self) -> str:
        """The stages and the facts as JSON; a number that does not apply is null."""
        return json.dumps({"facts": _plain(self.facts), "stages": [_plain(asdict(effect)) for effect in self.stages]}, indent=1)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained page: table, bars, and the series with scores, threshold, events and alarms."""
        Path(path).write_text(page.report_page(self), encoding="utf-8")

    def plot(self, ax: Any = None) -> Any:
        """Draw the effects with their intervals on matplotlib axes, which are returned."""
        from tsprune import plot

        return plot.effects(self, ax=ax)

    def _repr_html_(self) -> str:
        return page.report_table(self)

    def __str__(self) -> str:
        return "\n".join([*_lines(self), *self.sentences()])

    def alarms(self) -> pd.Series:
        """Whether each row is an alarm."""
        return self.scores > self.threshold

    def sentences(self) -> list[str]:
        """What was found, in words."""
        f = self.facts
        return [
            f"{f['events_found']:.0f} of {f['events']:.0f} events found with {f['alarms']:.0f} alarms on {f['rows']:,.0f} rows; "
            f"{f['alarms_outside']:.0f} alarms touch no event."
        ]


def make_report(
    pipeline: Any, rows: Any, labels: Any, *, metrics: tuple[str, ...], n_boot: int, random_state: int, context: Any = None
) -> Report:
    """Judge a fitted pipeline on rows, stage by stage."""
    table = read_table(rows, clock=pipeline.clock_, name="rows")
    truth = _labels(labels, len(table))
    judge = Judge.of(truth, tuple(metrics), n_boot, random_state, _seconds(pipeline.clock_))
    context = _context(pipeline, rows) if context is None else context
    whole = _judged(pipeline, rows, context)
    others = {name: _judged(other, rows, context) for name, other in _alternatives(pipeline)}
    known = np.all([~np.isnan(said.scores) for said in (whole, *others.values())], axis=0)
    qualities = {name: judge.quality(said.where(known)) for name, said in track(list({"": whole, **others}.items()), "judging stages")}
    chance = judge.chance(whole.where(known), random_state)
    costs = _costs(pipeline, table)
    effects = [
        _effect(stage, metric, qualities.get(stage), qualities[""], chance[metric], costs[stage])
        for stage in pipeline.named_stages_
        for metric in judge.metrics
    ]
    frame = pd.DataFrame(table.values, columns=list(table.columns), index=getattr(rows, "index", None))
    scores = pd.Series(whole.scores, index=frame.index, name="score")
    series = pd.Series(truth, index=frame.index, name="label")
    return Report(tuple(effects), frame, scores, series, pipeline.threshold_, _facts(pipeline, truth, whole))


def _effect(stage: str, metric: str, without: Quality | None, with_: Quality, chance: float, costs: dict[str, Any]) -> StageEffect:
    low, high = (float("nan"), float("nan")) if without is None else interval(metric, without, with_)
    before = float("nan") if without is None else without.whole[metric]
    return StageEffect(stage, metric, before, with_.whole[metric], low, high, chance, verdict(metric, low, high), "labels", **costs)


def _seconds(clock: Any) -> float:
    return float("nan") if clock.kind == "index" else clock.duration(1) / 1e9


def _labels(labels: Any, n: int) -> Ints:
    if labels is None:
        raise BadParameter("labels is None; give 0 or 1 per row.")
    truth = np.asarray(labels)
    if truth.shape != (n,):
        raise BadParameter(f"labels has shape {truth.shape}; it has one value for each of the {n} rows.")
    if not np.isin(truth, (0, 1)).all():
        raise BadParameter(f"labels holds {truth[~np.isin(truth, (0, 1))][0]!r}; a label is 0 (normal) or 1 (anomaly).")
    return truth.astype(np.int64)


def _context(pipeline: Any, rows: Any) -> Any:
    """The history, where it ends before the rows begin: it gives the first rows their lookback."""
    history = pipeline.history_
    same_kind = type(history) is type(rows) and isinstance(rows, pd.Series | pd.DataFrame)
    return history if same_kind and history.index[-1] < rows.index[0] else None


def _judged(pipeline: Any, rows: Any, context: Any) -> Judged:
    scores = np.asarray(pipeline.anomaly_score(rows, context), dtype=np.float64)
    return Judged(scores, pipeline.model_.level.exceeded(scores))


def _alternatives(pipeline: Any) -> Iterator[tuple[str, Any]]:
    """The pipeline without each stage that can be left out, fitted on the same history."""
    names = [name for name, fitted in pipeline.named_stages_.items() if isinstance(fitted, Stage) or hasattr(fitted, "fidelity_")]
    for name in track(names, "refitting without each stage"):
        yield name, pipeline.without(name).fit(pipeline.history_)


def _costs(pipeline: Any, table: Any) -> dict[str, dict[str, Any]]:
    """Per stage: seconds to fit, microseconds per row, bytes, fidelity, facts."""
    costs = {}
    values, slots = table.values, table.slots
    for name, fitted in pipeline.named_stages_.items():
        part = fitted.part_
        if isinstance(fitted, Stage):
            latency = us_per_row(lambda n, p=part, v=values: p.apply(v[:n], slots.taken(slice(0, n))), len(values))  # type: ignore[misc]
            values = part.apply(values, slots)
        elif hasattr(part, "anomaly_score"):
            complete = values[~np.isnan(values).any(axis=1)]
            latency = us_per_row(lambda n, p=part, v=complete: p.anomaly_score(v[:n]), len(complete)) if len(complete) else float("nan")  # type: ignore[misc]
        else:
            latency = 0.0
        costs[name] = {
            "fit_seconds": pipeline.fit_seconds_[name],
            "us_per_row": latency,
            "bytes": _bytes(part),
            "fidelity": getattr(fitted, "fidelity_", float("nan")),
            "ceiling": getattr(fitted, "ceiling_", float("nan")),
            "facts": fitted.facts() if hasattr(fitted, "facts") else {},
        }
    return costs


def _bytes(part: Any) -> float:
    try:
        return float(part.nbytes)
    except NotPrunable:
        return float("nan")


def _facts(pipeline: Any, truth: Ints, whole: Judged) -> dict[str, float]:
    events = _runs(truth == 1)
    alarms = _runs(whole.alarms)
    return {
        "rows": float(len(truth)),
        "scored_rows": float((~np.isnan(whole.scores)).sum()),
        "events": float(len(events)),
        "events_found": float(sum(whole.alarms[a:b].any() for a, b in events)),
        "alarms": float(len(alarms)),
        "alarms_outside": float(sum(not truth[a:b].any() for a, b in alarms)),
        "bytes": _bytes(pipeline.model_),
        "lookback": float(pipeline.lookback_),
        "threshold": float(pipeline.threshold_),
    }


def _runs(on: Any) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], np.asarray(on).astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def _lines(report: Report) -> list[str]:
    """The stages as a table of text, a line each, metrics side by side."""
    metrics = list(dict.fromkeys(effect.metric for effect in report.stages))
    stages = list(dict.fromkeys(effect.stage for effect in report.stages))
    width = max([len(stage) for stage in stages] + [5])
    head = f"{'stage':<{width}} " + " ".join(f"{metric:<31}" for metric in metrics) + f"{'bytes':>9} {'fit s':>7} {'us/row':>7}  fidelity"
    lines = [head, "-" * len(head)]
    of = {(effect.stage, effect.metric): effect for effect in report.stages}
    for stage in stages:
        cells = " ".join(f"{_cell(of[stage, metric]):<31}" for metric in metrics)
        first = of[stage, metrics[0]]
        fidelity = f"{first.fidelity:.3f} (ceiling {first.ceiling:.3f})" if math.isfinite(first.fidelity) else ""
        lines.append(
            f"{stage:<{width}} {cells}{first.bytes:>9,.0f} {first.fit_seconds:>7.2f} {first.us_per_row:>7.2f}  {fidelity}".rstrip()
        )
    chances = " ".join(f"{of[stages[0], metric].chance:<31.3f}" for metric in metrics)
    return [*lines, f"{'chance':<{width}} {chances}".rstrip()]


def _cell(effect: StageEffect) -> str:
    if not math.isfinite(effect.without):
        return f"{effect.with_:.3f}"
    return f"{effect.without:.3f} -> {effect.with_:.3f} {effect.verdict}"


def _plain(value: Any) -> Any:
    """Numbers as JSON knows them: NaN becomes null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
