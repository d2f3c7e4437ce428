"""Views, differences and the detectors of our own: against slow textbooks, the libraries, and row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from tsprune.detect import NearestRows, SubspaceDistance, fit_detector
from tsprune.detect.standard import standard
from tsprune.errors import BadParameter
from tsprune.features import Difference, Windows
from tsprune.features.views import VIEWS, view
from tsprune.kernels.windows import bridged, coarse, largest_ahead, n_pieces
from tsprune.model import subspace
from tsprune.model.nearest import STEP, Nearest
from tsprune.model.subspace import Subspace

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 4)) @ RNG.normal(size=(4, 4))
NEW = RNG.normal(size=(60, 4)) * 2


@pytest.mark.parametrize(("length", "pieces"), [(32, 32), (33, 16), (125, 31), (64, 32), (7, 7)])
def test_a_long_window_becomes_means_of_neighbours(length, pieces):
    window = RNG.normal(size=(3, length))
    taps = -(-length // 32)

    found = coarse(window)

    assert found.shape == (3, pieces) == (3, n_pieces(length))
    newest = window[:, length - pieces * taps :].reshape(3, pieces, taps).mean(axis=2)
    np.testing.assert_allclose(found, newest, rtol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 7, 50])
def test_the_largest_ahead_is_that_of_the_windows_that_cover_a_row(length):
    values = RNG.normal(size=30)
    values[RNG.integers(0, 30, 8)] = np.nan
    expected = pd.Series(values[::-1]).rolling(length, min_periods=1).max().to_numpy()[::-1]

    np.testing.assert_array_equal(largest_ahead(values, length), expected)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_a_gap_is_bridged_by_the_value_before_it_and_only_up_to_its_length(most):
    windows = np.where(RNG.random((200, 9)) < 0.3, np.nan, RNG.normal(size=(200, 9)))

    filled, missing = bridged(windows, most)

    for before, after, refused in zip(windows, filled, missing, strict=True):
        longest = run = 0
        for value in before:
            run = run + 1 if np.isnan(value) else 0
            longest = max(longest, run)
        assert refused == (longest > most or np.isnan(before[-1]))
        if not refused:
            np.testing.assert_array_equal(after, pd.Series(before).ffill().bfill().to_numpy())


def test_a_lone_missing_value_silences_no_window_of_a_view_but_all_plain_ones_that_touch_it():
    x = RNG.normal(size=(300, 1))
    x[200] = np.nan

    plain = Windows(32, "raw", scale="none", bridge=0).fit(x).transform(x)
    seen = view("point").fit(x).transform(x)

    assert np.isnan(plain[200:232]).any(axis=1).all()
    assert np.isnan(seen[200]).any()
    assert not np.isnan(seen[201:]).any()


def test_a_series_with_uneven_steps_has_views_at_all():
    index = pd.DatetimeIndex(np.sort(RNG.choice(pd.date_range("2026-01-01", periods=3000, freq="5min"), 1000, replace=False)))
    x = pd.DataFrame({"speed": RNG.normal(size=1000)}, index=index)

    for name in VIEWS:
        assert view(name).fit(x).transform(x).notna().all(axis=1).mean() > 0.5, name


def test_a_difference_is_numpy_s_and_looks_over_gaps_that_are_usual():
    x = RNG.normal(size=(50, 2))
    np.testing.assert_array_equal(Difference().fit(x).transform(x)[1:], np.diff(x, axis=0))

    sparse = pd.DataFrame({"a": np.arange(0.0, 100.0)}, index=pd.RangeIndex(0, 100)).drop(index=[40, 41])
    steps = Difference().fit(sparse).transform(sparse)["a__difference"]
    assert steps.loc[42] == 3.0


def test_the_distance_to_neighbours_is_that_of_scikit_learn_to_the_grain_of_the_codes():
    part = fit_detector(NearestRows(n_neighbors=3, n_references=500), X).part_
    centre, scale = standard(X)
    search = NearestNeighbors(n_neighbors=3).fit((X - centre) / scale)

    expected = search.kneighbors((NEW - centre) / scale)[0][:, -1]

    np.testing.assert_allclose(part.anomaly_score(NEW), expected, atol=STEP * np.sqrt(4))


def test_mahalanobis_is_that_of_scikit_learn_save_for_directions_without_variance():
    part = SubspaceDistance().fit(X).part_
    centre, scale = standard(X)
    z = (X - centre) / scale

    expected = EmpiricalCovariance().fit(z).mahalanobis((NEW - centre) / scale)

    full = np.linalg.eigvalsh(np.cov(z.T, bias=True))
    ridge = 0.01 * full.mean() + 1e-9
    smallest = full.min()
    ratio = part.anomaly_score(NEW) / expected
    assert (ratio <= 1.0 + 1e-5).all()
    assert (ratio >= smallest / (smallest + ridge) - 1e-5).all()


def test_a_residual_is_what_few_components_leave_over():
    flat = np.column_stack([X[:, 0], X[:, 0] * 2, X[:, 0] * -1])
    detector = SubspaceDistance("residual", explained=0.9).fit(flat)

    on_line, off_line = detector.anomaly_score(np.array([[3.0, 6.0, -3.0], [3.0, -6.0, 3.0]]))

    assert on_line < 1e-6 < off_line


@pytest.mark.parametrize("detector", [NearestRows(random_state=0), SubspaceDistance(), SubspaceDistance("residual")], ids=repr)
def test_one_row_scores_as_it_does_within_a_batch_to_the_bit(detector):
    part = detector.fit(X).part_

    whole = part.anomaly_score(NEW)

    np.testing.assert_array_equal(whole, [part.anomaly_score(NEW[i : i + 1])[0] for i in range(len(NEW))])


def test_fewer_reference_points_are_farther_away():
    part = NearestRows(random_state=0).fit(X).part_
    mask = np.arange(part.n_parts) % 2 == 0

    few = part.keep(mask)

    assert few.n_parts == mask.sum()
    assert (few.anomaly_score(NEW) >= part.anomaly_score(NEW)).all()
    with pytest.raises(BadParameter, match="one of them True"):
        part.keep(np.zeros(part.n_parts, dtype=bool))


def test_parts_that_make_no_sense_are_refused():
    part = Nearest.of(X, *standard(X), n_neighbors=5)
    for broken in (
        Nearest(part.centre, -part.scale, part.codes, 5),
        Nearest(part.centre[:2], part.scale, part.codes, 5),
        Nearest(part.centre, part.scale, part.codes, 501),
    ):
        with pytest.raises(ValueError, match=r"neighbours|agree"):
            broken.check()


def test_an_unknown_view_or_kind_names_those_there_are():
    with pytest.raises(BadParameter, match="'long window'"):
        view("panorama")
    with pytest.raises(BadParameter, match="'mahalanobis'"):
        SubspaceDistance("cosine").fit(X)


@pytest.mark.parametrize(("n", "d"), [(1, 3), (63, 2), (64, 5), (1100, 33)])
def test_machine_code_sums_squares_along_directions_to_the_same_bits(n, d, monkeypatch):
    rng = np.random.default_rng(d)
    rows = rng.normal(size=(n, d)) * 30.0
    part = Subspace(rng.normal(size=d), rng.uniform(0.5, 2.0, d), rng.normal(size=(d, d)).astype(np.float32), rng.random(d))

    found = []
    for machine in (False, True):
        monkeypatch.setattr(subspace, "compiled", lambda _, machine=machine: machine)
        found.append(part.anomaly_score(rows))

    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], part.part_scores(rows).sum(axis=1), rtol=1e-12)
