"""What each stage is worth: taken out in turn, refitted behind, compared on the same rows.

The interval of an effect comes from a paired block bootstrap: whole stretches of time are drawn, each with its events, and
both pipelines are judged on the same draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

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


@dataclass(frozen=True)
class StageEffect:
    """What one stage does to one metric, and what it costs; NaN where a number does not apply."""

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

    def __str__(self) -> str:
        told = f"{self.stage}: {self.metric} {self.without:.3f} -> {self.with_:.3f} ({self.effect:+.3f})"
        if np.isfinite(self.low):
            told += f" [{self.low:+.3f}, {self.high:+.3f}] {self.verdict}"
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


Metric = Callable[["Ints", Judged, int], float]

#: Metrics of a report by name; each gets labels, what was said, and the buffer around events.  A new one is one line.
METRICS: dict[str, Metric] = {
    "affiliation_f1": lambda y, said, buffer: m.affiliation(y, said.alarms).f1,
    "auc_pr": lambda y, said, buffer: m.average_precision(y, said.scores),
    "best_f1": lambda y, said, buffer: m.best_f1(y, said.scores),
    "event_f1": lambda y, said, buffer: m.event_f1(y, said.alarms),
    "roc_auc": lambda y, said, buffer: m.roc_auc(y, said.scores),
    "vus_pr": lambda y, said, buffer: m.vus_pr(y, said.scores, buffer=buffer),
    "vus_roc": lambda y, said, buffer: m.vus_roc(y, said.scores, buffer=buffer),
}


def check_metrics(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of metrics, or BadParameter that lists the known ones."""
    asked = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in asked if name not in METRICS]
    if unknown or not asked:
        raise BadParameter(f"metrics is {asked!r}; it holds names of {', '.join(METRICS)}.")
    return asked


def compare(
    labels: Ints,
    without: Judged | None,
    with_: Judged,
    metrics: tuple[str, ...],
    draws: list[Ints],
    buffer: int,
) -> dict[str, tuple[float, float, float, float]]:
    """Per metric: quality without, quality with, and the bounds of their difference over the draws."""
    result = {}
    for name in metrics:
        metric = METRICS[name]
        quality = metric(labels, with_, buffer)
        if without is None:
            result[name] = (float("nan"), quality, float("nan"), float("nan"))
            continue
        effects = [
            metric(labels[rows], with_.taken(rows), buffer) - metric(labels[rows], without.taken(rows), buffer) for rows in draws
        ]
        known = np.array([effect for effect in effects if np.isfinite(effect)])
        tail = 100 * (1 - COVERAGE) / 2
        low, high = np.percentile(known, [tail, 100 - tail]) if len(known) >= 20 else (float("nan"), float("nan"))
        result[name] = (metric(labels, without, buffer), quality, float(low), float(high))
    return result


def verdict(low: float, high: float) -> Verdict:
    """Whether an interval lies wholly on one side of zero."""
    if low > 0.0:
        return "helps"
    return "hurts" if high < 0.0 else "no evidence"


def chance_of(labels: Ints, said: Judged, names: tuple[str, ...], buffer: int, random_state: int, times: int = 5) -> dict[str, float]:
    """What the metrics give for the same scores and alarms in random order: the mean of some shuffles."""
    rng = np.random.default_rng(random_state)
    orders = [rng.permutation(len(labels)) for _ in range(times)]
    return {name: float(np.mean([METRICS[name](labels, said.taken(order), buffer) for order in orders])) for name in names}


def stretches(labels: Ints, target: int = STRETCHES) -> list[Ints]:
    """The rows cut into about `target` stretches of equal length, never within an event or beside one."""
    n = len(labels)
    beside = labels.astype(bool).copy()
    beside[1:] |= labels[:-1] == 1
    cuts = [0]
    for wanted in np.linspace(0, n, target + 1)[1:-1].astype(int):
        free = wanted + int(np.argmin(beside[wanted:])) if not beside[wanted:].all() else n
        if cuts[-1] < free < n:
            cuts.append(free)
    return [np.arange(a, b) for a, b in zip(cuts, [*cuts[1:], n], strict=True)]


def block_draws(labels: Ints, n_boot: int, random_state: int) -> list[Ints]:
    """Rows of `n_boot` resampled records: stretches drawn with replacement, kept in the order drawn."""
    rng = np.random.default_rng(random_state)
    pieces = stretches(labels)
    return [np.concatenate([pieces[k] for k in rng.integers(0, len(pieces), len(pieces))]) for _ in range(n_boot)]


def default_buffer(labels: Ints) -> int:
    """The median length of the events: a buffer beyond it rewards chance."""
    edges = np.diff(np.concatenate([[0], labels, [0]]))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return max(1, int(np.median(lengths))) if len(lengths) else 1


def us_per_row(work: Callable[[int], Any], n: int) -> float:
    """Microseconds per row that `work` takes on its first rows."""
    rows = min(n, TIMED_ROWS)
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        work(rows)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / rows * 1e6
