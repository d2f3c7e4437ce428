"""Blends: calibrated tails, shared parts, chunks, gaps, the model file, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_kinds import wave
from sklearn.ensemble import IsolationForest

from tsprune.blend import Blend
from tsprune.detect import NearestRows, SubspaceDistance, Threshold
from tsprune.errors import BadModelFile, BadParameter, BadSeries, NotPrunable
from tsprune.features import Difference, Windows
from tsprune.features.views import view
from tsprune.members import Learner, behind, calibrating
from tsprune.model import file
from tsprune.model.blend import CAP, TAIL_U, Tail
from tsprune.model.blend import Blend as BlendPart
from tsprune.model.chain import load
from tsprune.pipeline import Pipeline
from tsprune.prune import Pruned
from tsprune.series.table import read_table
from tsprune.signal import Denoise, Deseason

HOURS = pd.date_range("2026-02-01", periods=1200, freq="h")
SERIES = pd.Series(wave(HOURS), index=HOURS, name="load")
PAST, REST = SERIES[:900], SERIES[900:]


def members() -> list[tuple[str, Pipeline]]:
    return [
        ("point", Pipeline([Deseason(24), view("point"), NearestRows(n_references=200, random_state=0)])),
        ("season's shape", Pipeline([Deseason(24), view("shape"), SubspaceDistance()])),
        ("change", Pipeline([Difference(), view("point"), NearestRows(n_references=200, random_state=0)])),
        ("long", Pipeline([view("long window"), SubspaceDistance()])),
    ]


@pytest.fixture(scope="module")
def blend() -> Blend:
    return Blend(members()).fit(PAST)


# -- tails --------------------------------------------------------------------------------------------------------------


def test_u_is_the_negative_logarithm_of_the_share_of_clean_scores_above():
    clean = np.random.default_rng(0).gamma(2.0, size=20_000)
    tail = Tail.of(clean)

    for quantile in (0.2, 0.5, 0.8, 0.9):
        assert tail.u(np.quantile(clean, [quantile]))[0] == pytest.approx(-np.log(1 - quantile), abs=0.02)


def test_beyond_the_clean_scores_u_rises_by_one_per_mean_excess():
    tail = Tail.of(np.random.default_rng(0).exponential(3.0, size=50_000))

    low, high = tail.u(tail.knots[-1] + tail.excess * np.array([1.0, 2.0]))

    assert low == pytest.approx(TAIL_U + 1.0)
    assert high - low == pytest.approx(1.0)
    assert tail.excess == pytest.approx(3.0, rel=0.05)
    far, farther = tail.u(np.array([1e12, 1e13]))
    assert CAP < far < farther < 3 * CAP


@given(
    clean=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    scores=st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_a_higher_score_never_has_a_lower_u_whatever_the_clean_scores_are(clean, scores):
    tail = Tail.of(np.array(clean))
    tail.check()

    u = tail.u(np.sort(scores))

    assert (np.diff(u) >= 0).all()
    assert (u >= 0).all()
    assert np.isfinite(u).all()


def test_no_clean_score_is_refused():
    with pytest.raises(BadParameter, match="clean scores"):
        Tail.of(np.array([np.nan]))


# -- the part -----------------------------------------------------------------------------------------------------------


def test_a_blend_is_the_mean_of_its_members_tails(blend):
    table = read_table(REST)

    tails = blend.blend_.part_scores(table.values, table.slots)

    assert tails.shape == (len(REST), 4)
    np.testing.assert_allclose(blend.anomaly_score(REST)[130:], tails[130:].mean(axis=1), rtol=1e-12)


def test_weights_count_and_a_weight_of_zero_silences():
    only = Blend(members(), weights=np.array([0.0, 0.0, 2.0, 0.0])).fit(PAST).anomaly_score(REST)
    alone = Blend(members()[2:3]).fit(PAST).anomaly_score(REST)

    pd.testing.assert_series_equal(only, alone)


@pytest.mark.filterwarnings("ignore:.*deletes spikes")
def test_planted_anomalies_weigh_members_by_what_they_find_of_them():
    sees = Pipeline([Deseason(24), view("point"), NearestRows(1, random_state=0)])
    blurred = Pipeline([Denoise(method="mean", window=151, output="replace"), NearestRows(1, random_state=0)])

    fitted = Blend([("blurred", blurred), ("sees", sees)], weights="injection").fit(PAST)
    again = Blend([("blurred", blurred), ("sees", sees)], weights="injection").fit(PAST)

    blind, seeing = fitted.blend_.weights
    assert seeing > 1.5 * blind
    pd.testing.assert_series_equal(fitted.anomaly_score(REST), again.anomaly_score(REST))


def test_weights_of_another_name_are_refused():
    with pytest.raises(BadParameter, match="'injection'"):
        Blend(members(), weights="labels").fit(PAST)


@pytest.mark.parametrize("history", [PAST, PAST[:60]], ids=["held back", "all calibrate"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_stages_in_common_are_learned_once_in_whatever_order_the_members_stand(order, history):
    season, windows = Deseason(24), Windows(5, "shape")
    chains = [[season, "subspace"], [season, windows, "subspace"], [season, windows, NearestRows(1, random_state=0)], [windows, "subspace"]]

    blend = Blend([Pipeline(chains[k]) for k in order]).fit(history)

    assert sorted(type(part).__name__ for part in blend.blend_.parts) == ["SeasonProfile", "WindowMatrix", "WindowMatrix"]


def test_what_members_have_in_common_is_kept_once_and_what_they_have_not_is_not(blend):
    assert sum(type(part).__name__ == "SeasonProfile" for part in blend.blend_.parts) == 1
    assert len(blend.blend_.parts) == 6


def test_a_member_taken_away_takes_its_own_parts_along(blend):
    few = blend.blend_.keep(np.array([False, True, False, True]))
    table = read_table(REST)

    few.check()

    assert [type(part).__name__ for part in few.parts] == ["SeasonProfile", "WindowMatrix", "WindowMatrix"]
    whole = blend.blend_.part_scores(table.values, table.slots)
    np.testing.assert_array_equal(few.part_scores(table.values, table.slots), whole[:, [1, 3]])


@given(cuts=st.lists(st.integers(1, 299), max_size=5))
@settings(max_examples=8, deadline=None)
def test_any_chunks_with_their_lookback_score_as_one_batch_does(blend, cuts):
    whole = blend.anomaly_score(REST, context=PAST).to_numpy()

    edges = sorted({0, *cuts, len(REST)})
    pieces = []
    for a, b in pairwise(edges):
        start = 900 + a - blend.lookback_
        context = SERIES[max(0, start) : 900 + a]
        pieces.append(blend.anomaly_score(REST[a:b], context=context).to_numpy())

    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_the_future_changes_nothing(blend):
    later = REST.copy()
    later.iloc[200:] = 1e6

    np.testing.assert_array_equal(blend.anomaly_score(later)[:200], blend.anomaly_score(REST)[:200])


def test_behind_a_gap_short_windows_speak_before_long_ones_can(blend):
    holed = SERIES.drop(SERIES.index[1000:1060])

    scores = blend.anomaly_score(holed[900:], context=PAST)
    silent = scores[scores.index > SERIES.index[1059]].isna().to_numpy()

    assert silent[:20].all()
    assert not silent[32:].any()
    assert blend.min_lookback_ < blend.lookback_


def test_a_saved_blend_scores_to_the_bit(blend, tmp_path):
    blend.freeze().save(tmp_path / "blend.tsp")

    model = load(tmp_path / "blend.tsp")

    rows, time = REST.to_numpy(), REST.index.to_numpy()
    np.testing.assert_array_equal(model.anomaly_score(rows, time), blend.anomaly_score(REST).to_numpy())
    assert model.threshold == blend.threshold_
    assert model.lookback == blend.lookback_ >= 124
    assert "Blend" in model.describe()


def test_blends_that_make_no_sense_are_refused(blend):
    part = blend.blend_
    first = part.members[0]
    for broken in (
        replace(part, members=()),
        replace(part, members=(replace(first, route=(99,)),)),
        replace(part, members=(replace(first, route=()),)),
        replace(part, members=(replace(first, weight=-1.0),)),
        replace(part, members=(replace(first, weight=0.0),)),
    ):
        with pytest.raises(ValueError, match=r"members|member|columns"):
            broken.check()
    with pytest.raises(BadModelFile):
        file.from_bytes(file.to_bytes(replace(part, members=(replace(first, route=(99,)),))))
    facts, arrays, parts = part.to_spec().facts, part.to_spec().arrays, (*part.parts, first.detector, first.tail)
    with pytest.raises(BadModelFile, match="do not agree"):
        BlendPart.from_spec(facts, arrays, parts)


# -- the estimator ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["mixed", "point"])
def test_a_preset_needs_nothing_but_the_series_and_finds_a_fault(preset):
    broken = REST.copy()
    broken.iloc[150:160] += 9

    blend = Blend(preset, threshold=Threshold(rate=0.05)).fit(PAST)

    assert 150 <= int(np.nanargmax(blend.anomaly_score(broken, context=PAST))) < 165
    assert blend.detect(broken, context=PAST)[150:160].any()


def test_members_are_calibrated_on_rows_they_have_not_learned_from():
    blend = Blend(members()[2:3], threshold=Threshold(rate=0.1)).fit(PAST)
    early = Learner(read_table(PAST[:630]))

    parts, detector = early.chain(blend.members[0][1])
    scores = calibrating(detector, behind(parts, read_table(PAST), 0)[630:])

    np.testing.assert_allclose(blend.held_back_, Tail.of(scores).u(scores))
    assert (blend.held_back_ > blend.threshold_).mean() == pytest.approx(0.1, abs=0.01)


def test_placed_to_cover_a_row_gets_the_strangest_window_that_holds_it():
    table = read_table(SERIES)
    ends = Blend(members()).fit(PAST)
    covers = Blend(members(), placement="cover").fit(PAST)

    tails = ends.blend_.part_scores(table.values, table.slots)
    lengths = (1, 32, 1, 125)
    expected = np.column_stack(
        [pd.Series(tails[::-1, k]).rolling(length, min_periods=1).max().to_numpy()[::-1] for k, length in enumerate(lengths)]
    )

    np.testing.assert_allclose(covers.anomaly_score(SERIES)[130:], expected[130:].mean(axis=1), rtol=1e-12)
    assert not covers.causal_
    with pytest.raises(NotPrunable, match="looks ahead"):
        covers.freeze()


def test_a_member_may_be_pruned_and_of_any_detector():
    blend = Blend(
        [
            Pipeline([view("point"), Pruned(IsolationForest(n_estimators=20, random_state=0), keep=0.2, guard=None)]),
            Pipeline([view("point"), "subspace"]),
        ]
    )

    scores = blend.fit(PAST).anomaly_score(REST, context=PAST)

    assert scores.notna().all()
    assert list(blend.named_stages_) == ["member-1", "member-2", "threshold"]


def test_a_report_says_what_each_member_brings(blend):
    labels = np.zeros(len(REST), dtype=int)
    labels[100:110] = 1

    report = blend.report(REST, labels, metrics=("auc_pr",), n_boot=5)

    assert [effect.stage for effect in report.stages] == [name for name, _ in members()] + ["threshold"]


def test_a_member_too_long_for_the_history_is_left_out_and_named():
    blend = Blend("mixed").fit(PAST[:110])

    assert "long window" in blend.dropped_
    assert "long window" not in blend.named_stages_
    with pytest.raises(BadSeries, match="no member"):
        Blend("mixed").fit(PAST[:9])


def test_nonsense_is_refused_with_a_way_out():
    twice = [("a", members()[0][1]), ("a", members()[1][1])]
    for wrong, told in (
        (Blend("best"), "'mixed'"),
        (Blend([]), "list of pipelines"),
        (Blend([SubspaceDistance()]), "it is a Pipeline"),
        (Blend(twice), "its own"),
        (Blend(members(), weights=(1, 2)), "one weight for each"),
        (Blend(members(), weights=(0, 0, 0, 0)), "positive"),
        (Blend(members(), placement="start"), "'cover'"),
    ):
        with pytest.raises(BadParameter, match=told):
            wrong.fit(PAST)
    with pytest.raises(BadParameter, match="leave one"):
        Blend(members()[:1]).without("point")
