"""One-class SVMs: the textbook's score, the libraries' score, the same bits everywhere."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import boundary as textbook
from scipy.sparse import csr_array
from sklearn.svm import OneClassSVM

from tsprune.detect.boundary import to_boundary
from tsprune.errors import BadModelFile, BadParameter, NotPrunable
from tsprune.kernels import boundary as kernel
from tsprune.model.boundary import Boundary
from tsprune.model.file import from_bytes, to_bytes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 5))
NEW = RNG.normal(size=(300, 5)) * 3
SVM = OneClassSVM(nu=0.2).fit(X)
BOUNDARY = to_boundary(SVM)


def tolerance(boundary):
    return 1e-12 * np.abs(boundary.weights).sum()


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(kernel, "SWITCH", 0)


@pytest.fixture
def interpreted(monkeypatch):
    monkeypatch.setattr(kernel, "SWITCH", 2**62)


def random_boundary(rng, n, d, gamma=0.3, spread=1.0, shift=0.0):
    return Boundary(shift + rng.normal(size=(n, d)) * spread, rng.normal(size=n), gamma, 0.5)


# -- the score ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [1e-3, 0.3, 50.0, 5000.0])
def test_score_is_the_textbook_s_whatever_the_width(gamma):
    boundary = random_boundary(np.random.default_rng(1), 30, 3, gamma)
    rows = np.vstack([boundary.vectors[:5] + 1e-3, np.random.default_rng(2).normal(size=(5, 3))])

    expected = [textbook.score(x, boundary.vectors, boundary.weights, gamma, boundary.offset) for x in rows]

    np.testing.assert_allclose(boundary.anomaly_score(rows), expected, rtol=0, atol=tolerance(boundary))


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.1, 40.0])
@pytest.mark.parametrize("nu", [0.05, 0.5])
def test_score_is_scikit_learn_s_with_the_sign_turned(gamma, nu):
    svm = OneClassSVM(nu=nu, gamma=gamma).fit(X)
    boundary = to_boundary(svm)

    np.testing.assert_allclose(boundary.anomaly_score(NEW), -svm.decision_function(NEW), rtol=0, atol=tolerance(boundary))


def test_score_is_pyod_s_as_it_stands():
    from pyod.models.ocsvm import OCSVM

    detector = OCSVM(nu=0.3).fit(X)
    boundary = to_boundary(detector)

    np.testing.assert_allclose(boundary.anomaly_score(NEW), detector.decision_function(NEW), rtol=0, atol=tolerance(boundary))


def test_a_model_fitted_on_a_sparse_matrix_scores_as_it_does_there():
    svm = OneClassSVM(nu=0.2).fit(csr_array(X))

    np.testing.assert_allclose(to_boundary(svm).anomaly_score(NEW), -svm.decision_function(csr_array(NEW)), rtol=0, atol=1e-9)


def test_machine_code_agrees_with_scikit_learn_too(compiled):
    np.testing.assert_allclose(BOUNDARY.anomaly_score(NEW), -SVM.decision_function(NEW), rtol=0, atol=tolerance(BOUNDARY))


def test_a_row_far_away_scores_the_offset():
    assert BOUNDARY.anomaly_score(np.full((2, 5), 1e300)).tolist() == [BOUNDARY.offset] * 2


def test_powers_of_two_are_right_to_the_last_digits():
    exponents = np.concatenate([np.linspace(-1000, 0, 20_001), [-0.5, -1.5, -1e-300, 0.0]])

    np.testing.assert_allclose(kernel.exp2(exponents), np.exp2(exponents), rtol=1e-15)
    assert kernel.exp2(np.array([0.0, -1.0, -10.0])).tolist() == [1.0, 0.5, 2.0**-10]


# -- the same bits everywhere ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.3, 3000.0], ids=["by products", "by differences"])
def test_a_row_gets_the_same_bits_alone_and_in_any_batch(gamma):
    boundary = random_boundary(np.random.default_rng(3), 37, 9, gamma)
    rows = np.random.default_rng(4).normal(size=(200, 9))
    whole = boundary.anomaly_score(rows)

    np.testing.assert_array_equal(np.concatenate([boundary.anomaly_score(rows[i : i + 1]) for i in range(200)]), whole)
    np.testing.assert_array_equal(np.concatenate([boundary.anomaly_score(part) for part in np.array_split(rows, 7)]), whole)
    np.testing.assert_array_equal(boundary.anomaly_score(np.asfortranarray(rows)), whole)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 150), m=st.integers(1, 40), d=st.integers(1, 20), scale=st.sampled_from([1e-150, 1.0, 1e4, 1e90]))
def test_machine_code_gives_numpy_s_bits(n, m, d, scale):
    rng = np.random.default_rng(n + 1000 * m + 10_000_000 * d)
    bumps = kernel.Bumps.of(rng.normal(size=(m, d)) * scale, rng.normal(size=m), 1.0 / (d * max(scale, 1e-45) ** 2))
    rows = rng.normal(size=(n, d)) * scale
    before = kernel.SWITCH
    try:
        kernel.SWITCH = 2**62
        plain = kernel.bump_sum(rows, bumps)
        kernel.SWITCH = 0
        fast = kernel.bump_sum(rows, bumps)
    finally:
        kernel.SWITCH = before

    np.testing.assert_array_equal(fast, plain)


# -- parts ------------------------------------------------------------------------------------------------------------


def test_the_score_is_the_offset_minus_all_part_scores():
    np.testing.assert_allclose(
        BOUNDARY.offset - BOUNDARY.part_scores(NEW).sum(axis=1), BOUNDARY.anomaly_score(NEW), rtol=0, atol=tolerance(BOUNDARY)
    )


@settings(max_examples=25, deadline=None)
@given(mask=st.lists(st.booleans(), min_size=BOUNDARY.n_parts, max_size=BOUNDARY.n_parts).map(np.array).filter(np.any))
def test_cutting_then_scoring_is_scoring_then_cutting(mask):
    np.testing.assert_allclose(BOUNDARY.keep(mask).part_scores(NEW[:20]), BOUNDARY.part_scores(NEW[:20])[:, mask], rtol=0, atol=1e-13)


def test_keeping_all_vectors_changes_nothing():
    np.testing.assert_array_equal(BOUNDARY.keep(np.ones(BOUNDARY.n_parts, bool)).anomaly_score(NEW), BOUNDARY.anomaly_score(NEW))


@pytest.mark.parametrize("mask", [np.zeros(BOUNDARY.n_parts, bool), np.ones(3, bool)], ids=["none kept", "too short"])
def test_a_mask_that_keeps_nothing_or_does_not_fit_is_refused(mask):
    with pytest.raises(BadParameter, match=rf"a bool for each of {BOUNDARY.n_parts} vectors"):
        BOUNDARY.keep(mask)


def test_rows_of_another_width_are_refused():
    with pytest.raises(BadParameter, match=r"X has shape \(3, 4\); it is \(n_samples, 5\)"):
        BOUNDARY.anomaly_score(np.zeros((3, 4)))


# -- what has no form of ours ------------------------------------------------------------------------------------------


def test_another_kernel_is_refused_with_the_way_out():
    with pytest.raises(NotPrunable, match=r"kernel='poly'.*kernel='rbf'. Fit it with that kernel"):
        to_boundary(OneClassSVM(kernel="poly").fit(X))


@pytest.mark.parametrize("detector", [OneClassSVM(), "ocsvm"], ids=["not fitted", "no SVM"])
def test_what_is_no_fitted_svm_is_refused(detector):
    with pytest.raises(NotPrunable, match="no fitted one-class SVM: give a fitted OneClassSVM"):
        to_boundary(detector)


# -- files, copies, imports ----------------------------------------------------------------------------------------------


def test_a_saved_boundary_scores_the_same():
    loaded = from_bytes(to_bytes(BOUNDARY))

    np.testing.assert_array_equal(loaded.anomaly_score(NEW), BOUNDARY.anomaly_score(NEW))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weights", np.ones(3)),
        ("gamma", 0.0),
        ("gamma", 1e200),
        ("offset", 1e300),
        ("vectors", np.full((BOUNDARY.n_parts, 5), 1e200)),
        ("vectors", np.empty((0, 5))),
    ],
)
def test_a_file_whose_numbers_make_no_sense_is_refused(field, value):
    spec = BOUNDARY.to_spec()
    where = spec.facts if field in spec.facts else spec.arrays
    where[field] = value

    with pytest.raises((ValueError, BadModelFile)):
        Boundary.from_spec(spec.facts, spec.arrays)


def test_a_pickled_boundary_leaves_what_can_be_made_again():
    fresh = to_boundary(SVM)
    size = len(pickle.dumps(fresh))
    fresh.anomaly_score(NEW)

    assert len(pickle.dumps(fresh)) == size


def test_scoring_few_rows_loads_numpy_only():
    code = """
import sys, numpy as np
from tsprune.model.boundary import Boundary
Boundary(np.zeros((1000, 5)), np.ones(1000), 1.0, 0.0).anomaly_score(np.ones((10, 5)))
assert not {"numba", "scipy", "sklearn", "pandas"} & set(sys.modules), sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
