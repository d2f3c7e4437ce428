"""What each stage is worth: taken out in turn, refitted behind, compared on the same rows.

The interval of an effect comes from a paired block bootstrap: whole stretches of time are drawn, each with its events, and
both pipelines are judged on the same draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tsprune import metrics as m
from tsprune.errors import BadParameter

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Mask

Verdict = Literal["helps", "hurts", "no evidence"]

#: An interval of this coverage decides the verdict.
COVERAGE = 0.95

#: Stretches that a record is cut into for the bootstrap, where its events allow it.
STRETCHES = 50

#: Rows that a part's latency is measured on, and how often: the quickest run counts, noise only adds.
TIMED_ROWS, TIMED_RUNS = 10_000, 3


#: Metrics of which less is better.
COSTS = frozenset({"detection_delay", "false_alarms_per_week"})


@dataclass(frozen=True)
class StageEffect:
    """What one stage does to one metric, and what it costs; NaN where a number does not apply.

    Attributes
    ----------
    stage, metric : str
    without, with_ : float
        Quality without and with the stage, on rows that both can score.
    low, high : float
        95 % interval of the difference, by a paired bootstrap over blocks of rows.
    chance : float
        What shuffled scores get.
    verdict : "helps", "hurts" or "no evidence"
    source : "labels" or "injected"
        What the quality was judged by.
    fit_seconds, us_per_row, bytes : float
        Seconds to learn, microseconds to score one of many rows, bytes in a model file.
    fidelity, ceiling : float
        Of a cut: agreement with the detector before it, and of two halves of that detector with each other.
    energy_kept : float
        Of a signal stage: share of an anomaly's energy that comes out of it.
    facts : dict of str to float
        What else the stage has to say.

    Examples
    --------
    >>> from tsprune import StageEffect
    >>> season = StageEffect("deseason", "vus_pr", 0.31, 0.52, 0.12, 0.30, 0.05, "helps", "labels", 0.01, 0.05, 2_400.0)
    >>> round(season.effect, 2), season.harm
    (0.21, 0.0)
    """

    stage: str
    metric: str
    without: float
    with_: float
    low: float
    high: float
    chance: float
    verdict: Verdict
    source: Literal["labels", "injected"]
    fit_seconds: float
    us_per_row: float
    bytes: float
    fidelity: float = float("nan")
    ceiling: float = float("nan")
    energy_kept: float = float("nan")
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def effect(self) -> float:
        """Quality with the stage minus quality without it."""
        return self.with_ - self.without

    @property
    def harm(self) -> float:
        """The largest loss that the interval allows for; 0 where there is no interval."""
        if not np.isfinite(self.low):
            return 0.0
        return max(0.0, self.high if self.metric in COSTS else -self.low)

    def __str__(self) -> str:
        told = f"{self.stage}: {self.metric} {self.without:.3f} -> {self.with_:.3f} ({self.effect:+.3f})"
        if np.isfinite(self.low):
            told += f" [{self.low:+.3f}, {self.high:+.3f}] {self.verdict}"
        told += " (estimated by injection)" if self.source == "injected" else ""
        price = f"; {self.bytes:,.0f} bytes, {self.us_per_row:.2f} us per row, fitted in {self.fit_seconds:.2f} s"
        facts = "".join(f"; {name} {value:.4g}" for name, value in self.facts.items())
        return told + price + facts


#: The columns of a report's frame.
COLUMNS = tuple(f.name for f in fields(StageEffect))


@dataclass(frozen=True)
class Judged:
    """What a pipeline said of the rows: a score and an alarm each."""

    scores: Floats
    alarms: Mask

    def taken(self, rows: Ints) -> Judged:
        """The same for some of the rows."""
        return Judged(self.scores[rows], self.alarms[rows])

    def where(self, known: Mask) -> Judged:
        """The same with the other rows unscored."""
        return Judged(np.where(known, self.scores, np.nan), self.alarms & known)


@dataclass(frozen=True)
class Quality:
    """Metrics of one pipeline: on the record as it is, and on every resampled one."""

    whole: dict[str, float]
    drawn: dict[str, Floats]


@dataclass(frozen=True)
class Judge:
    """Labels, metrics and resampled records, the same for every pipeline that is compared."""

    labels: Ints
    metrics: tuple[str, ...]
    pieces: list[slice]  # stretches of rows
    draws: Ints  # of each resampled record, the stretches it is made of
    buffer: int
    step: float | None  # seconds from row to row; None without a clock

    @classmethod
    def of(cls, labels: Ints, metrics: tuple[str, ...], n_boot: int, random_state: int, step: float | None) -> Judge:
        """A judge of these rows; unknown metrics are refused."""
        m.evaluate_all([0, 1], [0.0, 1.0], metrics=metrics)
        pieces = stretches(labels)
        draws = np.random.default_rng(random_state).integers(0, len(pieces), (n_boot, len(pieces)))
        return cls(labels, tuple(metrics), pieces, draws, m.default_buffer(labels), step)

    def quality(self, said: Judged) -> Quality:
        """All metrics of what a pipeline said."""
        drawn = [self._redrawn(said, draw) for draw in self.draws]
        return Quality(self._evaluate(self.labels, said), {name: np.array([found[name] for found in drawn]) for name in self.metrics})

    def chance(self, said: Judged, random_state: int, times: int = 5) -> dict[str, float]:
        """The metrics of the same scores and alarms in random order: the mean of some shuffles."""
        rng = np.random.default_rng(random_state)
        found = [self._evaluate(self.labels, said.taken(rng.permutation(len(self.labels)))) for _ in range(times)]
        return {name: float(np.mean([each[name] for each in found])) for name in self.metrics}

    def _redrawn(self, said: Judged, draw: Ints) -> dict[str, float]:
        labels, scores, alarms = (
            np.concatenate([values[self.pieces[piece]] for piece in draw]) for values in (self.labels, said.scores, said.alarms)
        )
        return self._evaluate(labels, Judged(scores, alarms))

    def _evaluate(self, labels: Ints, said: Judged) -> dict[str, float]:
        return m.evaluate_all(labels, said.scores, predictions=said.alarms, buffer=self.buffer, step=self.step, metrics=self.metrics)


def interval(name: str, without: Quality, with_: Quality) -> tuple[float, float]:
    """Bounds of the effect on one metric over the resampled records; NaN where fewer than 20 tell anything."""
    effects = with_.drawn[name] - without.drawn[name]
    effects = effects[np.isfinite(effects)]
    if len(effects) < 20:
        return float("nan"), float("nan")
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(effects, [tail, 100 - tail])
    return float(low), float(high)


def verdict(name: str, low: float, high: float) -> Verdict:
    """Whether an interval lies wholly on the better or on the worse side of zero."""
    if name in COSTS:
        low, high = -high, -low
    if low > 0.0:
        return "helps"
    return "hurts" if high < 0.0 else "no evidence"


def over_groups(reports: Sequence[Any], groups: Sequence[str], *, n_boot: int = 2000, random_state: int = 0) -> tuple[StageEffect, ...]:
    """The effects of stages over many series, paired over where the series come from.

    Rows of one series, and series of one physical source, go up and down together: effects are averaged within a group first, and
    the interval comes from drawing groups.

    Parameters
    ----------
    reports : sequence of Report
        One per series, of pipelines with the same stages.
    groups : sequence of str
        Of each report the physical source of its series: a machine, a plant, a site.
    n_boot : int
        Draws of groups.
    random_state : int

    Returns
    -------
    tuple of StageEffect
        One per stage and metric that can be judged; `facts` holds the number of groups and series, costs are means over groups.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from tsprune.evaluate import StageEffect, over_groups
    >>> gains = [0.1, 0.2, 0.3, 0.1]
    >>> reports = [SimpleNamespace(stages=[StageEffect("deseason", "vus_pr", 0.4, 0.4 + gain, 0, 0, 0.1, "helps", "labels", 0, 0, 0)]) for gain in gains]
    >>> (effect,) = over_groups(reports, ["a", "a", "b", "c"])
    >>> round(effect.effect, 3), effect.verdict, effect.facts["groups"]
    (0.183, 'helps', 3.0)
    """
    if len(reports) != len(groups) or not reports:
        raise BadParameter(f"groups has {len(groups)} names for {len(reports)} reports; give one for each, and at least one report.")
    frame = pd.DataFrame(
        [
            {name: getattr(effect, name) for name in COLUMNS if name != "facts"} | {"group": group}
            for report, group in zip(reports, groups, strict=True)
            for effect in report.stages
            if np.isfinite(effect.effect)
        ]
    )
    rng = np.random.default_rng(random_state)
    pooled = []
    for named, rows in frame.groupby(["stage", "metric"], sort=False):
        stage, metric = (str(name) for name in named)
        numbers = rows.groupby("group").mean(numeric_only=True)
        gain = (numbers["with_"] - numbers["without"]).to_numpy()
        low, high = (float("nan"), float("nan"))
        if len(gain) > 1:
            tail = 100 * (1 - COVERAGE) / 2
            low, high = np.percentile(gain[rng.integers(0, len(gain), (n_boot, len(gain)))].mean(axis=1), [tail, 100 - tail])
        source: Literal["labels", "injected"] = "labels" if set(rows["source"]) == {"labels"} else "injected"
        mean = numbers.mean().to_dict() | {"low": float(low), "high": float(high)}
        told = verdict(metric, low, high)
        facts = {"groups": float(len(gain)), "series": float(len(rows))}
        pooled.append(StageEffect(stage, metric, verdict=told, source=source, facts=facts, **{k: mean[k] for k in COLUMNS if k in mean}))
    return tuple(pooled)


def stretches(labels: Ints, target: int = STRETCHES) -> list[slice]:
    """The rows cut into about `target` stretches of equal length, never within an event or beside one."""
    n = len(labels)
    beside = labels.astype(bool).copy()
    beside[1:] |= labels[:-1] == 1
    cuts = [0]
    for wanted in np.linspace(0, n, target + 1)[1:-1].astype(int):
        free = wanted + int(np.argmin(beside[wanted:])) if not beside[wanted:].all() else n
        if cuts[-1] < free < n:
            cuts.append(free)
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], n], strict=True)]


def us_per_row(work: Callable[[int], Any], n: int) -> float:
    """Microseconds per row that `work` takes on its first rows."""
    rows = min(n, TIMED_ROWS)
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        work(rows)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / rows * 1e6
