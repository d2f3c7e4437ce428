"""Forests grown by ours: the textbook's trees, the same bits in both ways of growing, and the statistics of the library's."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import grow as textbook
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

import tsprune as tsp
from tsprune.detect import GrownForest
from tsprune.detect.forest import grow_teacher, to_forest
from tsprune.errors import BadParameter
from tsprune.kernels import compiled_grow
from tsprune.kernels.agreement import spearman
from tsprune.kernels.forest_grow import _by_level, grow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2000, 6)) @ RNG.normal(size=(6, 6))
X[::50] *= 3.0
LABELS = np.arange(2000) % 50 == 0


def seeds(n, state=0):
    return np.random.default_rng(state).integers(2**64 - 1, size=n, dtype=np.uint64, endpoint=True)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 40), d=st.integers(1, 4), share=st.floats(0.01, 1.0), levels=st.integers(1, 12), state=st.integers(0, 2**32))
def test_both_ways_grow_the_textbook_s_trees(n, d, share, levels, state):
    rows = np.random.default_rng(state).integers(levels, size=(n, d)).astype(np.float32)  # few levels: columns that do not vary
    n_drawn, own = max(1, round(share * n)), seeds(3, state)
    limit = max(1, n_drawn - 1).bit_length()

    expected = []
    for seed in own.tolist():
        expected += textbook.pre_order(textbook.tree(list(rows[textbook.drawn(seed, n, n_drawn)]), seed))

    for trees in (_by_level(rows, own, n_drawn, limit), compiled_grow.grow(rows, own, n_drawn, limit)):
        assert list(zip(*(part.tolist() for part in trees), strict=True)) == [(f, float(t), c) for f, t, c in expected]


def test_both_ways_give_the_same_bits_on_many_rows():
    rows, own = X.astype(np.float32), seeds(40)

    for one, other in zip(_by_level(rows, own, 256, 8), compiled_grow.grow(rows, own, 256, 8), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_a_small_forest_loads_no_numba_and_is_the_same_with_and_without():
    code = (
        "import sys, numpy as np\n"
        "from tsprune.kernels.forest_grow import grow\n"
        "trees = grow(np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32), np.arange(100, dtype=np.uint64), 256)\n"
        "assert 'numba' not in sys.modules\n"
        "print(float(trees.threshold.astype(float).sum()).hex(), trees.feature.sum())"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    trees = grow(np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32), np.arange(100, dtype=np.uint64), 256)  # numba is here

    assert alone == [float(trees.threshold.astype(float).sum()).hex(), str(trees.feature.sum())]


# -- the library's statistics -------------------------------------------------------------------------------------------------


@cache
def told(kind: str) -> dict[str, np.ndarray]:
    """Facts of twenty forests: of their nodes, of their depths, and of the scores they give."""
    found = []
    for seed in range(20):
        detector = GrownForest(random_state=seed) if kind == "ours" else IsolationForest(random_state=seed)
        forest = tsp.detect.to_part(detector.fit(X))
        depth = forest.part_scores(X)
        score = forest.anomaly_score(X)
        nodes = np.diff(np.append(forest.roots, forest.n_parts))
        used = np.bincount(forest.feature[forest.feature >= 0], minlength=6) / (forest.feature >= 0).sum()
        found.append(
            {
                "nodes": nodes.mean(),
                "spread of nodes": nodes.std(),
                "depth": depth.mean(),
                "spread of depth": depth.std(axis=1).mean(),
                "score": score.mean(),
                "spread of score": score.std(),
                "highest score": score.max(),
                "AUC": roc_auc_score(LABELS, score),
                "share of the first column": used[0],
                "share of the last column": used[5],
                "leaves of one row": np.mean(forest.leaf[forest.feature < 0] == 1),
            }
        )
    return {name: np.array([one[name] for one in found]) for name in found[0]}


@pytest.mark.parametrize("fact", list(told("ours")))
def test_over_seeds_the_forest_is_statistically_the_library_s(fact):
    ours, theirs = told("ours")[fact], told("theirs")[fact]
    error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours))

    assert abs(ours.mean() - theirs.mean()) < 4.0 * error
    assert 1 / 3 < ours.std() / theirs.std() < 3


def test_the_order_of_rows_is_as_close_to_the_library_s_as_that_of_another_seed():
    one, other = (to_forest(IsolationForest(n_estimators=500, random_state=seed).fit(X)).anomaly_score(X) for seed in (0, 1))
    ours = GrownForest(500, random_state=0).fit(X).anomaly_score(X)

    assert spearman(one, ours) > spearman(one, other) - 0.005


def test_a_column_that_varies_is_drawn_as_often_as_another_and_a_constant_never():
    rows = np.column_stack([X[:, 0], np.ones(2000), X[:, 1], np.zeros(2000)]).astype(np.float32)

    trees = GrownForest(3000, max_samples=2, random_state=0).fit(rows).part_
    counts = np.bincount(trees.feature[trees.feature >= 0], minlength=4)

    assert counts[[1, 3]].tolist() == [0, 0]
    assert abs(counts[0] - counts[2]) < 4.0 * np.sqrt(counts.sum())


# -- the estimator ----------------------------------------------------------------------------------------------------------


def test_every_row_of_a_tree_is_in_one_of_its_leaves():
    forest = GrownForest(50, max_samples=100, random_state=0).fit(X).part_
    forest.check()

    assert np.add.reduceat(forest.leaf, forest.roots).tolist() == [100] * 50


@pytest.mark.parametrize("rows", [np.ones((50, 3)), np.arange(2.0)[:, None], np.repeat([[0.0, 1.0], [2.0, 3.0]], 20, axis=0)])
def test_rows_that_hardly_differ_score_as_in_the_library(rows):
    ours, theirs = GrownForest(random_state=0).fit(rows), IsolationForest(random_state=0).fit(rows)

    np.testing.assert_allclose(ours.anomaly_score(rows), -theirs.score_samples(rows), atol=1e-12)


def test_the_same_seed_is_the_same_forest_and_another_one_is_not():
    forest = GrownForest(20, random_state=4).fit(X)

    np.testing.assert_array_equal(clone(forest).fit(X).part_.threshold, forest.part_.threshold)
    assert not np.array_equal(GrownForest(20, random_state=5).fit(X).part_.threshold[:9], forest.part_.threshold[:9])


def test_blocks_of_trees_are_the_trees_of_one_fit():
    forest = GrownForest(30, random_state=4).fit(X)

    np.testing.assert_array_equal(grow_teacher(GrownForest(10, random_state=4).fit(X), X, 30).threshold, forest.part_.threshold)
    grown = tsp.Pruned("forest", keep=1.0, grow="converged", random_state=0).fit(X[:500])
    alike = tsp.Pruned("forest", keep=1.0, grow=int(grown.facts()["trees_grown"]), random_state=0).fit(X[:500])
    np.testing.assert_array_equal(grown.part_.threshold, alike.part_.threshold)


def test_it_is_pruned_saved_and_loaded_like_any_forest(tmp_path):
    model = tsp.Pipeline([tsp.Windows(4), tsp.Pruned("forest", keep=0.2, guard=None, random_state=0)]).fit(X).freeze()
    model.save(tmp_path / "model.tsp")

    np.testing.assert_array_equal(tsp.load(tmp_path / "model.tsp").anomaly_score(X), model.anomaly_score(X))


def test_it_scores_what_is_fitted_and_pruned_gives_the_library_s_labels():
    with pytest.raises(NotFittedError):
        GrownForest().anomaly_score(X)
    whole = tsp.Pruned(GrownForest(random_state=3), keep=1.0).fit(X)

    np.testing.assert_array_equal(whole.score_samples(X), -GrownForest(random_state=3).fit(X).anomaly_score(X))
    assert set(whole.predict(X)) == {-1, 1}


def test_arguments_outside_their_range_are_refused():
    with pytest.raises(BadParameter, match="n_estimators is 0"):
        GrownForest(0).fit(X)
    with pytest.raises(BadParameter, match="max_samples is 'all'"):
        GrownForest(max_samples="all").fit(X)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="too large"):
        GrownForest().fit([[1e300], [0.0]])
