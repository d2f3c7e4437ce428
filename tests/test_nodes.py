"""Pruned isolation forests: as small as asked, as close as measured, on the teacher's scale."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import forest as textbook
from sklearn.ensemble import IsolationForest

from tsprune.detect.forest import grow_teacher, to_forest
from tsprune.errors import BadParameter, NotPrunable
from tsprune.kernels.agreement import spearman
from tsprune.model.forest import Forest
from tsprune.prune import nodes
from tsprune.prune.nodes import Collapse, collapse, importance
from tsprune.prune.queries import jittered
from tsprune.prune.refit import DAMPING, membership, refit
from tsprune.prune.trees import cap_depth, follow

FEW = settings(max_examples=15, deadline=None)
RNG = np.random.default_rng(0)


def service(n, rng):
    """Metrics of a service: two that swing together, one that lags, noise, and a few bad hours."""
    t = np.arange(n)
    day = np.sin(2 * np.pi * t / 144)
    rows = np.column_stack([day, 2 * day + 1, np.roll(day, 20), day**2, 0 * day]) + 0.3 * rng.normal(size=(n, 5))
    rows[rng.integers(n, size=n // 60)] += 3 * rng.normal(size=(n // 60, 5))
    return rows


X, HELD = service(1_800, RNG), service(1_500, RNG)


@cache
def fitted(n_estimators=100, seed=1):
    return IsolationForest(n_estimators=n_estimators, random_state=seed).fit(X)


FOREST = to_forest(fitted())
WHOLE = FOREST.anomaly_score(HELD)
PATH = Collapse(FOREST, X, random_state=0)
SMALL = FOREST.keep(np.arange(100) < 30)


@cache
def kept(share: float) -> Forest:
    return PATH.to(max(1, round(share * FOREST.n_parts)))


# -- size -------------------------------------------------------------------------------------------------------------------


def test_keeping_all_nodes_changes_nothing():
    assert PATH.to(FOREST.n_parts) is FOREST
    assert collapse(FOREST, X[:50], 10**6) is FOREST


@pytest.mark.parametrize("share", [0.9, 0.5, 0.25, 0.1, 0.03, 0.01])
def test_a_cut_has_as_many_nodes_as_asked(share):
    wanted = round(share * FOREST.n_parts)
    cut = kept(share)
    cut.check()

    assert wanted - 12 <= cut.n_parts <= wanted


def test_a_fully_collapsed_tree_disappears():
    assert kept(0.01).n_trees < kept(0.1).n_trees <= 100
    assert (np.diff(np.append(kept(0.01).roots, kept(0.01).n_parts)) >= 3).all()


def test_the_last_node_gives_every_row_the_mean_score():
    cut = PATH.to(1)

    assert cut.n_parts == 1
    assert np.ptp(cut.anomaly_score(HELD)) == 0.0
    assert np.quantile(WHOLE, 0.2) < cut.anomaly_score(HELD[:1])[0] < np.quantile(WHOLE, 0.9)


def test_a_tenth_of_the_nodes_takes_less_than_a_tenth_of_70_kilobytes():
    assert kept(0.1).nbytes < 7_000
    assert kept(0.1).nbytes < 0.15 * FOREST.nbytes


def test_a_cut_read_back_gives_the_same_bits():
    spec = kept(0.1).to_spec()

    np.testing.assert_array_equal(Forest.from_spec(spec.facts, spec.arrays).anomaly_score(HELD), kept(0.1).anomaly_score(HELD))


def test_rows_alone_and_in_a_batch_get_the_same_bits_from_a_cut():
    many = np.concatenate([HELD, HELD])
    alone = np.concatenate([kept(0.1).anomaly_score(HELD[i : i + 1]) for i in range(100)])

    np.testing.assert_array_equal(kept(0.1).anomaly_score(many)[:100], alone)


# -- fidelity ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "floor"), [(0.5, 0.998), (0.25, 0.995), (0.1, 0.985), (0.05, 0.955)])
def test_a_cut_orders_held_out_rows_as_the_whole_does(share, floor):
    assert spearman(WHOLE, kept(share).anomaly_score(HELD)) >= floor


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1, 0.05])
def test_a_cut_is_closer_than_a_small_forest_of_as_many_nodes(share):
    n_trees = max(1, round(share * 100))
    fresh = [spearman(WHOLE, -fitted(n_trees, seed).score_samples(HELD)) for seed in (11, 12, 13)]

    assert spearman(WHOLE, kept(share).anomaly_score(HELD)) > max(fresh) + 0.005


def test_more_nodes_are_never_less_faithful_beyond_noise():
    fidelity = [spearman(WHOLE, kept(share).anomaly_score(HELD)) for share in (0.01, 0.03, 0.05, 0.1, 0.25, 0.5, 0.9)]

    assert (np.diff(fidelity) > -0.003).all()


def test_scores_keep_the_teacher_s_scale_and_threshold():
    threshold, before = np.quantile(FOREST.anomaly_score(X), 0.98), WHOLE
    for share in (0.5, 0.1):
        scores = kept(share).anomaly_score(HELD)

        assert abs(scores.mean() - WHOLE.mean()) < 0.05 * WHOLE.std()
        assert 0.85 < scores.std() / WHOLE.std() < 1.1
        assert abs((scores > threshold).mean() - (before > threshold).mean()) < 0.006


def test_learning_the_lengths_anew_pays_the_more_the_harder_the_cut():
    plain = Collapse(FOREST, X, relearn=False, random_state=0)
    gains = []
    for share in (0.1, 0.03):
        without = plain.to(round(share * FOREST.n_parts))
        gains.append(spearman(WHOLE, kept(share).anomaly_score(HELD)) - spearman(WHOLE, without.anomaly_score(HELD)))

    assert 0.003 < gains[0] < gains[1]


def test_weight_on_the_tail_brings_the_top_scores_closer_and_the_others_less_close():
    whole = SMALL.anomaly_score(X)
    top = np.argsort(-whole)[: len(X) // 20]
    error = []
    for weight in (1.0, 30.0):
        missed = np.abs(collapse(SMALL, X, 200, tail_weight=weight, random_state=0).anomaly_score(X) - whole)
        error.append((missed[top].mean(), np.delete(missed, top).mean()))

    assert error[1][0] < 0.8 * error[0][0]
    assert error[1][1] > error[0][1]


def test_a_part_of_a_large_teacher_follows_it_closer_than_an_ordinary_forest_does():
    teacher = grow_teacher(fitted(), X, 250, random_state=8)
    target = teacher.anomaly_score(HELD)
    small = collapse(teacher, X, round(teacher.n_parts / 25), trees=60, random_state=0)

    assert small.n_parts < FOREST.n_parts / 9
    assert spearman(target, small.anomaly_score(HELD)) > max(0.98, spearman(target, WHOLE))


# -- the way down -----------------------------------------------------------------------------------------------------------


def test_requests_in_any_order_give_the_same_cuts():
    counts = (1_000, 120, 400)
    path = Collapse(SMALL, X, random_state=0)
    there = [path.to(n) for n in counts]

    for n, cut in zip(counts, there, strict=True):
        alone = collapse(SMALL, X, n, random_state=0)
        np.testing.assert_array_equal(cut.feature, alone.feature)
        np.testing.assert_array_equal(cut.leaf, alone.leaf)


def test_a_cut_repeats_with_its_seed_and_another_seed_asks_other_rows():
    one, same, other = (collapse(SMALL, X, 400, random_state=seed) for seed in (0, 0, 1))

    np.testing.assert_array_equal(one.leaf, same.leaf)
    assert not np.array_equal(one.leaf, other.leaf)


def test_a_cut_forest_can_be_cut_again():
    again = collapse(kept(0.5), X, round(0.1 * FOREST.n_parts), random_state=0)

    assert spearman(WHOLE, again.anomaly_score(HELD)) > 0.98


def stepped(n_rounds):
    """Cuts after so many rounds, from the whole forest on."""
    _, cut = Collapse(FOREST, X[:300], queries=None)._passed[0]
    for _ in range(n_rounds):
        cut = cut.shorter(400)
    return cut


def as_forest(cut):
    return nodes._as_forest(FOREST, cut)


@pytest.mark.parametrize("n_rounds", [1, 4, 9])
def test_each_row_is_booked_in_the_leaf_where_a_new_walk_ends(n_rounds):
    cut = stepped(n_rounds)

    np.testing.assert_array_equal(cut.place, as_forest(cut).leaves(X[:300]))


@pytest.mark.parametrize("n_rounds", [0, 3])
def test_a_twin_costs_the_squared_error_that_it_adds(n_rounds):
    cut = stepped(n_rounds)
    cost = cut.costs()
    twins = np.flatnonzero(~cut.inner[cut.splits + 1] & ~cut.inner[cut.right[cut.splits]])[:40]
    for k in twins:
        left, right = cut.splits[k] + 1, cut.right[cut.splits[k]]
        within = np.concatenate([np.nonzero(cut.place == leaf)[0] for leaf in (left, right)])
        lengths = np.concatenate([np.full((cut.place == leaf).sum(), cut.length[leaf]) for leaf in (left, right)])
        weights = cut.task.weights[within]
        mean = np.average(lengths, weights=weights) if len(within) else 0.0

        assert cost[k] == pytest.approx((weights * (lengths - mean) ** 2).sum(), rel=0.02, abs=1e-3)


def test_only_splits_with_a_leaf_can_go_and_the_cheapest_go_first():
    cut = stepped(2)
    cost = cut.costs()
    after = cut.shorter(50)

    assert np.isinf(cost[cut.inner[cut.splits + 1] & cut.inner[cut.right[cut.splits]]]).all()
    assert cut.n_nodes - after.n_nodes >= 100
    assert set(np.unique(after.threshold)) <= set(np.unique(cut.threshold))


def test_trees_without_a_split_go_into_the_base():
    constant = to_forest(IsolationForest(n_estimators=5, random_state=0).fit(np.ones((60, 2))))
    cut = collapse(constant, np.ones((60, 2)), 1)

    assert cut.n_parts == 1
    np.testing.assert_allclose(cut.anomaly_score(np.ones((1, 2))), constant.anomaly_score(np.ones((1, 2))), rtol=1e-3)


@FEW
@given(seed=st.integers(0, 10**6), n_trees=st.integers(1, 6))
def test_lengths_learned_anew_are_the_ridge_s(seed, n_trees):
    rng = np.random.default_rng(seed)
    number = rng.integers(5, size=(80, n_trees)) + 5 * np.arange(n_trees)
    member = membership(number.astype(np.int32), 5 * n_trees)
    target, weights, start = rng.normal(size=80), rng.uniform(0.2, 3, size=80), rng.normal(size=5 * n_trees)

    found = refit(start, member, target, weights, tolerance=1e-10)

    np.testing.assert_allclose(found, textbook.ridge(member.toarray(), target, weights, start, DAMPING), atol=1e-8)


# -- whole trees and depth --------------------------------------------------------------------------------------------------


def test_trees_that_make_up_a_target_are_found_with_their_weights():
    rng = np.random.default_rng(4)
    lengths = rng.normal(size=(500, 40)).astype(np.float32)
    target = lengths[:, [3, 17, 30]] @ np.array([2.0, 0.5, 1.0]) + 7.0

    chosen, weight, base = follow(lengths, target, np.ones(500), 3)

    np.testing.assert_array_equal(chosen, [3, 17, 30])
    np.testing.assert_allclose(weight, [2.0, 0.5, 1.0], rtol=1e-3)
    assert base == pytest.approx(7.0, abs=1e-2)


def test_chosen_trees_follow_the_forest_closer_than_the_first_ones():
    chosen = Collapse(FOREST, X, trees=30, random_state=0).to(FOREST.n_parts - 1)
    first = FOREST.keep(np.arange(100) < 30)

    assert chosen.n_trees == 30
    assert spearman(WHOLE, chosen.anomaly_score(HELD)) > spearman(WHOLE, first.anomaly_score(HELD)) + 0.005


@pytest.mark.parametrize("depth", [0, 3, 6, 8])
def test_a_capped_tree_gives_the_textbook_s_shortened_paths(depth):
    capped = cap_depth(FOREST, depth).keep(np.arange(100) < 8)
    capped.check()
    expected = [[textbook.path_length(e.tree_, x, depth) for e in fitted().estimators_[:8]] for x in HELD[:30]]

    np.testing.assert_allclose(capped.part_scores(HELD[:30]), expected, rtol=0, atol=1e-11)


def test_learned_lengths_cannot_be_capped():
    with pytest.raises(NotPrunable, match="cap its depth before"):
        cap_depth(kept(0.1), 4)


# -- rows and their weights -------------------------------------------------------------------------------------------------


def test_unseen_rows_are_seen_rows_with_noise_of_each_column_s_size():
    rng = np.random.default_rng(0)
    rows = jittered(X * [1, 10, 1, 1, 0], 5_000, rng)

    assert rows.shape == (5_000, 5)
    assert (rows[:, 4] == 0).all()
    assert 8 < rows[:, 1].std() / rows[:, 0].std() < 25


def test_rows_matter_more_where_the_score_is_dense_and_in_the_tail():
    target = np.concatenate([np.linspace(5, 6, 900), np.linspace(6, 12, 100), [5.5, 9.0]])
    weights = importance(target, 1_000)
    heavy = importance(target, 1_000, tail_weight=10.0)

    assert weights.mean() == pytest.approx(1.0)
    assert weights[450] > 1.5 * weights[950]
    assert weights[1_000] == pytest.approx(nodes.QUERY_WEIGHT * weights[450], rel=0.05)
    assert heavy[10] / heavy[450] == pytest.approx(10 * weights[10] / weights[450], rel=0.01)


def test_many_rows_are_thinned_not_refused():
    rows = np.tile(X, (8, 1))

    assert len(rows) > nodes.SEEN
    assert Collapse(SMALL, rows, random_state=0).to(400).n_parts <= 400


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"tail_weight": 0.5}, "tail_weight is 0.5"), ({"trees": 0}, "trees is 0"), ({"trees": 101}, "at most 100")],
)
def test_settings_outside_their_range_are_refused(wrong, told):
    with pytest.raises(BadParameter, match=told):
        Collapse(FOREST, X, **wrong)


def test_no_rows_and_no_nodes_are_refused():
    with pytest.raises(BadParameter, match="X has no row"):
        Collapse(FOREST, X[:0])
    with pytest.raises(BadParameter, match="n_nodes is 0"):
        PATH.to(0)
