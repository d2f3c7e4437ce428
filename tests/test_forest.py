"""Isolation forests as parts of a model: the library's scores, the same bits in any chunks, few bytes, no trust in files."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyod.models.iforest import IForest
from reference import forest as textbook
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from tsprune.detect.forest import grow_teacher, to_forest
from tsprune.errors import BadModelFile, BadParameter, NotPrunable
from tsprune.kernels import compiled_forest
from tsprune.kernels import forest as trees
from tsprune.kernels.forest_paths import BATCH
from tsprune.kernels.forest_program import compile_program
from tsprune.model.forest import LARGEST, Forest

FEW = settings(max_examples=40, deadline=None)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2_600, 6)) @ RNG.normal(size=(6, 6))
X[::50] *= 4.0
WAYS = {
    "as it comes": {},
    "few columns per tree": {"max_features": 0.5},
    "drawn with replacement": {"bootstrap": True, "max_samples": 700},
    "one row per tree": {"max_samples": 1},
    "two rows per tree": {"max_samples": 2},
    "one tree": {"n_estimators": 1},
    "large trees": {"n_estimators": 3, "max_samples": 1.0},
}


@cache
def fitted(way: str = "as it comes") -> IsolationForest:
    return IsolationForest(random_state=1, **WAYS[way]).fit(X)


FOREST = to_forest(fitted())


# -- the library's scores -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_score_is_the_library_s_with_the_sign_turned(way):
    forest = to_forest(fitted(way))
    forest.check()

    for rows in (X, X[:7]):
        np.testing.assert_allclose(forest.anomaly_score(rows), -fitted(way).score_samples(rows), rtol=0, atol=1e-12)


def test_score_of_a_pyod_forest_is_its_decision_function():
    detector = IForest(contamination=0.07, max_features=0.7, random_state=3).fit(X)

    np.testing.assert_allclose(to_forest(detector).anomaly_score(X), detector.decision_function(X), rtol=0, atol=1e-12)


def test_path_lengths_and_score_are_the_textbook_s():
    members = [(e.tree_, columns) for e, columns in zip(fitted().estimators_, fitted().estimators_features_, strict=True)][:10]
    forest = FOREST.keep(np.arange(FOREST.n_trees) < 10)
    expected = np.array([[textbook.path_length(tree, x[columns]) for tree, columns in members] for x in X[:40]])

    np.testing.assert_allclose(forest.part_scores(X[:40]), expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(forest.anomaly_score(X[:40]), [textbook.anomaly_score(row, 256) for row in expected], rtol=1e-12)


def test_rows_on_a_threshold_and_next_to_it_go_where_the_library_sends_them():
    on = []
    for e in fitted().estimators_[:30]:
        tree = e.tree_
        node = int(np.flatnonzero(tree.feature >= 0)[0])
        for step in (-np.inf, 0.0, np.inf):
            single = np.float32(tree.threshold[node])
            row = X[0].copy()
            row[tree.feature[node]] = np.nextafter(single, np.float32(step)) if step else tree.threshold[node]
            on.append(row)

    np.testing.assert_allclose(FOREST.anomaly_score(on), -fitted().score_samples(on), rtol=0, atol=1e-12)


def test_values_beyond_float32_end_at_the_far_leaves():
    rows = np.array([[1e300, -1e300, 0, 0, 0, 0], [3e38, -3e38, 0, 0, 0, 0]])

    assert np.ptp(FOREST.anomaly_score(rows)) == 0.0


# -- the same bits ----------------------------------------------------------------------------------------------------------


@FEW
@given(cuts=st.lists(st.integers(1, len(X) - 1), max_size=6))
def test_one_batch_is_any_chunks(cuts):
    parts = np.split(X, sorted(set(cuts)))

    np.testing.assert_array_equal(np.concatenate([FOREST.anomaly_score(part) for part in parts]), FOREST.anomaly_score(X))


def test_one_batch_is_row_by_row():
    alone = np.concatenate([FOREST.anomaly_score(X[i : i + 1]) for i in range(300)])

    np.testing.assert_array_equal(alone, FOREST.anomaly_score(X)[:300])


def test_memory_layout_and_float32_input_change_no_bit():
    single = X.astype(np.float32)

    np.testing.assert_array_equal(FOREST.anomaly_score(np.asfortranarray(X)), FOREST.anomaly_score(X))
    np.testing.assert_array_equal(FOREST.anomaly_score(single), FOREST.anomaly_score(single.astype(float)))
    np.testing.assert_array_equal(FOREST.anomaly_score(single), FOREST.anomaly_score(X))


def grown(rng, n_trees, n_leaves, n_features, heavy):
    """A forest of random shape: anything that whole trees in pre-order can be."""
    feature, threshold, leaf = [], [], []
    for _ in range(n_trees):
        owed = [int(rng.integers(1, n_leaves + 1))]
        while owed:
            below = owed.pop()
            if below == 1:
                feature.append(-1)
                threshold.append(0.0)
                leaf.append(int(rng.integers(-LARGEST, LARGEST + 1)))
            else:
                left = int(rng.integers(1, below))
                owed += [below - left, left]
                feature.append(int(rng.integers(n_features)))
                threshold.append(rng.normal() if not heavy else np.round(np.exp(3 * rng.normal()), 2))
                leaf.append(0)
    scales = {"step": 2.0**-10, "base": 1.0, "mean_of": float(n_trees), "normal": 10.0, "shift": 0.0}
    return Forest(n_features, np.array(feature), np.array(threshold, np.float32), np.array(leaf), **scales)


@FEW
@given(
    seed=st.integers(0, 10**6),
    n_trees=st.integers(1, 30),
    n_leaves=st.sampled_from([1, 2, 5, 60, 256, 300]),
    n_features=st.sampled_from([1, 2, 7, 40]),
    heavy=st.booleans(),
)
def test_all_nodes_from_the_leaves_up_is_the_walk_from_the_root_down(seed, n_trees, n_leaves, n_features, heavy):
    rng = np.random.default_rng(seed)
    forest = grown(rng, n_trees, n_leaves, n_features, heavy)
    rows = np.exp(3 * rng.normal(size=(300, n_features))) if heavy else rng.normal(size=(300, n_features))
    inner = np.flatnonzero(forest.feature >= 0)
    if len(inner):
        at = rng.choice(inner, 300)
        rows[np.arange(300), forest.feature[at]] = forest.threshold[at]
    rows[0], rows[1] = np.inf, -np.inf
    reached = trees.leaves(rows.astype(np.float32), trees.walk_of(forest.feature, forest.threshold))

    direct = compiled_forest.path_sums(rows, compile_program(forest.feature, forest.threshold, forest.leaf, direct=True))
    numbered = compile_program(forest.feature, forest.threshold, forest.leaf, direct=False)

    np.testing.assert_array_equal(direct + forest._paths._first_leaves, forest.leaf[reached].sum(axis=1))
    np.testing.assert_array_equal(compiled_forest.path_sums(rows, numbered), forest.leaf[reached].sum(axis=1))
    leaf_at = np.flatnonzero(forest.feature < 0)
    np.testing.assert_array_equal(leaf_at[compiled_forest.leaf_numbers(rows, numbered).T + numbered.worth_starts], reached)


def test_every_way_to_code_a_value_is_taken_by_these_tests():
    """A grid where thresholds lie evenly, a count where they crowd or are few, groups of trees where they are many, wide codes."""
    rng = np.random.default_rng(0)
    even, crowded = (grown(rng, 30, 256, 2, heavy) for heavy in (False, True))
    programs = [compile_program(f.feature, f.threshold, f.leaf, direct=False) for f in (even, crowded)]

    assert (programs[0].scale > 0).all()
    assert len(programs[0].group_trees) > 2
    assert (programs[1].scale == 0).any()
    assert programs[0].bits == 8
    assert compile_program(even.feature, even.threshold, even.leaf, direct=True).bits == 16


def test_leaves_are_those_of_the_walk_on_both_sides_of_the_switch():
    assert len(X) >= BATCH

    np.testing.assert_array_equal(FOREST.leaves(X)[:500], FOREST.leaves(X[:500]))


def test_columns_that_no_node_uses_are_never_read():
    narrow = to_forest(fitted("few columns per tree")).keep(np.arange(100) < 1)
    rows = X.copy()
    rows[:, np.setdiff1d(np.arange(6), narrow.used_features)] = np.nan

    assert len(narrow.used_features) <= 3
    np.testing.assert_array_equal(narrow.anomaly_score(rows), narrow.anomaly_score(X))
    np.testing.assert_array_equal(narrow.anomaly_score(rows[:9]), narrow.anomaly_score(X[:9]))


# -- trees as parts ---------------------------------------------------------------------------------------------------------


@FEW
@given(mask=st.lists(st.booleans(), min_size=100, max_size=100).filter(any))
def test_cutting_then_scoring_is_scoring_then_cutting(mask):
    kept = FOREST.keep(np.array(mask))
    kept.check()

    np.testing.assert_array_equal(kept.part_scores(X[:50]), FOREST.part_scores(X[:50])[:, mask])


def test_keeping_every_tree_changes_no_bit():
    np.testing.assert_array_equal(FOREST.keep(np.ones(100, bool)).anomaly_score(X), FOREST.anomaly_score(X))


def test_half_of_the_trees_score_as_a_forest_grown_that_small():
    half = IsolationForest(n_estimators=50, random_state=1).fit(X)
    kept = FOREST.keep(np.arange(100) < 50)

    np.testing.assert_allclose(kept.anomaly_score(X), -half.score_samples(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mask", [np.ones(7, bool), np.zeros(100, bool)])
def test_a_mask_that_fits_no_trees_is_refused(mask):
    with pytest.raises(BadParameter, match="a bool for each of 100 trees"):
        FOREST.keep(mask)


def test_rows_of_another_width_are_refused():
    with pytest.raises(BadParameter, match=r"shape \(2, 5\); it is \(n_samples, 6\)"):
        FOREST.anomaly_score(np.zeros((2, 5)))


@pytest.mark.parametrize("detector", [IsolationForest(), IForest(), LocalOutlierFactor().fit(X[:50])], ids=lambda d: type(d).__name__)
def test_what_is_no_fitted_forest_is_refused(detector):
    with pytest.raises(NotPrunable, match="no fitted isolation forest"):
        to_forest(detector)


def test_a_teacher_is_a_larger_forest_with_the_user_s_parameters():
    pyod = IForest(max_features=0.5, max_samples=64, contamination=0.2, random_state=0).fit(X)
    teacher = grow_teacher(pyod, X, 150, random_state=5)
    alike = IForest(n_estimators=150, max_features=0.5, max_samples=64, contamination=0.2, random_state=5).fit(X)

    np.testing.assert_allclose(teacher.anomaly_score(X), alike.decision_function(X), rtol=0, atol=1e-12)


# -- shape ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["", "1", "10", "0011", "01", "1000 1", "110"])
def test_nodes_that_are_no_whole_trees_are_refused(inner):
    with pytest.raises(ValueError, match="whole trees"):
        trees.subtree_ends(np.array([letter == "1" for letter in inner.replace(" ", "")], dtype=bool))


def test_depths_and_ends_are_those_of_the_library():
    at = 0
    depth = trees.depths(FOREST.feature >= 0, FOREST.ends)
    for e in fitted().estimators_:
        tree = e.tree_
        inner = tree.children_left >= 0

        np.testing.assert_array_equal(depth[at : at + tree.node_count] + 1, tree.compute_node_depths())
        np.testing.assert_array_equal(FOREST.ends[at : at + tree.node_count][tree.children_left[inner]] - at, tree.children_right[inner])
        at += tree.node_count
    assert at == FOREST.n_parts


# -- files ------------------------------------------------------------------------------------------------------------------


def written(forest):
    spec = forest.to_spec()
    return Forest.from_spec(spec.facts, spec.arrays)


@pytest.mark.parametrize("way", WAYS)
def test_a_forest_read_back_gives_the_same_bits(way):
    forest = to_forest(fitted(way))

    np.testing.assert_array_equal(written(forest).anomaly_score(X), forest.anomaly_score(X))


def test_a_forest_of_learned_lengths_read_back_gives_the_same_bits():
    forest = grown(np.random.default_rng(3), 20, 30, 6, heavy=False)

    np.testing.assert_array_equal(written(forest).anomaly_score(X), forest.anomaly_score(X))


def test_a_hundred_trees_take_less_than_70_kilobytes():
    assert FOREST.n_trees == 100
    assert FOREST.nbytes < 70_000
    assert FOREST.nbytes < len(pickle.dumps(fitted())) / 20


def test_a_copy_for_another_process_leaves_the_scratch_behind():
    forest = replace(FOREST)
    empty = len(pickle.dumps(forest))
    forest.anomaly_score(X)

    copy = pickle.loads(pickle.dumps(forest))

    assert len(pickle.dumps(forest)) == empty
    np.testing.assert_array_equal(copy.anomaly_score(X), forest.anomaly_score(X))


HOSTILE = {
    "a fact too many": lambda facts, arrays: facts.update(extra=1),
    "a fact of another type": lambda facts, arrays: facts.update(step="1"),
    "no columns": lambda facts, arrays: facts.update(n_features=0),
    "a column that is not there": lambda facts, arrays: facts.update(n_features=3),
    "a divisor of nothing": lambda facts, arrays: facts.update(mean_of=0.0),
    "a divisor of next to nothing": lambda facts, arrays: facts.update(mean_of=1e-200, normal=1e-200),
    "a base beyond all": lambda facts, arrays: facts.update(base=1e300),
    "a negative step": lambda facts, arrays: facts.update(step=-1.0),
    "counts read as lengths": lambda facts, arrays: facts.update(step=1e300),
    "no array": lambda facts, arrays: arrays.pop("leaf"),
    "a threshold that is no number": lambda facts, arrays: arrays["threshold"].__setitem__(5, np.nan),
    "an infinite threshold": lambda facts, arrays: arrays["threshold"].__setitem__(5, np.inf),
    "a leaf without rows": lambda facts, arrays: arrays["leaf"].__setitem__(0, 0),
    "a missing threshold": lambda facts, arrays: arrays.update(threshold=arrays["threshold"][:-1]),
    "thresholds in two axes": lambda facts, arrays: arrays.update(threshold=arrays["threshold"][:, None]),
    "features that are floats": lambda facts, arrays: arrays.update(feature=arrays["feature"].astype(np.float32)),
    "another shape": lambda facts, arrays: arrays.update(inner=arrays["inner"][::-1].copy()),
    "no node": lambda facts, arrays: arrays.update({name: array[:0] for name, array in arrays.items()}),
    "the last leaf gone": lambda facts, arrays: arrays.update(leaf=arrays["leaf"][:-1]),
}


@pytest.mark.parametrize("harm", HOSTILE)
def test_a_forest_that_makes_no_sense_is_refused(harm):
    spec = FOREST.to_spec()
    facts, arrays = dict(spec.facts), {name: array.copy() for name, array in spec.arrays.items()}
    HOSTILE[harm](facts, arrays)

    with pytest.raises((BadModelFile, ValueError)):
        Forest.from_spec(facts, arrays)


def test_a_forest_of_altered_bytes_is_refused_or_gives_finite_scores():
    rng = np.random.default_rng(0)
    spec = FOREST.keep(np.arange(100) < 20).to_spec()
    refused = 0
    for _ in range(300):
        arrays = {name: array.copy() for name, array in spec.arrays.items()}
        array = arrays[rng.choice(list(arrays))].view(np.uint8)
        array[rng.integers(len(array), size=rng.integers(1, 4))] ^= np.uint8(1 << rng.integers(8))
        try:
            forest = Forest.from_spec(spec.facts, arrays)
        except (BadModelFile, ValueError):
            refused += 1
            continue
        assert np.isfinite(forest.anomaly_score(X[:20])).all()
        assert np.isfinite(forest.anomaly_score(X[:BATCH])).all()
    assert 0 < refused < 300


# -- price ------------------------------------------------------------------------------------------------------------------


def test_few_rows_are_scored_without_numba():
    code = f"""
import numpy as np, sys
from tsprune.model.forest import Forest
forest = Forest(1, np.array([0, -1, -1]), np.array([0.5, 0, 0], np.float32), np.array([0, 3, 1]), 0.0, 0.0, 1.0, 2.0, 0.0)
forest.anomaly_score(np.zeros(({BATCH - 1}, 1)))
assert not {{"numba", "pandas", "sklearn", "scipy"}} & set(sys.modules), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
