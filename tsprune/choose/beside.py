"""What a choice without labels would have been worth on the rows of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tsprune.choose.answer import choose
from tsprune.choose.budget import Budget
from tsprune.errors import BadSeries
from tsprune.evaluate import COSTS
from tsprune.metrics import default_buffer, evaluate_all

if TYPE_CHECKING:
    from tsprune.report import Report

#: The budget: what stands beside a report should not take longer than it.
SECONDS = 20.0


def beside(history: Any, report: Report, *, random_state: int = 0) -> str:
    """A sentence, without its full stop, on `tsp.choose(history)`, judged on the rows, labels and metrics of a report.

    Examples
    --------
    >>> import tsprune as tsp
    >>> from tsprune.choose.beside import beside
    >>> sea = tsp.datasets.load("elnino")
    >>> past, rest, labels = sea.frame[:256], sea.frame[256:], sea.labels[256:]
    >>> report = tsp.Pipeline(["iforest"]).fit(past).report(rest, labels, metrics=("roc_auc",), n_boot=20)
    >>> beside(past, report).split(":")[0]
    'beside it, tsp.choose(history) without labels'
    """
    try:
        blend = choose(history, budget=Budget(seconds=SECONDS), random_state=random_state).pipeline
    except BadSeries as error:
        return f"tsp.choose(history) has nothing to set beside it: {error}"
    scores = blend.anomaly_score(report.rows, context=history).to_numpy()
    alarms = blend.detect(report.rows, context=history).to_numpy()
    labels = report.labels.to_numpy()
    metrics = tuple(dict.fromkeys(effect.metric for effect in report.stages if effect.metric not in COSTS))
    found = evaluate_all(labels, scores, predictions=alarms, buffer=default_buffer(labels), metrics=metrics)
    told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    return f"beside it, tsp.choose(history) without labels: {told}; {len(blend.named_members())} view(s), {blend.model_.nbytes:,} bytes"
