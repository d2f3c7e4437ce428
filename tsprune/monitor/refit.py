"""A new model when the old one has become stale, and only if it is the better one on recent rows.

Both models are asked about the same rows, which the new one has not learned from: does the new one raise more alarms, and
does it find injected anomalies as well as the old one does?  Injected anomalies are a weak judge; they are there to refuse
a bad model, not to choose the best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadSeries, TsPruneError
from tsprune.monitor.drift import drifts
from tsprune.monitor.models import Active, activate, note_try, tried

if TYPE_CHECKING:
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.log import Log
    from tsprune.monitor.source import Source
    from tsprune.monitor.store import Store

#: Injected anomalies that both models are judged on, and the least number of recent rows for them.
EVENTS, FEWEST = 12, 300

#: The new model may raise so many times the old one's alarm rows on recent rows, or this share of them.
MORE, SHARE = 1.5, 0.01


@dataclass(frozen=True)
class Verdict:
    """Old and new model on the same recent rows."""

    accepted: bool
    why: str

    def __str__(self) -> str:
        return f"{'accepted' if self.accepted else 'refused'}: {self.why}"


def is_due(store: Store, config: JobConfig, active: Active, as_of: int) -> bool:
    """Whether the policy asks for a new model now."""
    policy = config.refit
    last = max(active.since if active.origin == "refit" else 0, tried(store) or 0)
    if policy.policy == "never" or as_of - last < policy.every:
        return False
    if policy.policy == "every":
        return last > 0 or as_of - active.since >= policy.every
    return any(drift.found for drift in drifts(store, active.id, active.threshold))


def refit(store: Store, source: Source, config: JobConfig, active: Active, as_of: int, log: Log) -> Verdict:
    """Learn a model, judge it beside the old one, and put it to work if it is accepted."""
    try:
        new, verdict = _challenger(source, config, active, as_of)
    except TsPruneError as error:
        new, verdict = None, Verdict(False, f"no model could be learned: {error}")
    note_try(store, as_of)
    if new is not None and verdict.accepted:
        activate(store, replace(new, verdict=str(verdict), previous=active.id))
    log.info("refit", verdict=str(verdict), old=active.hash, new=None if new is None else new.hash)
    return verdict


def _challenger(source: Source, config: JobConfig, active: Active, as_of: int) -> tuple[Active, Verdict]:
    from tsprune.monitor.learn import frame_of, learned
    from tsprune.series.clock import times

    rows = source.read(as_of - config.model.history, as_of)
    frame = frame_of(rows, active.model.columns, config.model.learn_from)
    held = int((times(frame.index) > as_of - config.refit.recent).sum())
    if held < FEWEST or len(frame) - held < FEWEST:
        raise BadSeries(f"{len(frame) - held} rows to learn from and {held} to judge on; each side needs {FEWEST}.")
    past, recent = frame.iloc[: len(frame) - held], frame.iloc[len(frame) - held :]
    new = learned(config, past, since=as_of, origin="refit")
    return new, judge(active, new, past, recent, config.refit.quality_loss, config.model.seed)


def judge(old: Active, new: Active, past: Any, recent: Any, quality_loss: float, seed: int = 0) -> Verdict:
    """Compare two models on recent rows.

    Parameters
    ----------
    old, new : Active
    past, recent : DataFrame
        The rows before, for the lookback; and those on which both are judged.
    quality_loss : float
        How much lower the new one's average precision on injected anomalies may be.
    seed : int
        Of what is injected.
    """
    from tsprune.metrics import average_precision
    from tsprune.series.inject import inject

    alarms = [_share(active, _scores(active, past, recent)) for active in (old, new)]
    changed, labels, _ = inject(recent, n_events=EVENTS, random_state=seed)
    scores = [_scores(active, past, changed) for active in (old, new)]
    quality = [average_precision(labels.to_numpy()[~np.isnan(s)], s[~np.isnan(s)]) for s in scores]
    told = (
        f"alarm rows {alarms[0]:.3%} -> {alarms[1]:.3%}, average precision on {EVENTS} injected events {quality[0]:.3f} -> {quality[1]:.3f}"
    )
    return Verdict(alarms[1] <= max(MORE * alarms[0], SHARE) and quality[1] >= quality[0] - quality_loss, told)


def _scores(active: Active, past: Any, recent: Any) -> Any:
    from tsprune.series.clock import times

    context = past.iloc[max(0, len(past) - active.model.lookback) :] if active.model.lookback else past.iloc[:0]
    stamps = np.concatenate([times(context.index), times(recent.index)])
    values = np.concatenate([context.to_numpy(np.float64), recent.to_numpy(np.float64)])
    return active.model.anomaly_score(values, stamps)[len(context) :]


def _share(active: Active, scores: Any) -> float:
    there = ~np.isnan(scores)
    return float((scores[there] > active.threshold).mean()) if there.any() else 0.0
