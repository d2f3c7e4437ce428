"""LOF and nearest neighbours: the textbook's score, the libraries' score, the same bits everywhere."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import density as textbook
from scipy.sparse import csr_array
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from tsprune.detect.density import to_density, to_neighbours
from tsprune.errors import BadModelFile, BadParameter, NotPrunable
from tsprune.kernels import density as kernel
from tsprune.kernels.density import Reference, nearest, nearest_others
from tsprune.model.density import Density, Neighbours
from tsprune.model.file import from_bytes, to_bytes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 4))
NEW = RNG.normal(size=(300, 4)) * 2
LOF = LocalOutlierFactor(novelty=True).fit(X)
DENSITY = to_density(LOF)

KINDS = ("normal", "grid", "one point", "duplicates", "tiny", "huge", "shifted", "far outlier")


def rows_of(kind, rng, n, d):
    rows = rng.normal(size=(n, d))
    if kind == "grid":
        return np.round(rows)
    if kind == "one point":
        return np.ones((n, d))
    if kind == "duplicates":
        return rows[rng.integers(max(1, n // 3), size=n)]
    if kind == "far outlier":
        rows[0] = 1e30
    return {"tiny": rows * 1e-200, "huge": rows * 1e90, "shifted": rows + 1e9}.get(kind, rows)


def both_ways(monkeypatch, call):
    """What numpy and machine code give."""
    for name in ("SWITCH", "LOADED"):
        monkeypatch.setattr(kernel, name, 2**62)
    plain = call()
    for name in ("SWITCH", "LOADED"):
        monkeypatch.setattr(kernel, name, 0)
    monkeypatch.setattr(kernel, "TOGETHER", 1)
    return plain, call()


# -- neighbours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_are_the_textbook_s(kind):
    rng = np.random.default_rng(1)
    points, rows = rows_of(kind, rng, 40, 3), rows_of(kind, rng, 6, 3)

    distances, indices = nearest(rows, Reference(points), 7)

    expected = [textbook.neighbours(x, points, 7) for x in rows]
    np.testing.assert_allclose(distances, [[d for d, _ in near] for near in expected], rtol=1e-14)
    np.testing.assert_array_equal(indices, [[i for _, i in near] for near in expected])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d", "k"), [(7, 1, 7), (300, 2, 20), (700, 3, 5), (900, 7, 30), (400, 24, 20), (1500, 9, 100)])
def test_machine_code_gives_numpy_s_neighbours(monkeypatch, kind, n, d, k):
    rng = np.random.default_rng(n)
    points, rows = rows_of(kind, rng, n, d), rows_of(kind, rng, 150, d)
    rows[:20] = points[rng.integers(n, size=20)]
    reference = Reference(points)

    plain, fast = both_ways(monkeypatch, lambda: nearest(rows, reference, k))

    np.testing.assert_array_equal(fast[0], plain[0])
    np.testing.assert_array_equal(fast[1], plain[1])


def test_of_equally_near_points_the_first_ones_count():
    distances, indices = nearest(np.zeros((1, 1)), Reference(np.array([[2.0], [-1.0], [1.0], [1.0], [-2.0]])), 4)

    assert (distances.tolist(), indices.tolist()) == ([[1.0, 1.0, 1.0, 2.0]], [[1, 2, 3, 0]])


def test_a_point_is_not_its_own_neighbour_but_its_duplicate_is():
    distances, indices = nearest_others(Reference(np.array([[0.0], [0.0], [0.0], [0.0], [5.0]])), 2)

    assert (indices != np.arange(5)[:, None]).all()
    assert distances[:4].max() == 0.0
    assert distances[4].tolist() == [5.0, 5.0]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 60), m=st.integers(1, 60), d=st.integers(1, 6), seed=st.integers(0, 9), kind=st.sampled_from(KINDS))
def test_a_row_has_the_same_neighbours_alone_and_in_any_batch(n, m, d, seed, kind):
    rng = np.random.default_rng(seed)
    reference, rows = Reference(rows_of(kind, rng, m, d)), rows_of(kind, rng, n, d)
    k = min(m, 5)

    distances, indices = nearest(rows, reference, k)

    alone = [nearest(rows[i : i + 1], reference, k) for i in range(n)]
    np.testing.assert_array_equal(np.concatenate([a[0] for a in alone]), distances)
    np.testing.assert_array_equal(np.concatenate([a[1] for a in alone]), indices)


def test_more_neighbours_than_points_are_refused():
    with pytest.raises(BadParameter, match="k is 4; it is a whole number of at least 1 and at most 3"):
        nearest(np.zeros((1, 2)), Reference(np.zeros((3, 2))), 4)


# -- LOF -----------------------------------------------------------------------------------------------------------------


def test_factor_is_the_textbook_s():
    points, rows = X[:40], NEW[:8]

    expected = [textbook.factor(x, points, 5) for x in rows]

    np.testing.assert_allclose(Density.of(points, 5).anomaly_score(rows), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "given", [{}, {"metric": "euclidean"}, {"metric": "l2"}, {"algorithm": "brute"}, {"n_neighbors": 3}, {"n_neighbors": 499}]
)
def test_score_is_scikit_learn_s_with_the_sign_turned(given):
    lof = LocalOutlierFactor(novelty=True, **given).fit(X)

    np.testing.assert_allclose(to_density(lof).anomaly_score(NEW), -lof.score_samples(NEW), rtol=1e-10)


def test_more_neighbours_than_training_rows_become_all_others():
    with pytest.warns(UserWarning, match="n_neighbors"):
        lof = LocalOutlierFactor(n_neighbors=50, novelty=True).fit(X[:30])

    np.testing.assert_allclose(to_density(lof).anomaly_score(NEW), -lof.score_samples(NEW), rtol=1e-10)


def test_score_is_pyod_s_as_it_stands():
    from pyod.models.lof import LOF as PyodLOF

    detector = PyodLOF(n_neighbors=15).fit(X)

    np.testing.assert_allclose(to_density(detector).anomaly_score(NEW), detector.decision_function(NEW), rtol=1e-10)


def test_many_rows_at_once_get_the_bits_that_they_get_one_by_one(monkeypatch):
    plain, fast = both_ways(monkeypatch, lambda: DENSITY.anomaly_score(NEW))
    monkeypatch.undo()

    np.testing.assert_array_equal(fast, plain)
    np.testing.assert_array_equal(np.concatenate([DENSITY.anomaly_score(NEW[i : i + 1]) for i in range(len(NEW))]), plain)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_finite_on_any_rows(kind):
    rng = np.random.default_rng(5)

    scores = Density.of(rows_of(kind, rng, 60, 3), 5).anomaly_score(rows_of(kind, rng, 30, 3))

    assert np.isfinite(scores).all()


def test_kept_points_carry_the_densities_they_had():
    mask = np.arange(DENSITY.n_parts) % 4 == 0

    kept = DENSITY.keep(mask, 6)

    assert kept.n_neighbors == 6
    np.testing.assert_array_equal(kept.density, DENSITY.density[mask])
    np.testing.assert_array_equal(kept.points, DENSITY.points[mask])


def test_keeping_all_points_changes_nothing():
    np.testing.assert_array_equal(DENSITY.keep(np.ones(DENSITY.n_parts, bool)).anomaly_score(NEW), DENSITY.anomaly_score(NEW))


def test_a_mask_that_keeps_nothing_is_refused():
    with pytest.raises(BadParameter, match="a bool for each of 500 points, one of them True"):
        DENSITY.keep(np.zeros(500, bool))


def test_rows_of_another_width_are_refused():
    with pytest.raises(BadParameter, match=r"X has shape \(3, 5\); it is \(n_samples, 4\)"):
        DENSITY.anomaly_score(np.zeros((3, 5)))


def test_one_training_row_has_no_neighbours():
    with pytest.raises(BadParameter, match="n_points is 1"):
        Density.of(np.zeros((1, 2)), 5)


# -- the plain distance -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["largest", "mean", "median"])
@pytest.mark.parametrize("k", [4, 5])
def test_distance_is_pyod_s(method, k):
    from pyod.models.knn import KNN

    detector = KNN(method=method, n_neighbors=k).fit(X)

    np.testing.assert_allclose(to_neighbours(detector).anomaly_score(NEW), detector.decision_function(NEW), rtol=1e-12)


def test_distance_of_scikit_learn_s_search_is_that_to_its_last_neighbour():
    search = NearestNeighbors(n_neighbors=9).fit(X)

    np.testing.assert_allclose(to_neighbours(search).anomaly_score(NEW), search.kneighbors(NEW)[0][:, -1], rtol=1e-12)


# -- what has no form of ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{"metric": "cosine"}, {"p": 1}, {"metric_params": {"w": np.ones(4)}}])
def test_another_metric_is_refused_with_the_way_out(given):
    with pytest.raises(NotPrunable, match="Euclidean: metric='minkowski' with p=2"):
        to_density(LocalOutlierFactor(novelty=True, **given).fit(X))


def test_a_factor_of_the_training_rows_only_is_refused_with_the_way_out():
    with pytest.raises(NotPrunable, match="Fit it with novelty=True"):
        to_density(LocalOutlierFactor().fit(X))


def test_a_sparse_training_set_is_refused_with_the_way_out():
    with pytest.raises(NotPrunable, match=r"Fit it on X.toarray\(\)"):
        to_density(LocalOutlierFactor(novelty=True).fit(csr_array(X)))


@pytest.mark.parametrize("convert", [to_density, to_neighbours])
@pytest.mark.parametrize("detector", [LocalOutlierFactor(novelty=True), NearestNeighbors(), "lof"])
def test_what_is_not_fitted_is_refused(convert, detector):
    with pytest.raises(NotPrunable, match="is no fitted"):
        convert(detector)


# -- files, copies, imports --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [DENSITY, Neighbours(X, 3, "mean")], ids=["density", "neighbours"])
def test_a_saved_detector_scores_the_same(part):
    np.testing.assert_array_equal(from_bytes(to_bytes(part)).anomaly_score(NEW), part.anomaly_score(NEW))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_neighbors", 0),
        ("n_neighbors", 501),
        ("density", np.zeros(500)),
        ("density", np.full(500, 1e200)),
        ("k_distance", np.full(500, -1.0)),
        ("correction", np.ones(3)),
        ("points", np.full((500, 4), 1e200)),
        ("points", np.empty((0, 4))),
    ],
)
def test_a_file_whose_numbers_make_no_sense_is_refused(field, value):
    spec = DENSITY.to_spec()
    where = spec.facts if field in spec.facts else spec.arrays
    where[field] = value

    with pytest.raises((ValueError, BadModelFile)):
        Density.from_spec(spec.facts, spec.arrays)


def test_an_unknown_summary_in_a_file_is_refused():
    spec = Neighbours(X, 3, "mean").to_spec()
    spec.facts["summary"] = "smallest"

    with pytest.raises(ValueError, match="'largest', 'mean', 'median'"):
        Neighbours.from_spec(spec.facts, spec.arrays)


def test_a_pickled_detector_leaves_what_can_be_made_again():
    fresh = to_density(LOF)
    size = len(pickle.dumps(fresh))
    fresh.anomaly_score(NEW)

    assert len(pickle.dumps(fresh)) == size


def test_scoring_few_rows_loads_numpy_only():
    code = """
import sys, numpy as np
from tsprune.model.density import Density
points = np.random.default_rng(0).normal(size=(200, 3))
Density.of(points, 5).anomaly_score(points[:10])
assert not {"numba", "scipy", "sklearn", "pandas"} & set(sys.modules), sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
