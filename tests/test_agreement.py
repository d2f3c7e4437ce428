"""Agreement of two scores: the textbook's, the library's, and bounds that hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import forest as textbook
from scipy.stats import rankdata, spearmanr

from tsprune.errors import BadParameter
from tsprune.kernels.agreement import lower_bound, ranks, spearman, split_half, top_overlap

FEW = settings(max_examples=60, deadline=None)
tied = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=30).map(lambda pairs: np.array(pairs, float).T)
RNG = np.random.default_rng(0)


def related(n, noise, rng=RNG):
    whole = rng.normal(size=n)
    return whole, whole + noise * rng.normal(size=n)


@FEW
@given(pair=tied)
def test_rank_correlation_is_the_textbook_s_ties_included(pair):
    if np.ptp(pair[0]) and np.ptp(pair[1]):
        assert spearman(*pair) == pytest.approx(textbook.spearman(*pair), abs=1e-12)


@FEW
@given(pair=tied)
def test_ranks_are_the_library_s(pair):
    np.testing.assert_array_equal(ranks(pair[0]), rankdata(pair[0]))


def test_rank_correlation_is_the_library_s_on_many_rows():
    pair = related(5_000, 0.3)

    assert spearman(*pair) == pytest.approx(spearmanr(*pair).statistic, abs=1e-12)


def test_rank_correlation_sees_order_only():
    whole, cut = related(500, 0.5)

    assert spearman(np.exp(whole), cut**3) == pytest.approx(spearman(whole, cut), abs=1e-12)
    assert spearman(whole, whole) == 1.0
    assert spearman(whole, -whole) == -1.0


def test_a_constant_score_says_nothing_and_two_of_them_agree():
    whole, _ = related(50, 0.5)

    assert spearman(whole, np.ones(50)) == 0.0
    assert spearman(np.zeros(50), np.ones(50)) == 1.0


@FEW
@given(pair=tied, share=st.floats(0.01, 1.0))
def test_top_overlap_is_a_share_and_one_with_itself(pair, share):
    assert 0.0 <= top_overlap(*pair, share=share) <= 1.0
    assert top_overlap(pair[0], pair[0], share=share) == 1.0
    assert top_overlap(*pair, share=1.0) == 1.0


def test_top_overlap_counts_the_rows_that_both_put_on_top():
    whole = np.arange(100.0)
    cut = whole.copy()
    cut[[98, 0]] = cut[[0, 98]]

    assert top_overlap(whole, cut, share=0.04) == 0.75


def test_halves_of_many_members_agree_more_than_halves_of_few():
    signal = RNG.normal(size=(400, 1))
    members = signal + 3.0 * RNG.normal(size=(400, 200))

    assert split_half(members[:, :10]) < split_half(members) < 1.0
    assert np.isnan(split_half(members[:, :1]))


def test_halves_come_from_all_members_not_from_the_first_ones():
    members = np.repeat(np.arange(50.0)[:, None], 9, axis=1)

    assert split_half(members, random_state=4) == 1.0


def test_the_bound_lies_below_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    truth = spearman(*related(200_000, 0.3, rng))
    bounds = [lower_bound(spearman, *related(300, 0.3, rng), n_boot=100, random_state=i) for i in range(150)]

    assert 0.89 <= np.mean(np.array(bounds) <= truth) <= 0.99


def test_the_bound_of_another_measure_re_measures_every_draw():
    whole, cut = related(400, 0.3)

    bound = lower_bound(lambda a, b: spearman(a, b), whole, cut, random_state=0)

    assert bound == pytest.approx(lower_bound(spearman, whole, cut, random_state=0), abs=2e-3)
    assert bound < spearman(whole, cut)


def test_neighbours_that_err_alike_widen_the_bound():
    rng = np.random.default_rng(2)
    whole = rng.normal(size=2_000)
    cut = whole + np.repeat(rng.normal(size=40), 50)

    single, blocks = (lower_bound(spearman, whole, cut, block=block, random_state=0) for block in (1, 50))

    assert blocks < single - 0.01


def test_bounds_repeat_with_the_seed():
    pair = related(300, 0.3)

    assert lower_bound(spearman, *pair, random_state=7) == lower_bound(spearman, *pair, random_state=7)


@pytest.mark.parametrize(("whole", "cut"), [([], []), ([1.0, np.nan], [1.0, 2.0]), ([1.0], [1.0, 2.0])])
def test_scores_that_cannot_be_compared_are_refused(whole, cut):
    with pytest.raises(BadParameter):
        spearman(whole, cut)


@pytest.mark.parametrize("wrong", [{"confidence": 0.0}, {"confidence": 1.5}, {"n_boot": 0}, {"block": 0}])
def test_settings_of_the_bound_outside_their_range_are_refused(wrong):
    with pytest.raises(BadParameter, match=next(iter(wrong))):
        lower_bound(spearman, *related(20, 0.3), **wrong)
