"""Models as ONNX graphs: the runtime gives our scores."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest

import tsprune as tsp
from tsprune.detect.columns import EachColumn
from tsprune.errors import BadParameter, NotPrunable
from tsprune.prune.criteria import Suspicion

RNG = np.random.default_rng(0)
#: Rows that are compared.
N = 10_000
#: Two columns with a cycle of 24 rows, with ties and far values among them; whole numbers of float32.
ROWS = (RNG.normal(size=(N, 2)) + np.sin(np.arange(N) * np.pi / 12)[:, None]).astype(np.float32)
ROWS[::50] = np.round(ROWS[::50])
ROWS[::997] *= 40.0
HISTORY = ROWS[:1500].astype(np.float64)

DETECTORS = {
    "forest": "iforest",
    "forest of few nodes": tsp.Pruned("iforest", keep=0.1, guard=None, random_state=0),
    "forest of one tree": IsolationForest(n_estimators=1, random_state=0),
    "one-class SVM": "ocsvm",
    "few centres": tsp.Pruned("ocsvm", keep=0.2, guard=None, random_state=0),
    "LOF": "lof",
    "condensed LOF": tsp.Pruned("lof", keep=0.3, guard=None, random_state=0),
    "cascade": tsp.Pruned("lof", criterion=Suspicion(), guard=None, random_state=0),
    "nearest": "nearest",
    "subspace": "subspace",
    "largest distance": KNN(),
    "mean distance": KNN(method="mean"),
    "median distance": KNN(method="median", n_neighbors=6),
}
EVERY_FEATURE = (
    "deviation",
    "max",
    "mean",
    "median",
    "min",
    "range",
    "roughness",
    "slope",
    "std",
    "step",
    "value",
    "shape",
    "coarse",
    "raw",
)


@pytest.fixture
def session(tmp_path):
    """The scores of a runtime, batch by batch: distances to many points take memory."""
    pytest.importorskip("onnx", reason="needs tsprune[onnx]")
    runtime = pytest.importorskip("onnxruntime", reason="needs tsprune[onnx]")

    def run(model, rows, time=None, size=N, **how):
        model.to_onnx(tmp_path / "model.onnx", **how)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        made = runtime.InferenceSession(tmp_path / "model.onnx", options, providers=["CPUExecutionProvider"])
        found = []
        for start in range(0, max(1, len(rows)), size):
            given = {"rows": rows[start : start + size]}
            if time is not None:
                given["time"] = time[start : start + min(size, len(rows))]
            found.append(made.run(None, given))
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    return run


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_scores_ten_thousand_rows_alike(name, session):
    model = tsp.Pipeline([DETECTORS[name]]).fit(HISTORY).freeze()

    scores, anomaly = session(model, ROWS, size=1000)

    wanted = model.anomaly_score(ROWS)
    np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)
    clear = np.abs(wanted - model.threshold) > 1e-9
    np.testing.assert_array_equal(anomaly[clear], model.detect(ROWS)[clear])
    assert clear.mean() > 0.95


def test_rows_on_a_threshold_and_next_to_it_go_the_same_way(session):
    model = tsp.Pipeline(["iforest"]).fit(HISTORY).freeze()
    forest = model.detector
    inner = forest.feature >= 0
    rows = np.repeat(ROWS[:1], 3 * inner.sum(), axis=0)
    near = np.concatenate([np.nextafter(forest.threshold[inner], np.float32(to)) for to in (-np.inf, np.inf)] + [forest.threshold[inner]])
    rows[np.arange(len(rows)), np.tile(forest.feature[inner], 3)] = near

    scores, _ = session(model, rows)

    np.testing.assert_allclose(scores, model.anomaly_score(rows), rtol=1e-9)


@pytest.mark.parametrize("detector", ["iforest", "ocsvm", "lof"])
def test_season_windows_and_chosen_columns_go_along(detector, session):
    steps = [tsp.Deseason(period=24), tsp.Windows(12), tsp.SelectFeatures(), tsp.Pruned(detector, keep=0.2, guard=None, random_state=0)]
    model = tsp.Pipeline(steps).fit(HISTORY).freeze()
    rows, slots = ROWS[: N // 2].copy(), np.arange(5, N // 2 + 5)
    rows[[100, 2000, 2001], 0] = np.nan

    scores, anomaly = session(model, rows, slots)

    np.testing.assert_allclose(scores, model.anomaly_score(rows, slots), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(anomaly, model.detect(rows, slots))
    assert np.isnan(scores).sum() == 3 + 8  # missing themselves, and before the first window


@pytest.mark.parametrize("length", [1, 5, 70])
def test_every_feature_of_a_window_goes_along(length, session):
    model = tsp.Pipeline([tsp.Windows(length, features=EVERY_FEATURE), "subspace"]).fit(HISTORY).freeze()

    scores, _ = session(model, ROWS)

    np.testing.assert_allclose(scores, model.anomaly_score(ROWS), rtol=1e-5, atol=1e-5)


def test_a_day_goes_by_the_clock_on_the_wall(session):
    index = pd.date_range("2026-01-01", periods=N, freq="37min", tz="Europe/Berlin")
    history = pd.DataFrame(ROWS.astype(np.float64), index=index)
    for wall in (True, False):
        model = tsp.Pipeline([tsp.Deseason(period=39, wall=wall), "iforest"]).fit(history[:6000]).freeze()
        nanoseconds = index.tz_convert("UTC").as_unit("ns").asi8

        scores, _ = session(model, ROWS, nanoseconds)

        np.testing.assert_allclose(scores, model.anomaly_score(ROWS, nanoseconds), rtol=1e-5)


def test_a_fraction_of_a_period_and_slots_below_zero_count_alike(session):
    model = tsp.Pipeline([tsp.Deseason(period=24), "subspace"]).fit(HISTORY).freeze()
    season = model.parts[0]
    fractional = type(season)(season.n_features, season.columns, season.periods - 0.35, season.bins, season.profiles, season.wall)
    slots = np.arange(-N // 2, N // 2)
    for part in (season, fractional):
        changed = type(model)(model.clock, model.columns, (part,), model.detector, model.level)

        scores, _ = session(changed, ROWS, slots)

        np.testing.assert_allclose(scores, changed.anomaly_score(ROWS, slots), rtol=1e-5)


def test_differences_over_gaps_go_along(session):
    model = tsp.Pipeline([tsp.features.difference.Difference(), "subspace"]).fit(HISTORY).freeze()
    rows = ROWS.copy()
    rows[RNG.random(ROWS.shape) < 0.3] = np.nan

    scores, _ = session(model, rows)

    np.testing.assert_allclose(scores, model.anomaly_score(rows), rtol=1e-5)


def test_double_precision_sees_what_single_precision_cannot(session):
    far = HISTORY * 1e-3 + 1e6
    model = tsp.Pipeline(["ocsvm"]).fit(far).freeze()

    np.testing.assert_allclose(session(model, far, dtype="float64")[0], model.anomaly_score(far), rtol=1e-5, atol=1e-5)


def test_the_detector_alone_takes_what_the_parts_before_it_give(session):
    model = tsp.Pipeline([tsp.Deseason(period=24, adapt=0.5), tsp.Windows(6), "iforest"]).fit(HISTORY).freeze()
    features = model.features(HISTORY, model.clock.slots(None, len(HISTORY)))

    with pytest.raises(NotPrunable, match=r"AdaptedSeason has no form in ONNX.*Deseason\(adapt=0\).*detector_only=True"):
        session(model, ROWS)
    scores, _ = session(model, features, dtype="float64", detector_only=True)

    np.testing.assert_allclose(scores, model.anomaly_score(HISTORY), rtol=1e-5)


@pytest.mark.parametrize("first", [0, 5, 24 * 7, -13])
@pytest.mark.parametrize("channels", [("level",), ("difference", "level"), ("level", "innovation")])
def test_trends_of_past_blocks_go_along(channels, first, session):
    model = tsp.Pipeline([tsp.Detrend(length=72, channels=channels), tsp.Windows(3), "subspace"]).fit(HISTORY).freeze()
    rows, slots = ROWS.copy(), np.arange(first, first + N)
    rows[2000:] += 2.0
    rows[np.random.default_rng(3).random(ROWS.shape) < 0.1] = np.nan
    rows[500:700] = np.nan
    assert model.parts[0].blocks > 0

    for given in (ROWS, rows):
        scores, _ = session(model, given, slots)
        np.testing.assert_allclose(scores, model.anomaly_score(given, slots), rtol=1e-5, atol=1e-5)


def test_what_has_no_form_in_onnx_is_refused_with_the_way_out(tmp_path):
    pytest.importorskip("onnx", reason="needs tsprune[onnx]")
    history = pd.DataFrame(HISTORY, index=pd.date_range("2026-01-01", periods=len(HISTORY), freq="h"))
    blend = tsp.Blend([tsp.Pipeline([tsp.Deseason(period=24, adapt=0.5), "iforest"]), tsp.Pipeline(["subspace"])]).fit(history).freeze()
    months = pd.DataFrame(HISTORY[:240], index=pd.date_range("1990-01-01", periods=240, freq="MS"))
    monthly = tsp.Pipeline([tsp.Deseason(period=12), "iforest"]).fit(months).freeze()
    strange = replace(monthly, parts=(), detector=object())

    told = {"AdaptedSeason, which a member of the blend passes": blend, "calendar months": monthly, "object has no form": strange}
    for words, model in told.items():
        with pytest.raises(NotPrunable, match=words):
            model.to_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("model", ["iforest", "ocsvm", "lof", "nearest", "subspace", "blend"])
def test_no_row_gets_no_score(model, session):
    views = [tsp.Pipeline([tsp.Windows(6), "nearest"]), tsp.Pipeline([tsp.Denoise("savgol"), "subspace"])]
    detector = tsp.Blend(views) if model == "blend" else tsp.Pipeline([tsp.Deseason(24), tsp.Detrend(length=48), tsp.Windows(6), model])
    fitted = detector.fit(HISTORY).freeze()
    time = np.arange(1) if fitted.uses_clock else None

    assert [len(values) for values in session(fitted, ROWS[:1], time)] == [1, 1]
    assert [len(values) for values in session(fitted, ROWS[:0], time, size=1)] == [0, 0]


def test_a_blend_goes_along_with_its_views_and_calibrated_tails(session):
    views = [[tsp.Windows(6), "iforest"], [tsp.features.difference.Difference(), tsp.Windows(4), "subspace"], [tsp.Windows(6), "nearest"]]
    index = pd.date_range("2026-01-01", periods=N, freq="h")
    members = [tsp.Pipeline([tsp.Deseason(period=24), *view]) for view in views]
    model = (
        tsp.Blend([*members, tsp.Pipeline(["ocsvm"])], weights=[2.0, 1.0, 1.0, 0.5])
        .fit(pd.DataFrame(HISTORY, index[: len(HISTORY)]))
        .freeze()
    )
    rows = ROWS.copy()
    rows[[100, 2000, 2001, 2009], 0] = np.nan
    rows[4000:4100] *= 1e6

    scores, anomaly = session(model, rows, index.as_unit("ns").asi8)

    wanted = model.anomaly_score(rows, index.as_unit("ns").asi8)
    np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(anomaly, wanted > model.threshold)
    assert np.isnan(wanted[:8]).any()
    assert wanted[4000:4100].max() > 20.0  # beyond the cap


def test_a_blend_of_each_column_alone_goes_along(session):
    windows = tsp.Windows(4).fit(HISTORY)
    model = tsp.Pipeline([windows, EachColumn(width=windows.part_.n_out // 2)]).fit(HISTORY).freeze()

    scores, _ = session(model, ROWS)

    np.testing.assert_allclose(scores, model.anomaly_score(ROWS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("period", [24, None])
def test_the_blend_that_choose_finds_goes_along(period, session):
    rng = np.random.default_rng(2)
    history = rng.normal(size=1500) + (5.0 * np.sin(np.arange(1500) * 2 * np.pi / period) if period else 0.0)
    model = tsp.choose(pd.Series(history)).pipeline.freeze()
    rows = (history[:1000, None] + rng.normal(size=(1000, 1))).astype(np.float32)
    slots = np.arange(1500, 2500)

    scores, *_ = session(model, rows, slots if model.uses_clock else None)

    np.testing.assert_allclose(scores, model.anomaly_score(rows, slots), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("output", ["add", "replace"])
@pytest.mark.parametrize("method", ["hampel", "kalman", "mean", "median", "savgol", "wavelet"])
@pytest.mark.filterwarnings("ignore:.*deletes spikes:UserWarning")
def test_smoothed_copies_go_along(method, output, session):
    model = tsp.Pipeline([tsp.Denoise(method, window=12, output=output), tsp.Windows(3), "subspace"]).fit(HISTORY).freeze()
    rows = ROWS.copy()
    rows[np.random.default_rng(3).random(ROWS.shape) < 0.2] = np.nan
    rows[500:560] = np.nan

    for given in (ROWS, rows):
        scores, _ = session(model, given)
        np.testing.assert_allclose(scores, model.anomaly_score(given), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bridge", [1, 3, 20])
def test_windows_bridge_the_same_gaps(session, bridge):
    holes = np.where(np.random.default_rng(1).random(ROWS[:2000].shape) < 0.2, np.nan, ROWS[:2000])
    holes[500:506, 0] = holes[900:930] = np.nan
    model = tsp.Pipeline([tsp.Windows(6, ("raw", "shape", "statistics"), bridge=bridge), "subspace"]).fit(HISTORY).freeze()
    (scores, *_) = session(model, holes)
    expected = model.anomaly_score(holes)

    assert 0.1 < np.isnan(expected).mean() < 0.9
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.parametrize("looks_back", [{"recalibrate": 500}, {"min_length": 3}])
def test_a_threshold_that_looks_back_on_other_scores_is_left_out(session, looks_back):
    model = tsp.Pipeline(["iforest", tsp.Threshold(rate=0.01, **looks_back)]).fit(HISTORY).freeze()

    assert len(session(model, ROWS)) == 1


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    model = tsp.Pipeline(["subspace"]).fit(HISTORY).freeze()

    with pytest.raises(BadParameter, match=r"pip install 'tsprune\[onnx\]'"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
