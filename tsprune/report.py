"""The report: every stage with its effect on quality, its size and its time; as text, frame, JSON, HTML and picture."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune import page
from tsprune.evaluate import COLUMNS, COSTS, StageEffect
from tsprune.ledger import keep_ledger

if TYPE_CHECKING:
    from tsprune.prune import Guard

#: A metric that is less than so much above chance is called out.
NEAR_CHANCE = 0.1


@dataclass(frozen=True)
class Report:
    """What a pipeline's stages are worth on some rows.

    Attributes
    ----------
    stages : tuple of StageEffect
        One per stage and metric, in the order of the pipeline: with the stage against without it.
    alone : tuple of StageEffect
        The same for each stage that can be left out, added alone to the bare detector.
    rows : DataFrame
        The rows judged; with injected anomalies where no labels were given.
    scores : Series
    labels : Series of 0 and 1
        Given, or of the injected anomalies.
    threshold : float
    facts : dict
        Numbers about the whole: rows, events, events found, alarms, bytes, lookback.
    notes : tuple of str
        What was cut, at what price, and what was refused, in sentences.
    recipe : str
        What it takes to repeat it: versions, the pipeline, the rows and the seed.

    Examples
    --------
    >>> import tsprune as tsp
    >>> sea = tsp.datasets.load("elnino")
    >>> pipeline = tsp.Pipeline([tsp.Deseason(12), tsp.Windows(3), tsp.Pruned("iforest", keep=0.25, random_state=0)])
    >>> report = pipeline.fit(sea.frame[:240]).report(sea.frame[240:], sea.labels[240:], metrics=("auc_pr",), n_boot=20)
    >>> report.to_frame()[["stage", "metric", "source"]].drop_duplicates("stage").values.tolist()[:2]
    [['deseason', 'auc_pr', 'labels'], ['windows', 'auc_pr', 'labels']]
    """

    stages: tuple[StageEffect, ...]
    alone: tuple[StageEffect, ...]
    rows: pd.DataFrame
    scores: pd.Series
    labels: pd.Series
    threshold: float
    facts: dict[str, float]
    notes: tuple[str, ...] = ()
    recipe: str = ""
    alarm: pd.Series | None = None  # where a threshold looks back on other scores; else those above it

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

    @property
    def source(self) -> str:
        """ "labels", or "injected" where none were given."""
        return self.stages[0].source

    def refused(self, guard: Guard) -> dict[str, str]:
        """Stages that a guard refuses, with the reason: the effect on a metric may be a loss beyond its tolerance.

        The detector and the threshold cannot be left out, and are never refused.
        """
        reasons = {}
        for effect in self.stages:
            if effect.harm > guard.quality_loss and effect.stage not in reasons:
                reasons[effect.stage] = (
                    f"{effect.metric} may fall by {effect.harm:.3f} with it ({self.source}), more than the guard's {guard.quality_loss:g}"
                )
        return reasons

    def alarms(self) -> pd.Series:
        """Whether each row is an alarm."""
        return self.scores > self.threshold if self.alarm is None else self.alarm

    def noting(self, note: str) -> Report:
        """The report with one more sentence."""
        return replace(self, notes=(*self.notes, note))

    def sentences(self) -> list[str]:
        """What was found and what was cut, in words."""
        return [*self.summary(), *self.notes]

    def summary(self) -> list[str]:
        """What was found, in words."""
        f = self.facts
        injected = [
            "Quality is estimated by injection: no labels were given. On labelled series such verdicts had the right sign in half of the cases "
            "only (docs/ledger.md): trust the prices more than the effects."
        ] if self.source == "injected" else []  # fmt: skip
        return [
            *injected,
            f"{f['events_found']:.0f} of {f['events']:.0f} events found with {f['alarms']:.0f} alarms on {f['rows']:,.0f} rows; "
            f"{f['alarms_outside']:.0f} alarms touch no event.",
            *self._near_chance(),
        ]

    def _near_chance(self) -> list[str]:
        """What to do where the scores tell little."""
        first = self.stages[0]
        if not first.with_ - first.chance < NEAR_CHANCE or first.metric in COSTS:
            return []
        return [
            f"{first.metric} is {first.with_:.3f} where chance gives {first.chance:.3f}: these scores tell little. Try tsp.choose(history) "
            f"(--steps auto), another detector, or see whether the history is mostly normal."
        ]


def make_report(
    pipeline: Any,
    rows: Any,
    labels: Any,
    *,
    metrics: tuple[str, ...],
    n_boot: int,
    random_state: int,
    context: Any = None,
    n_jobs: int | None = -1,
) -> Report:
    """Judge a fitted pipeline on rows, stage by stage."""
    ledger = keep_ledger(pipeline, rows, labels, metrics=metrics, n_boot=n_boot, random_state=random_state, context=context, n_jobs=n_jobs)
    index = ledger.rows.index
    return Report(
        ledger.stages,
        ledger.alone,
        ledger.rows,
        pd.Series(ledger.said.scores, index=index, name="score"),
        pd.Series(ledger.labels, index=index, name="label"),
        pipeline.threshold_,
        ledger.facts,
        tuple(cut_note(name, stage) for name, stage in pipeline.named_stages_.items() if hasattr(stage, "refused_")),
        _recipe(pipeline, index, metrics, n_boot, random_state),
        pd.Series(ledger.said.alarms, index=index, name="alarm"),
    )


def cut_note(name: str, pruned: Any) -> str:
    """One sentence on a cut: what went, at what price, or why it was refused."""
    if pruned.refused_:
        return f"{name}: the cut was refused and the whole detector kept: {pruned.refused_}."
    cleaned = pruned.cleaning_.get("cleaned_share", 0.0)
    return (
        f"{name}: {pruned.n_parts_before_:,} parts cut to {pruned.n_parts_after_:,}, {pruned.bytes_before_:,} bytes to {pruned.bytes_after_:,}"
        + (f", {cleaned:.1%} of the reference rows dropped as unclean" if cleaned else "")
        + f"; fidelity {pruned.fidelity_:.3f} on held-back rows, at least {pruned.fidelity_low_:.3f}; two halves of it agree at {pruned.ceiling_:.3f}."
    )


def _recipe(pipeline: Any, index: pd.Index, metrics: tuple[str, ...], n_boot: int, random_state: int) -> str:
    from importlib.metadata import version

    history = pipeline.history_
    learned = f", {history.index[0]} to {history.index[-1]}" if isinstance(history, pd.Series | pd.DataFrame) else ""
    versions = ", ".join(f"{name} {version(name)}" for name in ("tsprune", "numpy", "pandas", "scikit-learn"))
    return (
        f"# {versions}\n"
        f"# learned on {len(history):,} rows{learned}\n"
        f"# judged on {len(index):,} rows, {index[0]} to {index[-1]}\n"
        f"pipeline = {pipeline!r}\n"
        f"pipeline.fit(history).report(rows, labels, metrics={metrics!r}, n_boot={n_boot}, random_state={random_state})"
    )


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
        fidelity = f"{fidelity:<24}estimated" if first.source == "injected" else fidelity
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
