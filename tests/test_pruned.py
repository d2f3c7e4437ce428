"""Cuts and their guard: fewer parts, nearly the same scores, and a refusal where they would not be."""

from __future__ import annotations

import numpy as np
import pytest
from pyod.models.iforest import IForest
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

import tsprune as tsp
from tsprune.errors import BadParameter, BadSeries, NotPrunable, OverPruned
from tsprune.kernels.agreement import spearman
from tsprune.model.cascade import Cascade
from tsprune.prune.criteria import Nodes, Suspicion


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, 4)) @ rng.normal(size=(4, 4))
    rows[::50] *= 3
    return rows


DETECTORS = [IsolationForest(random_state=0), OneClassSVM(nu=0.2), LocalOutlierFactor(novelty=True)]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
def test_keep_one_changes_nothing(detector, X):
    whole = tsp.Pipeline([detector]).fit(X).anomaly_score(X)
    pruned = tsp.Pruned(detector, keep=1.0, clean=None, random_state=0).fit(X)

    np.testing.assert_array_equal(pruned.anomaly_score(X), whole)
    assert pruned.n_parts_after_ == pruned.n_parts_before_


@pytest.mark.parametrize("detector", DETECTORS[:2], ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("keep", [0.5, 0.1])
def test_the_share_kept_is_the_share_asked_for(detector, keep, X):
    pruned = tsp.Pruned(detector, keep=keep, guard=None, random_state=0).fit(X)

    wanted = max(1, round(keep * pruned.n_parts_before_))
    assert wanted - 2 <= pruned.n_parts_after_ <= wanted
    assert pruned.bytes_after_ < pruned.bytes_before_


@pytest.mark.parametrize("detector", DETECTORS[:2], ids=lambda d: type(d).__name__)
def test_auto_goes_as_far_as_the_guard_lets_it(detector, X):
    pruned = tsp.Pruned(detector, guard=tsp.Guard(fidelity=0.97), random_state=0).fit(X)

    assert pruned.n_parts_after_ < 0.6 * pruned.n_parts_before_
    assert pruned.fidelity_ >= pruned.fidelity_low_ >= 0.97
    new = np.random.default_rng(1).normal(size=(500, 4))
    whole = tsp.Pipeline([detector]).fit(X).anomaly_score(new)
    assert spearman(whole, pruned.anomaly_score(new)) > 0.95


def test_a_cut_below_the_guard_is_refused_and_the_reason_is_told(X):
    pruned = tsp.Pruned(IsolationForest(random_state=0), keep=0.01, random_state=0).fit(X)

    assert pruned.n_parts_after_ == pruned.n_parts_before_
    assert "below the guard's 0.99" in pruned.refused_


def test_a_guard_may_raise_instead(X):
    with pytest.raises(OverPruned, match="Keep more parts"):
        tsp.Pruned("iforest", keep=0.01, guard=tsp.Guard(on_fail="raise"), random_state=0).fit(X)


def test_more_kept_is_not_less_faithful(X):
    fidelity = [tsp.Pruned(IsolationForest(random_state=0), keep=k, guard=None, random_state=0).fit(X).fidelity_ for k in (0.05, 0.2, 0.6)]

    assert fidelity[0] < fidelity[1] + 0.005 < fidelity[2] + 0.01


def test_scores_keep_scale_and_threshold(X):
    whole = tsp.Pipeline([IsolationForest(random_state=0)]).fit(X)
    pruned = tsp.Pipeline([tsp.Pruned(IsolationForest(random_state=0), keep=0.2, guard=None, random_state=0)]).fit(X)

    assert abs(whole.threshold_ - pruned.threshold_) < 0.02
    np.testing.assert_allclose(pruned.anomaly_score(X), whole.anomaly_score(X), atol=0.06)


def test_a_fitted_detector_is_pruned_and_stays_as_it_is(X):
    forest = IForest(random_state=0).fit(X)
    before = forest.decision_function(X)
    pruned = tsp.prune(forest, X, keep=0.25, guard=None)

    assert pruned.fidelity_ > 0.97
    np.testing.assert_array_equal(forest.decision_function(X), before)
    assert pruned.detector_ is forest


def test_a_frozen_estimator_is_not_refitted(X):
    forest = IsolationForest(random_state=7).fit(X[:300])
    pruned = tsp.Pruned(FrozenEstimator(forest), keep=1.0).fit(X)

    np.testing.assert_allclose(pruned.anomaly_score(X), -forest.score_samples(X), atol=1e-12)


def test_the_module_is_also_the_function():
    import tsprune.prune

    assert tsp.prune is tsprune.prune
    assert callable(tsp.prune)


def test_the_ceiling_is_what_two_halves_agree_on(X):
    pruned = tsp.Pruned(IsolationForest(random_state=0), keep=0.5, guard=None, random_state=0).fit(X)

    assert 0.7 < pruned.ceiling_ < 1.0


def test_what_cannot_be_pruned_is_refused(X):
    from pyod.models.ecod import ECOD

    with pytest.raises(NotPrunable, match="ECOD has no parts that a share could keep"):
        tsp.Pruned(ECOD(), keep=0.5).fit(X)
    with pytest.raises(NotPrunable, match="rbf"):
        tsp.Pruned(OneClassSVM(kernel="linear")).fit(X)
    with pytest.raises(BadParameter, match="keep is 0"):
        tsp.Pruned("iforest", keep=0).fit(X)
    with pytest.raises(BadParameter, match=r"guard is 0\.9"):
        tsp.Pruned("iforest", guard=0.9).fit(X)
    with pytest.raises(BadSeries, match="without a missing value"):
        tsp.Pruned("iforest").fit(np.full((5, 2), np.nan))


def test_rows_that_miss_a_value_are_left_out_and_unscored(X):
    holed = X.copy()
    holed[5, 2] = np.nan
    pruned = tsp.Pruned("iforest", keep=0.5, guard=None, random_state=0).fit(holed)

    assert np.isnan(pruned.anomaly_score(holed)).nonzero()[0].tolist() == [5]


def test_clones_are_alike_and_signs_are_scikit_learn_s(X):
    pruned = tsp.Pruned("iforest", keep=0.5, guard=None, random_state=0).fit(X)

    np.testing.assert_array_equal(clone(pruned).fit(X).anomaly_score(X), pruned.anomaly_score(X))
    assert ((pruned.predict(X) == -1) == (pruned.anomaly_score(X) > pruned.threshold_)).all()
    np.testing.assert_array_equal(pruned.decision_function(X), pruned.score_samples(X) - pruned.offset_)


@parametrize_with_checks([tsp.Pruned(IsolationForest(n_estimators=10, random_state=0), keep=0.5, guard=None, random_state=0)])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


# -- more ways --------------------------------------------------------------------------------------------------------------


def test_a_grown_teacher_is_larger_than_the_detector_and_is_cut_all_the_same(X):
    small = IsolationForest(n_estimators=10, random_state=0)
    pruned = tsp.Pruned(small, keep=0.1, guard=None, random_state=0, grow=40).fit(X)

    assert pruned.n_parts_before_ > 3 * tsp.Pruned(small, keep=1.0, random_state=0).fit(X).n_parts_before_
    assert pruned.n_parts_after_ <= round(0.1 * pruned.n_parts_before_)
    with pytest.raises(NotPrunable, match="isolation forest"):
        tsp.Pruned("ocsvm", grow=40).fit(X)


def test_trees_are_grown_until_their_ranking_has_converged():
    rng = np.random.default_rng(0)
    easy = np.vstack([rng.normal(size=(380, 2)), rng.normal(size=(20, 2)) * 8])[rng.permutation(400)]
    hard = rng.uniform(size=(400, 6))  # no row is more anomalous than another one but by its place between the edges

    short, long = (tsp.Pruned("iforest", keep=1.0, grow="converged", random_state=0).fit(rows) for rows in (easy, hard))

    assert short.facts()["trees_grown"] < long.facts()["trees_grown"]
    assert short.facts()["converged"] == 1.0
    assert f"grown to {short.growth_.n_trees} trees" in short.story_
    for growth in (short.growth_, long.growth_):
        numbers, agreement = zip(*growth.agreements, strict=True)
        assert numbers == tuple(50 * 2**k for k in range(len(numbers)))
        assert numbers[-1] == growth.n_trees
        gains = np.diff(agreement)
        assert not growth.converged or gains[-1] < 0.02
        assert all(gain >= 0.02 or r < 0.97 for gain, r in zip(gains[:-1], agreement[1:-1], strict=True))


def test_a_converged_forest_is_the_one_of_as_many_trees_for_every_number_of_jobs(X):
    rows = X[:300, :2]
    grown = tsp.Pruned("iforest", keep=1.0, grow="converged", random_state=3).fit(rows)
    n_trees = int(grown.facts()["trees_grown"])

    for alike in ({"grow": "converged"}, {"grow": "converged", "n_jobs": 2}, {"grow": n_trees}):
        other = tsp.Pruned("iforest", keep=1.0, random_state=3, **alike).fit(rows)
        assert other.facts()["trees_grown"] == n_trees
        np.testing.assert_array_equal(other.part_.threshold, grown.part_.threshold)
        np.testing.assert_array_equal(other.anomaly_score(X[:, :2]), grown.anomaly_score(X[:, :2]))


def test_a_forest_that_never_settles_is_given_up_at_the_most_trees(X, monkeypatch):
    monkeypatch.setattr("tsprune.prune.grow.MOST", 200)
    noise = np.random.default_rng(0).uniform(size=(400, 20))

    pruned = tsp.Pruned(IForest(random_state=0), keep=1.0, grow="converged", random_state=0).fit(noise)

    assert pruned.facts()["trees_grown"] == 200
    assert pruned.facts()["converged"] == 0.0
    assert "more would help" in pruned.story_


def test_another_word_for_how_far_to_grow_is_refused(X):
    with pytest.raises(BadParameter, match="grow is 'enough'; it is a number of trees, 'converged' or None"):
        tsp.Pruned("iforest", grow="enough").fit(X)


def test_the_harder_a_large_forest_is_cut_the_fewer_trees_are_chosen(X):
    teacher = IsolationForest(n_estimators=600, max_samples=64, random_state=0).fit(X)

    gentle, hard = (tsp.prune(teacher, X, keep=keep, guard=None, random_state=0).part_ for keep in (0.3, 0.02))

    assert 60 < gentle.n_trees <= 120
    assert 0.5 < hard.n_parts / (14 * hard.n_trees) < 2.0


def test_a_sample_is_what_the_detector_learns_from(X):
    pruned = tsp.Pruned(LocalOutlierFactor(), clean=None, sample=300, random_state=0).fit(X)

    assert pruned.n_parts_after_ == 300
    with pytest.raises(BadParameter, match="sample is 1"):
        tsp.Pruned("lof", sample=1).fit(X)


def test_a_criterion_chooses_trees_or_makes_a_cascade_and_is_refused_elsewhere(X):
    forest = IsolationForest(n_estimators=30, random_state=0)
    assert tsp.Pruned(forest, keep=0.3, criterion=Nodes(trees=10), guard=None, random_state=0).fit(X).part_.n_trees <= 10
    quick = tsp.Pruned("lof", criterion=Suspicion(share=0.3), guard=tsp.Guard(fidelity=0.5), random_state=0).fit(X)
    assert isinstance(quick.part_, Cascade)
    with pytest.raises(BadParameter, match="for a Boundary it is None"):
        tsp.Pruned("ocsvm", criterion=Nodes()).fit(X)


def test_keeping_everything_of_a_detector_without_parts_is_no_pruning(X):
    from pyod.models.hbos import HBOS

    pruned = tsp.Pruned(HBOS(), keep=1.0).fit(X)

    np.testing.assert_array_equal(pruned.anomaly_score(X), pruned.detector_.decision_function(X))
