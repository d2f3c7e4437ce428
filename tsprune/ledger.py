"""The ledger of a pipeline: what each stage brings, and what it costs.

Every stage is taken out in turn, what stands behind it is refitted on the history, and both pipelines are judged on the same
rows.  Then each is added alone to the bare detector.  Without labels, anomalies are injected into the rows, and every line says so.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tsprune import metrics as m
from tsprune.errors import BadParameter, BadSeries
from tsprune.evaluate import Judge, Judged, Quality, StageEffect, interval, verdict
from tsprune.kernels.labelled import runs
from tsprune.params import n_threads
from tsprune.prices import bytes_of, energy_kept, prices
from tsprune.progress import track
from tsprune.series.inject import inject
from tsprune.series.stage import Stage
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from tsprune.types import Ints, Mask

Source = Literal["labels", "injected"]

#: Anomalies that are injected where there are no labels, and rows that each needs.
INJECTED, ROOM = 24, 64


@dataclass(frozen=True)
class Ledger:
    """What `keep_ledger` found; `tsprune.report.Report` shows it."""

    stages: tuple[StageEffect, ...]
    alone: tuple[StageEffect, ...]
    rows: pd.DataFrame
    said: Judged
    labels: Ints
    facts: dict[str, float]


def keep_ledger(
    pipeline: Any,
    rows: Any,
    labels: Any,
    *,
    metrics: tuple[str, ...],
    n_boot: int,
    random_state: int,
    context: Any = None,
    n_jobs: int | None = -1,
) -> Ledger:
    """Judge a fitted pipeline on rows, stage by stage; see `Pipeline.report`."""
    frame = _as_frame(rows, pipeline)
    changed, injected = _with_injected(frame, random_state)
    source: Source = "injected" if labels is None else "labels"
    if labels is None and changed is None:
        raise BadSeries(
            f"labels is None and {len(frame)} rows have no room for injected anomalies; give labels, or at least {2 * ROOM} rows."
        )
    judged = changed if labels is None and changed is not None else frame
    truth = injected if labels is None else _checked(labels, len(frame))
    context = _context(pipeline, frame) if context is None else _as_frame(context, pipeline)
    judge = Judge.of(truth, tuple(metrics), n_boot, random_state, _step(pipeline.clock_))
    energy = {} if changed is None else energy_kept(pipeline, frame, changed)
    costs = prices(pipeline, read_table(judged, clock=pipeline.clock_), energy)
    # The products of the metrics are small: threads of the linear algebra would wait for each other.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads(n_jobs)) as threads:
        bench = Bench(pipeline, judge, judged, context, source, threads)
        bench.start()
        stages, alone = bench.left_out(costs, random_state), bench.added(costs, random_state)
    return Ledger(stages, alone, judged, bench.whole, truth, _facts(pipeline, truth, bench.whole))


class Bench:
    """Pipelines beside the one in question, judged on the same rows."""

    def __init__(
        self, pipeline: Any, judge: Judge, rows: pd.DataFrame, context: pd.DataFrame | None, source: Source, threads: ThreadPoolExecutor
    ):
        self.pipeline, self.judge, self.rows, self.context, self.source, self.threads = pipeline, judge, rows, context, source, threads
        self.whole = self.said(pipeline)

    def said(self, pipeline: Any) -> Judged:
        """What a fitted pipeline says of the rows."""
        rows, context = _like(self.rows, pipeline), _like(self.context, pipeline)
        scores = np.asarray(pipeline.anomaly_score(rows, context), dtype=np.float64)
        level = pipeline.model_.level
        return Judged(scores, np.asarray(pipeline.detect(rows, context)) if level.lookback else level.exceeded(scores))

    def left_out(self, costs: dict[str, dict[str, Any]], random_state: int) -> tuple[StageEffect, ...]:
        """The whole pipeline against the one without each stage."""
        others = dict(zip(self.names, self._waited(self._without, "refitting without each stage"), strict=True))
        known = _all_scored([self.whole, *others.values()])
        with_, *qualities = self._judged([self.whole, *others.values()], known, "judging without each stage")
        without = dict(zip(self.names, qualities, strict=True))
        chance = self.judge.chance(self.whole.where(known), random_state)
        effects: list[StageEffect] = []
        for stage in self.pipeline.named_stages_:
            facts = self._alarm_facts(others[stage], known) if stage in others else {}
            effects += self._effects(stage, without.get(stage), with_, chance, costs[stage], facts)
        return tuple(effects)

    def added(self, costs: dict[str, dict[str, Any]], random_state: int) -> tuple[StageEffect, ...]:
        """The bare detector with one stage against the bare detector."""
        if not self._only:
            return ()
        said = self._waited(self._only, "fitting each stage alone")
        known = _all_scored(said)
        without, *with_ = self._judged(said, known, "judging each stage alone")
        chance = self.judge.chance(said[0].where(known), random_state)
        effects: list[StageEffect] = []
        for name, quality in zip(self.names, with_, strict=True):
            effects += self._effects(name, without, quality, chance, costs[name], {})
        return tuple(effects)

    def _alarm_facts(self, other: Judged, known: Mask) -> dict[str, float]:
        """How the alarms change with a stage: rows that both alarm, and rows later (+) or earlier (-) that events are found."""
        with_, without = self.whole.alarms & known, other.alarms & known
        later = m.detection_delay(self.judge.labels, with_) - m.detection_delay(self.judge.labels, without)
        return {"alarm_overlap": overlap(with_, without)} | ({"delay_change": later} if np.isfinite(later) else {})

    def start(self) -> None:
        """Begin to fit all variants on the history: the later ones are fitted while the earlier ones are judged."""
        self.names = removable(self.pipeline)
        lone = [self.pipeline.only(), *(self.pipeline.only(name) for name in self.names)] if len(self.names) > 1 else []
        self._without = [self.threads.submit(self._fit, self.pipeline.without(name)) for name in self.names]
        self._only = [self.threads.submit(self._fit, pipeline) for pipeline in lone]

    def _waited(self, begun: list[Future[Judged]], what: str) -> list[Judged]:
        """What variants say when they are fitted."""
        return [one.result() for one in track(begun, what)]

    def _judged(self, said: list[Judged], known: Mask, what: str) -> list[Quality]:
        """The quality of each; a stage that changes nothing is not judged twice."""
        keys = [(one.scores.tobytes(), one.alarms.tobytes()) for one in said]
        distinct = dict(zip(keys, said, strict=True))
        # not in threads: the metrics are many short steps, which would wait for each other
        qualities = (self.judge.quality(one.where(known)) for one in distinct.values())
        found = dict(zip(distinct, track(qualities, what, len(distinct)), strict=True))
        return [found[key] for key in keys]

    def _fit(self, pipeline: Any) -> Judged:
        """A variant; its detector is cut to the same share, not searched for a cut again."""
        for name, step in pipeline.named_steps():
            if getattr(step, "keep", None) == "auto" and hasattr(step, "guard"):
                found = self.pipeline.named_stages_[name]
                pipeline.set_params(**{f"{name}__keep": found.keep_, f"{name}__guard": None})
        return self.said(pipeline.fit(self.pipeline.history_))

    def _effects(
        self, stage: str, without: Quality | None, with_: Quality, chance: dict[str, float], costs: dict[str, Any], facts: dict[str, float]
    ) -> list[StageEffect]:
        effects = []
        for metric in self.judge.metrics:
            low, high = (float("nan"), float("nan")) if without is None else interval(metric, without, with_)
            before = float("nan") if without is None else without.whole[metric]
            told = verdict(metric, low, high)
            effect = StageEffect(stage, metric, before, with_.whole[metric], low, high, chance[metric], told, self.source, **costs)
            effects.append(replace(effect, facts={**effect.facts, **facts}))
        return effects


def removable(pipeline: Any) -> list[str]:
    """Names of the stages that a pipeline can do without: all but the detector itself and the threshold."""
    names = [name for name, fitted in pipeline.named_stages_.items() if isinstance(fitted, Stage) or hasattr(fitted, "fidelity_")]
    return [] if hasattr(pipeline, "named_members") and len(names) == 1 else names  # the only member of a blend is its detector


def overlap(alarms: Any, others: Any) -> float:
    """Alarmed rows that two pipelines share, as a share of those that either has; 1 where neither has any."""
    either = int((alarms | others).sum())
    return float((alarms & others).sum() / either) if either else 1.0


def _all_scored(said: list[Judged]) -> Any:
    return np.all([~np.isnan(one.scores) for one in said], axis=0)


def _as_frame(rows: Any, pipeline: Any) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows
    if isinstance(rows, pd.Series):
        return rows.to_frame(pipeline.columns_in_[0])
    values = np.asarray(rows, dtype=np.float64)
    return pd.DataFrame(values[:, None] if values.ndim == 1 else values, columns=list(pipeline.columns_in_))


def _like(frame: pd.DataFrame | None, pipeline: Any) -> Any:
    """Rows as the kind that the pipeline learned on."""
    if frame is None or isinstance(pipeline.history_, pd.DataFrame | pd.Series):
        return frame
    return frame.to_numpy()


def _context(pipeline: Any, rows: pd.DataFrame) -> pd.DataFrame | None:
    """The history, where it ends before the rows begin: it gives the first rows their lookback."""
    history = pipeline.history_
    if not isinstance(history, pd.Series | pd.DataFrame) or not history.index[-1] < rows.index[0]:
        return None
    return _as_frame(history, pipeline)


def _with_injected(frame: pd.DataFrame, random_state: int) -> tuple[pd.DataFrame | None, Ints]:
    """A copy of the rows with injected anomalies and its labels; None where there is no room."""
    try:
        changed, labels, _ = inject(frame, n_events=max(2, min(INJECTED, len(frame) // ROOM)), random_state=random_state)
    except BadSeries:
        return None, np.zeros(len(frame), np.int64)
    return changed, labels.to_numpy().astype(np.int64)


def _step(clock: Any) -> float | None:
    """Seconds from row to row; None where rows are only counted."""
    return None if clock.kind == "index" else clock.duration(1) / 1e9


def _checked(labels: Any, n: int) -> Ints:
    truth = np.asarray(labels)
    if truth.shape != (n,):
        raise BadParameter(f"labels has shape {truth.shape}; it has one value for each of the {n} rows.")
    if not np.isin(truth, (0, 1)).all():
        raise BadParameter(f"labels holds {truth[~np.isin(truth, (0, 1))][0]!r}; a label is 0 (normal) or 1 (anomaly).")
    return truth.astype(np.int64)


def _facts(pipeline: Any, truth: Ints, said: Judged) -> dict[str, float]:
    events, alarms, step = runs(truth == 1), runs(said.alarms), _step(pipeline.clock_)
    return {
        "rows": float(len(truth)),
        "scored_rows": float((~np.isnan(said.scores)).sum()),
        "events": float(len(events)),
        "events_found": float((events.count(said.alarms) > 0).sum()),
        "alarms": float(len(alarms)),
        "alarms_outside": float((alarms.count(truth == 1) == 0).sum()),
        "bytes": bytes_of(pipeline.model_),
        "lookback": float(pipeline.lookback_),
        "detection_delay": m.detection_delay(truth, said.alarms),
        "false_alarms_per_week": float("nan") if step is None else m.false_alarms_per_week(truth, said.alarms, step=step),
        "threshold": float(pipeline.threshold_),
    }
