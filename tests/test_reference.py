"""The reference set of LOF: cleaned, condensed, and as a cascade."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tsprune.errors import BadModelFile, BadParameter
from tsprune.kernels.agreement import spearman, top_overlap
from tsprune.model.cascade import Cascade
from tsprune.model.density import Density
from tsprune.prune.reference import Condensation, cascade, clean, condense

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(1500, 4)) @ RNG.normal(size=(4, 4)) * np.array([1.0, 2.0, 0.5, 1.0])
WHOLE = Density.of(NORMAL[:1200], n_neighbors=20)
HELD = np.vstack([NORMAL[1200:], NORMAL[:40] * 3])


# -- cleaning ----------------------------------------------------------------------------------------------------------------


def contaminated(rng, n_clusters=3, each=25):
    """Normal rows with small dense clusters of anomalies, and new rows of both kinds with labels."""
    normal = rng.normal(size=(1600, 4))
    centres = rng.normal(size=(n_clusters, 4))
    centres *= 7.0 / np.linalg.norm(centres, axis=1, keepdims=True)
    odd = np.repeat(centres, 2 * each, axis=0) + rng.normal(size=(2 * n_clusters * each, 4)) * 0.3
    seen, new = np.vstack([normal[:1200], odd[::2]]), np.vstack([normal[1200:], odd[1::2]])
    return seen, new, np.r_[np.zeros(400), np.ones(n_clusters * each)]


@pytest.mark.parametrize("seed", range(3))
def test_cleaning_finds_clusters_that_blind_lof(seed):
    seen, new, labels = contaminated(np.random.default_rng(seed))

    def quality(points):
        return average_precision_score(labels, Density.of(points, 20).anomaly_score(new))

    stays = clean(seen)

    assert not stays[1200:].any()
    assert stays[:1200].mean() > 0.95
    assert quality(seen[stays]) > quality(seen) + 0.1


def test_a_clean_set_loses_next_to_nothing():
    assert clean(NORMAL).mean() > 0.97


def test_a_share_removes_that_share_the_farthest_first():
    distance = np.linalg.norm(NORMAL - NORMAL.mean(axis=0), axis=1)

    stays = clean(NORMAL, rule=0.1)

    assert (~stays).sum() == 150
    assert distance[~stays].mean() > 2 * distance[stays].mean()


def test_the_cap_limits_what_the_rule_removes():
    rng = np.random.default_rng(1)
    points = np.vstack([rng.normal(size=(700, 2)), rng.normal(size=(300, 2)) * 100])

    assert clean(points, cap=0.5).mean() < clean(points, cap=0.01).mean() == 0.99


def test_where_most_points_are_one_nothing_is_far():
    points = np.vstack([np.zeros((300, 2)), np.random.default_rng(2).normal(size=(20, 2))])

    assert clean(points).all()
    assert clean(np.zeros((50, 2))).all()


def test_small_sets_use_a_nearer_neighbour():
    points = np.vstack([np.random.default_rng(3).normal(size=(40, 2)), [[50.0, 50.0]]])

    assert np.flatnonzero(~clean(points)).tolist() == [40]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rule": "iqr"}, "rule is 'iqr'; it is one of 'mad'"),
        ({"rule": 1.5}, r"rule is 1.5; it is a share in \(0, 1\]. To remove a tenth, give 0.1, or 'mad'"),
        ({"cap": 0.0}, r"cap is 0.0; it is a share"),
        ({"k": 0}, "k is 0"),
    ],
)
def test_other_rules_are_refused(given, told):
    with pytest.raises(BadParameter, match=told):
        clean(NORMAL, **given)


def test_at_least_one_point_stays():
    assert clean(NORMAL, rule=1.0).sum() == 1


# -- condensing --------------------------------------------------------------------------------------------------------------


PATH = Condensation(WHOLE, random_state=0)


def test_a_fifth_of_the_points_keeps_most_of_the_top_rows():
    few = PATH.at(240)

    assert few.n_parts == 240
    assert top_overlap(WHOLE.anomaly_score(HELD), few.anomaly_score(HELD), share=0.1) > 0.8
    assert spearman(WHOLE.anomaly_score(HELD), few.anomaly_score(HELD)) > 0.85


@pytest.mark.parametrize("n_points", [60, 240])
def test_the_cover_beats_a_lof_of_as_many_random_points(n_points):
    few = PATH.at(n_points)
    rng = np.random.default_rng(1)
    small = [Density.of(WHOLE.points[rng.permutation(1200)[:n_points]], 20).anomaly_score(HELD) for _ in range(5)]

    whole = WHOLE.anomaly_score(HELD)

    assert spearman(whole, few.anomaly_score(HELD)) > max(spearman(whole, scores) for scores in small)


def test_corrections_bring_the_score_nearer():
    few = PATH.at(120)
    plain = few.corrected(np.ones(few.n_parts))

    def error(part):
        return np.abs(np.log(part.anomaly_score(NORMAL[1200:]) / WHOLE.anomaly_score(NORMAL[1200:]))).mean()

    assert error(few) < error(plain)


def test_kept_points_are_spread_like_the_density():
    mask = PATH.cover(120)
    kept, dropped = WHOLE.points[mask], WHOLE.points[~mask]

    to_kept = np.sqrt(((dropped[:, None] - kept) ** 2).sum(axis=2)).min(axis=1)

    assert mask.sum() == 120
    assert np.quantile(to_kept / WHOLE.k_distance[~mask], 0.99) < 4


def test_all_points_change_nothing():
    assert PATH.at(1200) is WHOLE


def test_one_point_is_enough_to_score():
    assert np.isfinite(PATH.at(1).anomaly_score(HELD)).all()


def test_the_same_seed_gives_the_same_points():
    np.testing.assert_array_equal(condense(WHOLE, 50, random_state=3).points, condense(WHOLE, 50, random_state=3).points)


def test_duplicates_are_condensed_too():
    points = np.repeat(np.random.default_rng(4).normal(size=(40, 2)), 30, axis=0)

    few = condense(Density.of(points, 20), 40, random_state=0)

    assert few.n_parts == 40
    assert np.isfinite(few.anomaly_score(points + 0.01)).all()


def test_queries_of_another_width_are_refused():
    with pytest.raises(BadParameter, match=r"queries has shape \(3, 2\); it is \(n, 4\)"):
        Condensation(WHOLE, queries=np.zeros((3, 2)))


# -- the cascade -------------------------------------------------------------------------------------------------------------


CASCADE = cascade(WHOLE, random_state=0)


def test_the_cascade_keeps_every_alarm_with_a_fraction_of_the_distances():
    whole, quick = WHOLE.anomaly_score(HELD[:300]), CASCADE.anomaly_score(HELD[:300])
    alarms = whole > np.quantile(WHOLE.anomaly_score(NORMAL[:1200]), 0.99)

    assert alarms.sum() >= 3
    np.testing.assert_array_equal(quick[alarms], whole[alarms])
    assert CASCADE.work(NORMAL[:1200]) <= 0.2


@pytest.mark.parametrize("drift", [0.0, 1.5])
@pytest.mark.parametrize("share", [0.002, 0.01, 0.05])
def test_the_top_of_a_batch_is_found_with_a_fraction_of_the_distances_also_where_it_drifted(drift, share):
    rows = np.random.default_rng(3).normal(size=(2000, WHOLE.n_features)) + drift
    exact = WHOLE.anomaly_score(rows)
    top = CASCADE.top(rows, share)
    assert len(top.rows) == round(share * 2000)
    assert np.isin(np.argsort(-exact)[: len(top.rows)], top.rows).mean() >= 0.95
    np.testing.assert_array_equal(top.scores, exact[top.rows])
    assert (np.diff(top.scores) <= 0).all()
    assert top.work <= 0.05 + 16 * share
    assert CASCADE.work(rows) > (0.9 if drift else 0.1)  # the fixed level computes nearly all of a batch that drifted


def test_the_top_of_all_rows_is_their_order_and_ties_go_by_position():
    rows = np.random.default_rng(4).normal(size=(60, WHOLE.n_features))[[*range(60), *range(60)]]
    top = CASCADE.top(rows, share=1.0)
    np.testing.assert_array_equal(top.rows, np.argsort(-WHOLE.anomaly_score(rows), kind="stable"))


def test_the_top_of_one_row_and_of_none():
    assert CASCADE.top(np.zeros((1, WHOLE.n_features))).rows.tolist() == [0]
    assert len(CASCADE.top(np.empty((0, WHOLE.n_features))).rows) == 0
    with pytest.raises(BadParameter, match=r"share is 0.*give 0\.01"):
        CASCADE.top(np.zeros((1, WHOLE.n_features)), share=0)
    with pytest.raises(BadParameter, match="miss a value"):
        CASCADE.top(np.full((1, WHOLE.n_features), np.nan))


def test_rows_below_suspicion_stay_below_the_ceiling():
    quiet = CASCADE.filter.anomaly_score(HELD) <= CASCADE.level

    assert CASCADE.anomaly_score(HELD)[quiet].max() <= CASCADE.ceiling


def test_a_row_gets_the_same_bits_alone_and_in_any_batch():
    one_by_one = np.concatenate([CASCADE.anomaly_score(HELD[i : i + 1]) for i in range(len(HELD))])

    np.testing.assert_array_equal(one_by_one, CASCADE.anomaly_score(HELD))


def test_the_cascade_takes_the_filter_that_keeps_more_and_of_equals_the_smaller(monkeypatch):
    monkeypatch.setattr("tsprune.prune.reference.FILTERS", ((0.001, 1), (0.05, 8)))
    assert len(cascade(WHOLE, random_state=0).chosen) == round(0.05 * WHOLE.n_parts)

    monkeypatch.setattr("tsprune.prune.reference.FILTERS", ((0.3, 8), (0.5, 8)))
    assert len(cascade(WHOLE, random_state=0).chosen) == round(0.3 * WHOLE.n_parts)


def test_a_saved_cascade_scores_the_same():
    spec = CASCADE.to_spec()
    whole = Density.from_spec(spec.parts[0].facts, spec.parts[0].arrays)

    loaded = Cascade.from_spec(spec.facts, spec.arrays, (whole,))

    np.testing.assert_array_equal(loaded.anomaly_score(HELD), CASCADE.anomaly_score(HELD))


@pytest.mark.parametrize(
    ("field", "value"),
    [("chosen", np.array([0, 1200])), ("chosen", np.array([3, 3])), ("chosen", np.array([], dtype=np.int64)), ("filter_neighbors", 61)],
)
def test_a_file_whose_filter_makes_no_sense_is_refused(field, value):
    spec = CASCADE.to_spec()
    where = spec.facts if field in spec.facts else spec.arrays
    where[field] = value

    with pytest.raises(ValueError, match="a filter of"):
        Cascade.from_spec(spec.facts, spec.arrays, (WHOLE,))


def test_a_cascade_without_its_detector_is_refused():
    spec = CASCADE.to_spec()

    with pytest.raises(BadModelFile, match="and one Density"):
        Cascade.from_spec(spec.facts, spec.arrays, ())
