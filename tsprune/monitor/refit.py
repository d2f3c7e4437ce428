"""A new model when the old one has become stale, and only if it is the better one on recent rows.

Both models are asked about the same rows, which the new one has not learned from: does the new one raise more alarms, and
does it find injected anomalies as well as the old one does?  Injected anomalies are a weak judge; they are there to refuse
a bad model, not to choose the best.  The rows held back are every other stretch of the recent ones: what has changed lately is
learned from and judged on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadSeries
from tsprune.monitor.drift import drifts
from tsprune.monitor.models import Active, activate, note_try, tried

if TYPE_CHECKING:
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.log import Log
    from tsprune.monitor.sections import Refit
    from tsprune.monitor.source import Source
    from tsprune.monitor.store import Store
    from tsprune.types import Floats, Ints, Mask

#: Injected anomalies that both models are judged on.
EVENTS = 12

#: Rows to learn from and to judge on, at the least; stretches of the recent rows, of which every other is held back.
FEWEST, FEWEST_HELD, STRETCHES = 300, 100, 14

#: Up to this share of alarm rows the new model may raise more than the old one.
SHARE = 0.01


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
    except Exception as error:  # whatever a learner dislikes about the rows, the job goes on with the model that it has
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
    held = held_back(times(frame.index), as_of, config.refit.recent)
    if held.sum() < FEWEST_HELD or (~held).sum() < FEWEST:
        raise BadSeries(
            f"{(~held).sum()} rows to learn from and {held.sum()} to judge on; {FEWEST} and {FEWEST_HELD} are needed. "
            "Make model.history or refit.recent longer."
        )
    taught = frame.copy()
    taught.loc[held] = np.nan
    new = learned(config, taught, since=as_of, origin="refit")
    return new, judge(active, new, frame, held, config.refit, config.model.seed)


def held_back(time: Ints, as_of: int, recent: int) -> Mask:
    """Every other stretch of the recent rows; the last one is learned from.

    >>> import numpy as np
    >>> from tsprune.monitor.refit import held_back
    >>> held_back(np.arange(10, 29), as_of=28, recent=14).astype(int).tolist()
    [0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    """
    stretch = (as_of - time) * STRETCHES // recent
    return np.asarray((stretch < STRETCHES) & (stretch % 2 == 1), dtype=bool)


def judge(old: Active, new: Active, frame: Any, held: Mask, rules: Refit, seed: int = 0) -> Verdict:
    """Compare two models on the rows held back.

    Parameters
    ----------
    old, new : Active
    frame : DataFrame, n rows
    held : ndarray of bool, shape (n,)
    rules : Refit
        Its `quality_loss` is how much lower the new one's average precision on injected anomalies may be.
    seed : int
        Of what is injected.
    """
    from tsprune.metrics import average_precision
    from tsprune.series.inject import inject

    start = int(np.argmax(held))
    past, recent, judged = frame.iloc[:start], frame.iloc[start:], held[start:]
    alarms = [_share(*_scored(active, past, recent), judged) for active in (old, new)]
    changed, labels, _ = inject(recent, n_events=EVENTS, random_state=seed)
    quality = []
    for active in (old, new):
        scores, _ = _scored(active, past, changed)
        there = judged & ~np.isnan(scores)
        quality.append(average_precision(labels.to_numpy()[there], scores[there]))
    told = (
        f"alarm rows {alarms[0]:.3%} -> {alarms[1]:.3%}, average precision on {EVENTS} injected events {quality[0]:.3f} -> {quality[1]:.3f}"
    )
    calm = alarms[1] <= max(alarms[0], SHARE)
    useful = rules.policy != "drift" or alarms[1] < alarms[0] or alarms[1] <= SHARE  # else there is nothing that it has learned
    return Verdict(calm and useful and quality[1] >= quality[0] - rules.quality_loss, told)


def _scored(active: Active, past: Any, recent: Any) -> tuple[Floats, Mask]:
    """Scores and alarms of the recent rows."""
    from tsprune.series.clock import times

    context = past.iloc[max(0, len(past) - active.model.lookback - active.level.lookback) :]
    stamps = np.concatenate([times(context.index), times(recent.index)])
    values = np.concatenate([context.to_numpy(np.float64), recent.to_numpy(np.float64)])
    scores = active.model.anomaly_score(values, stamps)
    alarms = active.level.exceeded(scores, active.model.clock.slots(stamps))
    return scores[len(context) :], alarms[len(context) :]


def _share(scores: Floats, alarms: Mask, judged: Mask) -> float:
    there = judged & ~np.isnan(scores)
    return float(alarms[there].mean()) if there.any() else 0.0
