"""Whether a model has become stale: its inputs, its scores and its alarms, day by day, against its first weeks at work.

A day is one number of each; a day of outliers is one day.  The first days of a model are the reference, and a cumulative
sum of what the later ones exceed it by is the evidence.  A clock change moves a daily pattern within the day and so leaves
the numbers of days as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.monitor.moments import DAY, iso
from tsprune.monitor.step import UNIT

if TYPE_CHECKING:
    from tsprune.monitor.store import Store
    from tsprune.types import Floats

#: Days that are the reference: two weeks, so that week-ends are part of what is usual.
REFERENCE = 14

#: Standard deviations of a day that are everyday, those that one day counts at the most, and the sum that is a drift.
#: On independent normal days the sum is reached by chance about once in 60 years.
SLACK, CAP, LIMIT = 1.0, 4.0, 8.0

#: A day's standard deviation is taken to be at least this: of features in scales, of scores relative to the threshold, of shares.
_LEAST = {"inputs": 0.02, "spread": 0.02, "scores": 0.01, "alarms": 0.002}

#: A larger share of alarm rows is never usual: a model that began with it was stale from the beginning.
_OFTEN = 0.05


@dataclass(frozen=True)
class Drift:
    """The evidence that one measure of days has left its reference."""

    measure: str  # "inputs" and "spread" (mean and mean size of what the detector sees), "scores", "alarms"
    evidence: float  # 1 and above is a drift
    since: int | None  # the day on which the sum began to rise
    days: int  # days after the reference

    @property
    def found(self) -> bool:
        """Whether it is one."""
        return self.evidence >= 1.0

    def __str__(self) -> str:
        since = "" if self.since is None or not self.found else f", since {iso(self.since)[:10]}"
        return f"{self.measure}: {self.evidence:.2f} of a drift{since}"


def drifts(store: Store, model: int, threshold: float) -> list[Drift]:
    """The evidence for each measure; none before the reference is complete.

    Parameters
    ----------
    store : Store
    model : int
        Only days under this model count.
    threshold : float
        Scores are taken relative to it.
    """
    rows = store.database.query(
        "SELECT day, n_rows, n_scored, n_alarms, scores, inputs, spread FROM days WHERE job = ? AND model = ? ORDER BY day",
        (store.job, model),
    )
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    table = _grouped(table[table[:, 2] > 0])[:-1]  # the last day may be half a day
    if len(table) <= REFERENCE:
        return []
    day, _, scored, alarms, scores, inputs, spread = table.T
    size = max(abs(threshold), 1e-9)
    measures = {"inputs": inputs * UNIT, "spread": spread * UNIT, "scores": scores * UNIT / size, "alarms": alarms}
    return [_drift(name, total / scored, day) for name, total in measures.items()]


def _grouped(table: Floats) -> Floats:
    """Days put together to spans of about equal numbers of rows where a day has few: daily and monthly series."""
    if not len(table) or np.median(table[:, 1]) >= 8:
        return table
    span = max(1, int(np.median(np.diff(table[:, 0]))) if len(table) > 1 else 1) * 7
    _, first, at = np.unique(table[:, 0] // span, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), table.shape[1]))
    np.add.at(sums, at, table)
    sums[:, 0] = table[first, 0]
    return sums


def _drift(name: str, daily: Floats, day: Floats) -> Drift:
    usual = daily[:REFERENCE]
    centre = min(float(np.median(usual)), _OFTEN if name == "alarms" else np.inf)
    sigma = max(float(np.std(usual, ddof=1)), _LEAST[name])
    later = np.clip((daily[REFERENCE:] - centre) / sigma, -CAP, CAP)
    up, rose = _cumulated(later)
    down, fell = _cumulated(-later)
    if name == "alarms":  # fewer alarms are no reason to learn anew
        down = 0.0
    evidence, since = (up, rose) if up >= down else (down, fell)
    began = None if since is None else int(day[REFERENCE + since]) * DAY
    return Drift(name, evidence / LIMIT, began, len(later))


def _cumulated(steps: Floats) -> tuple[float, int | None]:
    """The one-sided cumulative sum at the end, and where its rise began.

    Source: Page, Continuous inspection schemes, Biometrika 41, 1954.
    """
    total, began = 0.0, None
    for i, step in enumerate(steps.tolist()):
        total += step - SLACK
        if total <= 0.0:
            total, began = 0.0, None
        elif began is None:
            began = i
    return total, began
