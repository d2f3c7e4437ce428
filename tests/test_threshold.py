"""The threshold spends its budget of alarms, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsprune.detect import Threshold
from tsprune.detect.threshold import LARGEST_RATE, _within_budget, count_alarms
from tsprune.errors import BadParameter, BadSeries
from tsprune.model.clock import Clock

MINUTES = Clock("time", 300 * 10**9, 0, np.empty(0, np.int64), np.zeros(1, np.int64))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(0, 8))
def test_the_budget_holds_at_the_threshold_and_breaks_below_it(values, budget):
    scores = np.array(values, dtype=float)
    level = _within_budget(scores, budget)

    for higher in np.unique(scores[scores >= level]):
        assert count_alarms(scores > higher) <= budget
        assert (scores > higher).mean() <= LARGEST_RATE
    lower = scores[scores < level]
    if len(lower):
        assert count_alarms(scores > lower.max()) > budget or (scores > lower.max()).mean() > LARGEST_RATE


def test_a_rate_is_a_share_of_the_scored_rows():
    scores = np.append(np.random.default_rng(0).normal(size=1000), np.full(50, np.nan))

    level = Threshold(rate=0.02).fit(scores).part_

    assert level.exceeded(scores).sum() == 20


def test_one_long_fault_is_one_alarm():
    scores = np.zeros(2016)
    scores[500:800] = 5.0

    fitted = Threshold(alarms_per_week=1).fit(scores, clock=MINUTES)

    assert (fitted.alarms_, fitted.part_.exceeded(scores).sum()) == (1, 300)


def test_a_row_without_a_score_is_no_alarm():
    assert Threshold(rate=0.5).fit(np.array([1.0, 2.0, np.nan])).part_.exceeded(np.array([np.nan, 9.0])).tolist() == [False, True]


def test_what_cannot_be_is_refused():
    with pytest.raises(BadParameter, match="one of the two"):
        Threshold(alarms_per_week=1, rate=0.1).fit(np.zeros(5))
    with pytest.raises(BadParameter, match="integer index"):
        Threshold(alarms_per_week=1).fit(np.zeros(5), clock=Clock.index())
    with pytest.raises(BadSeries, match="no training row"):
        Threshold().fit(np.full(5, np.nan))
