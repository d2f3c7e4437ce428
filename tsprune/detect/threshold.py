"""Where a score becomes an alarm: by a budget of alarms, from the training scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator

from tsprune.errors import BadParameter, BadSeries
from tsprune.kernels.labelled import runs
from tsprune.model.clock import NANOSECONDS
from tsprune.model.level import Level
from tsprune.model.rolling import RollingLevel
from tsprune.params import check_choice, check_count, check_number, check_share

if TYPE_CHECKING:
    from tsprune.model.clock import Clock, Slots
    from tsprune.types import Floats

#: Share of the training rows above the threshold where nothing is said.  Never a tenth of them.
DEFAULT_RATE = 0.005

#: Share of the rows that are above a threshold at the most, whatever the budget: all rows together are one alarm, too.
LARGEST_RATE = 0.2


#: Share of the scores that are peaks.
PEAKS = 0.02


class Threshold(BaseEstimator):
    """Set the threshold so that the training scores would have spent a given budget of alarms.

    An alarm is a run of neighbouring rows above the threshold: a fault of three hours is one alarm, not 36.

    Parameters
    ----------
    alarms_per_week : float, optional
        Alarms a week that the training series may have raised.  Needs timestamps.
    rate : float, optional
        Share of the training rows above the threshold, in (0, 1]; 0.005 where neither is given.
    method : "count" or "evt"
        "count" takes an order statistic of the training scores; "evt" a generalised Pareto tail fitted beyond their 98 % quantile
        (peaks over threshold), for rates that are rarer than the history is long.
    recalibrate : int, optional
        The threshold follows the last so many scores: a row is an alarm when it is above all but the share of them.  A fixed
        threshold does not hold where a series drifts (docs/choosing.md); 3000 was measured to.
    min_length : int
        Rows in a row that have to be above the threshold before there is an alarm, the last of them.  The budget is spent on
        alarms that last so long: the threshold becomes lower, not the alarms fewer.

    Attributes
    ----------
    part_ : Level
    alarms_ : int
        Alarms that the training series would have raised.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect import Threshold
    >>> Threshold(rate=0.1).fit(np.arange(100.0)).part_.threshold
    89.0
    >>> Threshold(rate=0.1, min_length=3).fit(np.arange(100.0)).part_.threshold
    88.0
    """

    def __init__(
        self,
        alarms_per_week: float | None = None,
        rate: float | None = None,
        method: Literal["count", "evt"] = "count",
        recalibrate: int | None = None,
        min_length: int = 1,
    ):
        self.alarms_per_week = alarms_per_week
        self.rate = rate
        self.method = method
        self.recalibrate = recalibrate
        self.min_length = min_length

    def fit(self, scores: Floats, y: None = None, *, clock: Clock | None = None, slots: Slots | None = None) -> Self:
        """Learn from training scores, shape (n,), in time order; rows without a score count as quiet, slots without a row likewise."""
        if self.alarms_per_week is not None and self.rate is not None:
            raise BadParameter(f"alarms_per_week is {self.alarms_per_week!r} and rate is {self.rate!r}; give one of the two.")
        scores = np.asarray(scores, dtype=np.float64)
        check_choice(("count", "evt"), method=self.method)
        lasting = _lasting(scores, check_count(min_length=self.min_length), slots)
        level = self._of_rate(lasting) if self.alarms_per_week is None else self._of_budget(lasting, self.alarms_per_week, clock)
        self.part_: Level = Level(level, min_length=self.min_length)
        self.alarms_ = count_alarms(self.part_.exceeded(scores, slots))
        if self.recalibrate is not None:
            self.part_ = self._rolling(scores, slots)
        return self

    def _of_rate(self, scores: Floats) -> float:
        """The threshold that a share of the scores are above."""
        rate = DEFAULT_RATE if self.rate is None else check_share(rate=self.rate, way_out="For one row in a thousand, give 0.001.")
        return float(_above_share(scores, rate) if self.method == "count" else beyond_peaks(scores[~np.isnan(scores)], rate))

    def _of_budget(self, scores: Floats, alarms_per_week: float, clock: Clock | None) -> float:
        """The threshold that raises so many alarms a week."""
        if self.method == "evt":
            raise BadParameter("method is 'evt', which knows rows and no alarms: give rate instead of alarms_per_week.")
        budget = check_number(alarms_per_week=alarms_per_week, low=0.0)
        if clock is None or clock.kind == "index":
            raise BadParameter("alarms_per_week needs timestamps: on an integer index give rate, the share of rows.")
        return float(_within_budget(scores, budget * len(scores) * clock.duration(1) / NANOSECONDS["W"]))

    def _rolling(self, scores: Floats, slots: Slots | None) -> RollingLevel:
        """A level that follows the scores at the share that the fixed one has on the training rows."""
        rows = check_count(low=2, recalibrate=self.recalibrate)  # type: ignore[arg-type]
        there = max(1, int((~np.isnan(scores)).sum()))
        share = self.rate or (DEFAULT_RATE if self.alarms_per_week is None else self.part_.exceeded(scores, slots).sum() / there)
        return RollingLevel(self.part_.threshold, float(np.clip(share, 1.0 / (rows + 1), LARGEST_RATE)), rows, min_length=self.min_length)


def _lasting(scores: Floats, min_length: int, slots: Slots | None) -> Floats:
    """The smallest of each score and those before it that have to be above the threshold as well."""
    if np.isnan(scores).all():
        raise BadSeries("no training row has a score: every window misses a value. Give a longer history or fill the gaps.")
    lasting = Level(0.0, min_length=min_length).lasting(scores, slots)
    if np.isnan(lasting).all():
        raise BadSeries(f"min_length is {min_length}, and no {min_length} training rows in a row have a score. Ask for fewer.")
    return lasting


def beyond_peaks(scores: Floats, rate: float) -> float:
    """The score that a share of the rows will exceed, by a generalised Pareto tail beyond the 98 % quantile.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Without NaN.
    rate : float
        In (0, 1]; from the 98 % quantile down, the quantile itself is taken.

    Source
    ------
    Hosking & Wallis (1987), Parameter and quantile estimation for the generalized Pareto distribution, Technometrics 29:
    probability-weighted moments.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect.threshold import beyond_peaks
    >>> scores = np.random.default_rng(0).exponential(size=20_000)
    >>> bool(abs(beyond_peaks(scores, 1e-5) - np.log(1e5)) < 2)
    True
    """
    ranked = np.sort(scores)
    start = float(np.quantile(ranked, 1.0 - PEAKS))
    excess = ranked[ranked > start] - start
    if rate >= PEAKS or len(excess) < 2:
        return float(np.quantile(ranked, 1.0 - rate))
    weights = 1.0 - (np.arange(1, len(excess) + 1) - 0.35) / len(excess)
    first, second = float(excess.mean()), float((weights * excess).mean())
    spread = max(first - 2.0 * second, 1e-12 * first)
    shape = float(np.clip(2.0 - first / spread, -0.5, 0.5))  # heavier or shorter tails are an accident of few peaks
    size = first * (1.0 - shape)
    times = len(excess) / (rate * len(ranked))
    return start + (size * np.log(times) if abs(shape) < 1e-6 else size / shape * (times**shape - 1.0))


def count_alarms(exceeded: np.ndarray) -> int:
    """Runs of neighbouring rows above the threshold.

    >>> import numpy as np
    >>> from tsprune.detect.threshold import count_alarms
    >>> count_alarms(np.array([True, True, False, True]))
    2
    """
    return len(runs(exceeded))


def _above_share(scores: Floats, rate: float) -> float:
    """The score that at most `rate` of the scored rows are above."""
    ranked = np.sort(scores[~np.isnan(scores)])
    return float(ranked[len(ranked) - 1 - int(rate * len(ranked) + 1e-9)]) if rate < 1.0 else float(np.nextafter(ranked[0], -np.inf))


def _within_budget(scores: Floats, budget: float) -> float:
    """The lowest training score such that every threshold from there up raises at most `budget` alarms on a fifth of the rows.

    Rows are switched on from the highest score down.  A row begins an alarm, joins one, or makes one of two.
    """
    order = np.argsort(-scores, kind="stable")[: int((~np.isnan(scores)).sum())]
    rank = np.full(len(scores) + 2, len(scores))
    rank[order + 1] = np.arange(len(order))
    neighbours_on = (rank[order] < np.arange(len(order))).astype(np.int64) + (rank[order + 2] < np.arange(len(order)))
    alarms = np.cumsum(1 - neighbours_on)
    ranked = scores[order]
    whole = np.append(ranked[1:] < ranked[:-1], True)  # the last of each group of ties
    over = np.flatnonzero(whole & ((alarms > budget) | (np.arange(1, len(ranked) + 1) > LARGEST_RATE * len(ranked))))
    return float(ranked[over[0]])  # with all rows on, the share is exceeded: there is always one
