"""A one-class SVM rewritten with few centres follows the whole one, on its scale, and beats a small one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.svm import OneClassSVM

from tsprune.detect.boundary import to_boundary
from tsprune.errors import BadParameter
from tsprune.kernels.agreement import spearman
from tsprune.prune.reduce import Descent, Reduction, gaussians, merged, rank_weights, reduce, ridge_weights
from tsprune.prune.teacher import SettingsEffect, settings_effect

DIGITS = (load_digits().data[np.random.default_rng(0).permutation(1797)] - 4.9) / 6.0
SEEN, HELD = DIGITS[:1200], DIGITS[1200:]
SVM = OneClassSVM(nu=0.3).fit(SEEN)
WHOLE = to_boundary(SVM)
REDUCTION = Reduction(WHOLE, SEEN, random_state=0)


def follows(cut):
    return spearman(WHOLE.anomaly_score(HELD), cut.anomaly_score(HELD))


def test_sixteen_centres_stand_for_hundreds_of_support_vectors():
    cut = REDUCTION.at(16)

    assert (WHOLE.n_parts > 300, cut.n_parts) == (True, 16)
    assert follows(cut) > 0.995


def test_the_cut_beats_a_svm_learned_from_fewer_rows():
    rng = np.random.default_rng(1)
    small = [to_boundary(OneClassSVM(nu=0.3, gamma=WHOLE.gamma).fit(SEEN[rng.permutation(1200)[:54]])) for _ in range(5)]

    assert min(s.n_parts for s in small) >= 16
    assert follows(REDUCTION.at(16)) > max(follows(s) for s in small)


def test_more_centres_are_not_less_faithful_beyond_noise():
    assert follows(REDUCTION.at(32)) > follows(REDUCTION.at(4)) - 0.002


def test_scores_keep_the_scale_and_the_offset():
    cut = REDUCTION.at(16)
    spread = WHOLE.anomaly_score(HELD).std()

    assert cut.offset == WHOLE.offset
    assert np.abs(cut.anomaly_score(HELD) - WHOLE.anomaly_score(HELD)).max() < spread


def test_as_many_centres_as_vectors_change_nothing():
    assert REDUCTION.at(WHOLE.n_parts) is WHOLE


def test_the_same_seed_gives_the_same_cut():
    again = reduce(WHOLE, SEEN, 4, random_state=0)

    np.testing.assert_array_equal(again.anomaly_score(HELD), Reduction(WHOLE, SEEN, random_state=0).at(4).anomaly_score(HELD))


def test_queries_steer_the_cut_where_no_row_was():
    far = SEEN[:300] * 1.4
    guided = Reduction(WHOLE, SEEN, queries=far, random_state=0).at(16)
    blind = Reduction(WHOLE, SEEN, queries=SEEN[:1], random_state=0).at(16)

    def error(cut):
        return np.mean((cut.anomaly_score(far) - WHOLE.anomaly_score(far)) ** 2)

    assert error(guided) < error(blind)


@pytest.mark.parametrize("given", [{"X": SEEN[:, :3]}, {"X": SEEN, "queries": SEEN[:, :3]}])
def test_rows_of_another_width_are_refused(given):
    with pytest.raises(BadParameter, match=r"has shape \(1200, 3\); it is \(n, 64\)"):
        Reduction(WHOLE, **given)


def test_no_centre_is_refused():
    with pytest.raises(BadParameter, match="n_centres is 0; it is a whole number of at least 1"):
        REDUCTION.at(0)


def test_a_constant_score_is_followed_without_complaint():
    X = np.zeros((50, 2))
    whole = to_boundary(OneClassSVM(nu=0.5, gamma=1.0).fit(X))

    cut = reduce(whole, X, 2, random_state=0)

    np.testing.assert_allclose(cut.anomaly_score(X), whole.anomaly_score(X), atol=1e-6)


# -- its pieces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("free_width", [False, True])
def test_the_gradient_is_that_of_the_loss(free_width):
    rng = np.random.default_rng(2)
    rows, importance = rng.normal(size=(60, 3)), rng.random(60)
    descent = Descent(rows, np.sin(rows).sum(axis=1), importance, gamma=0.4, free_width=free_width)
    place = np.append(rng.normal(size=12), 0.1)
    _, gradient = descent._loss(place, (4, 3))

    step = 1e-6
    for i in range(13 if free_width else 12):
        move = step * (np.arange(13) == i)
        slope = (descent._loss(place + move, (4, 3))[0] - descent._loss(place - move, (4, 3))[0]) / (2 * step)
        assert slope == pytest.approx(gradient[i], rel=1e-4, abs=1e-8)


def test_ridge_weights_are_the_least_squares_solution():
    rng = np.random.default_rng(3)
    similarity = gaussians(rng.normal(size=(80, 2)), rng.normal(size=(5, 2)), 0.5)
    importance = rng.random(80) + 0.1

    weights = ridge_weights(similarity, similarity @ np.arange(5.0), importance, 1e-12)

    np.testing.assert_allclose(weights, np.arange(5.0), atol=1e-4)


def test_rows_among_many_like_scores_weigh_more():
    target = np.concatenate([np.linspace(0.0, 0.1, 900), np.linspace(0.2, 10.0, 100)])

    weights = rank_weights(target)

    assert weights.mean() == pytest.approx(1.0)
    assert weights[:800].min() > 100 * weights[950:].max()


# -- teachers ------------------------------------------------------------------------------------------------------------


def test_the_effect_of_settings_stands_beside_that_of_a_cut():
    effect = settings_effect(SVM, REDUCTION.at(16), SEEN, HELD)

    assert set(effect.settings) == {"nu=0.05", "gamma x 0.25", "gamma x 4"}
    assert effect.matters_more
    assert "nu and gamma matter more than this cut" in str(effect)


def test_a_cut_that_changes_more_than_any_setting_is_told_apart():
    assert not SettingsEffect(0.5, {"nu=0.3": 0.9}).matters_more


def test_rows_that_repeat_are_followed_by_centres_of_their_own(monkeypatch):
    """Telemetry: few distinct rows, some very frequent, on the margin of the SVM with scores that hardly differ."""

    def fidelity(seed):
        rng = np.random.default_rng(seed)
        states = rng.integers(-1, 2, size=(60, 12)) * rng.uniform(0.5, 3, size=12)
        share = 1.0 / np.arange(1, 61) ** 1.7
        seen, held = (states[rng.choice(60, n, p=share / share.sum())] for n in (3000, 1000))
        whole = to_boundary(OneClassSVM(nu=0.05).fit(seen))
        return spearman(whole.anomaly_score(held), reduce(whole, seen, 16, random_state=seed).anomaly_score(held))

    frequent = np.mean([fidelity(seed) for seed in range(4)])
    monkeypatch.setattr("tsprune.prune.reduce.OFTEN", 2.0)

    assert frequent > np.mean([fidelity(seed) for seed in range(4)]) + 0.05


def test_vectors_that_coincide_become_one_and_nothing_changes():
    rows = np.repeat(SEEN[:40], 10, axis=0)
    whole = to_boundary(OneClassSVM(nu=0.3).fit(rows))
    cut = Reduction(whole, rows, random_state=0).at(40)

    assert cut.n_parts <= 40 < whole.n_parts
    np.testing.assert_allclose(cut.anomaly_score(HELD), whole.anomaly_score(HELD), atol=1e-12 * whole.weights.sum())
    assert merged(cut) is cut
