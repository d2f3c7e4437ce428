"""A threshold that follows the scores, and one from a fitted tail."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsprune.blend import Blend
from tsprune.detect import Threshold
from tsprune.detect.as_pyod import as_pyod
from tsprune.detect.threshold import beyond_peaks
from tsprune.errors import BadModelFile, BadParameter, BadSeries
from tsprune.features import Windows
from tsprune.model.chain import load
from tsprune.model.clock import Clock, Slots
from tsprune.model.level import Level
from tsprune.model.rolling import BLOCK, RollingLevel
from tsprune.pipeline import Pipeline

RNG = np.random.default_rng(0)


@given(
    n=st.integers(1, 3 * BLOCK),
    rows=st.integers(2, 2 * BLOCK),
    rate=st.floats(0.001, 0.5),
    missing=st.sampled_from([0.0, 0.1, 0.7]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_the_limit_is_the_order_statistic_of_the_scores_before(n, rows, rate, missing, seed):
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random(n) < missing, np.nan, rng.normal(size=n).round(1))

    limits = RollingLevel(0.5, rate, rows).limits(scores)

    before = np.concatenate([np.full(rows, -np.inf), np.where(np.isnan(scores), -np.inf, scores)])
    for row, limit in enumerate(limits):
        window = before[row : row + rows]
        known = (window > -np.inf).sum()
        assert limit == (np.sort(window)[-int(rate * rows) - 1] if 2 * known >= rows else 0.5)


@given(cuts=st.lists(st.integers(1, 399), max_size=5))
@settings(max_examples=20, deadline=None)
def test_any_chunks_that_begin_early_enough_give_the_same_alarms(cuts):
    scores = np.random.default_rng(1).normal(size=400)
    scores[50:60] = np.nan
    level = RollingLevel(1.0, 0.02, 100)
    whole = level.exceeded(scores)

    edges = sorted({0, *cuts, 400})
    for a, b in pairwise(edges):
        start = max(0, a - level.lookback)
        np.testing.assert_array_equal(level.exceeded(scores[start:b])[a - start :], whole[a:b])


def test_a_drift_is_not_one_long_alarm_and_an_event_in_it_is_one():
    scores = np.concatenate([RNG.normal(size=2000), RNG.normal(size=6000) + 6])
    scores[7000:7005] += 12
    fixed = Threshold(rate=0.005).fit(scores[:2000]).part_
    rolling = Threshold(rate=0.005, recalibrate=1000).fit(scores[:2000]).part_

    later = slice(3500, 8000)

    assert fixed.exceeded(scores)[later].mean() > 0.9
    assert rolling.exceeded(scores)[later].mean() < 0.01
    assert rolling.exceeded(scores)[7000:7005].all()


def test_a_pipeline_that_recalibrates_detects_alike_saved_and_in_chunks(tmp_path):
    values = RNG.normal(size=1500)
    values[800:] += np.linspace(0, 4, 700)
    series = pd.Series(values)
    pipeline = Pipeline(["subspace", Threshold(rate=0.02, recalibrate=200)]).fit(series[:600])
    pipeline.freeze().save(tmp_path / "model.tsp")

    whole = pipeline.detect(series[600:], context=series[:600])

    assert load(tmp_path / "model.tsp").detect(values)[600:].tolist() == whole.tolist()
    pieces = [pipeline.detect(series[a : a + 90], context=series[a - 200 : a]) for a in range(600, 1500, 90)]
    pd.testing.assert_series_equal(pd.concat(pieces), whole)


@given(cuts=st.lists(st.integers(1, 299), max_size=5), seed=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_rows_that_are_not_there_count_like_rows_without_a_score(cuts, seed):
    rng = np.random.default_rng(seed)
    there = rng.random(400) < 0.8
    there[250:330] = False
    scores, at = rng.normal(size=400), np.flatnonzero(there)
    slots = Slots(at + 1000, at + 1000)
    level = RollingLevel(1.0, 0.1, 40, min_length=2)
    whole = level.exceeded(scores[there], slots)

    assert whole.tolist() == level.exceeded(np.where(there, scores, np.nan))[there].tolist()
    assert whole.any()
    assert whole.tolist() != level.exceeded(scores[there]).tolist()
    for a, b in pairwise(sorted({0, *(min(cut, len(at)) for cut in cuts), len(at)})):
        start = int(np.searchsorted(at, at[a] - level.lookback)) if a < len(at) else a
        np.testing.assert_array_equal(level.exceeded(scores[there][start:b], slots.taken(slice(start, b)))[a - start :], whole[a:b])


@given(
    length=st.integers(1, 5),
    recalibrate=st.sampled_from([None, 40]),
    cuts=st.lists(st.integers(1, 299), max_size=5),
    seed=st.integers(0, 9),
)
@settings(max_examples=30, deadline=None)
def test_an_alarm_lasts_its_minimum_length_and_any_chunks_give_the_same_ones(length, recalibrate, cuts, seed):
    scores = np.random.default_rng(seed).normal(size=300)
    scores[100:103] = np.nan
    level = Threshold(rate=0.1, recalibrate=recalibrate, min_length=length).fit(scores).part_
    whole = level.exceeded(scores)

    if recalibrate is None:
        every = scores > level.threshold
        assert whole.tolist() == [bool(every[max(0, row - length + 1) : row + 1].all() and row + 1 >= length) for row in range(300)]
    assert 0.0 < whole.mean() <= 0.2
    edges = sorted({0, *cuts, 300})
    for a, b in pairwise(edges):
        start = max(0, a - level.lookback)
        np.testing.assert_array_equal(level.exceeded(scores[start:b])[a - start :], whole[a:b])


def test_a_budget_of_alarms_is_spent_on_those_that_last():
    minutes = Clock("time", 60 * 10**9, 0, np.empty(0, np.int64), np.zeros(1, np.int64))
    scores = RNG.normal(size=7 * 1440)
    scores[::500] += 50.0  # single rows
    scores[3000:3004] += 20.0

    fitted = Threshold(alarms_per_week=1, min_length=3).fit(scores, clock=minutes)

    assert fitted.alarms_ == 1
    assert np.flatnonzero(fitted.part_.exceeded(scores)).tolist() == [3002, 3003]


def test_a_pipeline_with_a_minimum_length_detects_alike_saved_and_in_chunks(tmp_path):
    values = RNG.normal(size=900)
    values[700:705] += 15.0
    values[800] += 15.0
    series = pd.Series(values)
    pipeline = Pipeline(["subspace", Threshold(rate=0.01, min_length=3)]).fit(series[:600])
    pipeline.freeze().save(tmp_path / "model.tsp")

    whole = pipeline.detect(series[600:], context=series[:600])

    assert whole.loc[702:704].all()
    assert not whole.loc[[700, 701, 800]].any()
    assert load(tmp_path / "model.tsp").detect(values)[600:].tolist() == whole.tolist()
    assert "for 3 rows in a row" in load(tmp_path / "model.tsp").describe()
    pieces = [pipeline.detect(series[a : a + 1], context=series[a - 5 : a]) for a in range(690, 710)]
    pd.testing.assert_series_equal(pd.concat(pieces), whole[90:110])


def test_a_fitted_tail_reaches_rates_rarer_than_the_history_is_long():
    found = [beyond_peaks(np.random.default_rng(seed).exponential(size=4000), 1e-5) for seed in range(30)]

    assert np.median(found) == pytest.approx(np.log(1e5), rel=0.15)
    assert beyond_peaks(np.arange(100.0), 0.5) == pytest.approx(49.5)


def test_a_fitted_tail_of_scores_that_are_all_alike_is_their_value():
    assert beyond_peaks(np.full(50, 3.0), 1e-4) == 3.0


def test_nonsense_is_refused():
    for wrong, told in (
        (Threshold(method="gumbel"), "'evt'"),
        (Threshold(alarms_per_week=1, method="evt"), "give rate"),
        (Threshold(recalibrate=1), "recalibrate"),
        (Threshold(min_length=0), "min_length"),
    ):
        with pytest.raises(BadParameter, match=told):
            wrong.fit(np.arange(100.0))
    for broken in (RollingLevel(1.0, 0.0, 10), RollingLevel(1.0, 0.1, 0)):
        with pytest.raises(ValueError, match="share"):
            broken.check()
    with pytest.raises(ValueError, match="0 rows"):
        Level(1.0, min_length=0).check()
    with pytest.raises(BadSeries, match="3 training rows in a row"):
        Threshold(min_length=3).fit(np.array([1.0, 2.0, np.nan, 4.0]))


# -- thresholds that look back, where they are used ---------------------------------------------------------------------


SHIFTED = pd.Series(np.r_[RNG.normal(size=600), RNG.normal(size=500) + 4.0])


def test_a_report_alarms_as_detect_does_behind_the_history():
    pipeline = Pipeline(["subspace", Threshold(rate=0.02, recalibrate=200)]).fit(SHIFTED[:600])

    report = pipeline.report(SHIFTED[600:], np.r_[np.ones(20), np.zeros(480)], metrics=("auc_pr",), n_boot=10)

    assert report.alarms().tolist() == pipeline.detect(SHIFTED[600:], context=SHIFTED[:600]).tolist()


def test_events_that_last_are_learned_on_slots_as_they_are_found():
    every_third_missing = SHIFTED[SHIFTED.index % 3 != 0][:300]

    with pytest.raises(BadSeries, match="min_length is 3, and no 3 training rows in a row"):
        Pipeline(["subspace", Threshold(rate=0.02, min_length=3)]).fit(every_third_missing)
    pair = Pipeline(["subspace", Threshold(rate=0.1, min_length=2)]).fit(every_third_missing)
    assert pair.named_stages_["threshold"].alarms_ == int(pair.detect(every_third_missing).sum()) > 0


def test_rows_far_apart_cost_no_memory():
    far = Slots(np.arange(1000) * 2**25, np.arange(1000) * 2**25)
    scores = RNG.normal(size=1000)

    assert RollingLevel(1.0, 0.01, 2**24).exceeded(scores, far).tolist() == (scores > 1.0).tolist()


def test_a_finished_record_is_detected_by_the_scores_that_it_is_given():
    blend = Blend([Pipeline([Windows(16, features="raw"), "nearest"])], placement="cover").fit(SHIFTED[:600])
    rest = SHIFTED[600:]

    detected = blend.detect(rest, context=SHIFTED[:600])

    assert detected.tolist() == (blend.anomaly_score(rest, context=SHIFTED[:600]) > blend.threshold_).tolist()
    assert detected.any()


def test_a_blend_of_one_member_is_reported():
    blend = Blend([Pipeline(["subspace"])]).fit(SHIFTED[:600])

    report = blend.report(SHIFTED[600:], np.r_[np.ones(20), np.zeros(480)], metrics=("auc_pr",), n_boot=10)

    assert {effect.stage for effect in report.stages} == {"member-1", "threshold"}


def test_one_number_cannot_stand_for_a_threshold_that_looks_back():
    pipeline = Pipeline(["subspace", Threshold(rate=0.02, min_length=2)]).fit(SHIFTED[:600])

    with pytest.raises(BadParameter, match="contamination"):
        as_pyod(pipeline)
    assert as_pyod(pipeline, contamination=0.02).predict(SHIFTED).sum() > 0


def test_a_level_from_before_a_field_was_there_is_read():
    assert Level.from_spec({"threshold": 2.0}, {}) == Level(2.0)
    with pytest.raises(BadModelFile):
        Level.from_spec({"threshold": 2.0, "more": 1}, {})
