"""Ours in other people's frames: PyOD's own expectations, aeon, darts, and scikit-learn's tools."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from pyod.models.base import BaseDetector
from pyod.utils.data import generate_data
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline

import tsprune as tsp
from tsprune.errors import BadParameter, BadSeries

X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = generate_data(n_train=200, n_test=100, n_features=2, contamination=0.1, random_state=42)
ROC_FLOOR = 0.8


def pruned(detector="iforest"):
    small = IsolationForest(n_estimators=25, random_state=0) if detector == "iforest" else detector
    return tsp.Pruned(small, keep=0.3, guard=None, random_state=0)


HOURS = pd.date_range("2026-01-05", periods=24 * 28, freq="h")
LOAD = pd.DataFrame({"load": 10 + np.sin(np.arange(24 * 28) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 0.1, 24 * 28)}, HOURS)


def chain():
    return tsp.Pipeline([tsp.Deseason(24), tsp.Windows(4), pruned()])


# -- what PyOD's own tests expect of each of its detectors ----------------------------------------------------------------


@pytest.fixture(scope="module", params=["iforest", "lof", "ocsvm"])
def fitted(request):
    return tsp.as_pyod(pruned(request.param), contamination=0.1).fit(X_TRAIN)


def test_it_is_a_pyod_detector_with_the_attributes_of_one(fitted):
    assert isinstance(fitted, BaseDetector)
    for name in ("decision_scores_", "labels_", "threshold_", "_mu", "_sigma", "n_features_in_"):
        assert getattr(fitted, name) is not None
    assert len(fitted.decision_scores_) == len(X_TRAIN)
    assert set(np.unique(fitted.labels_)) == {0, 1}


def test_scores_have_a_row_each_and_order_outliers_first(fitted):
    scores = fitted.decision_function(X_TEST)

    assert scores.shape == (len(X_TEST),)
    assert roc_auc_score(Y_TEST, scores) >= ROC_FLOOR
    np.testing.assert_array_equal(fitted.decision_function(X_TRAIN), fitted.decision_scores_)


def test_contamination_is_the_share_of_training_rows_above_the_threshold(fitted):
    assert fitted.labels_.sum() == 20
    np.testing.assert_array_equal(fitted.predict(X_TRAIN), fitted.labels_)


@pytest.mark.parametrize("method", ["linear", "unify"])
def test_probabilities_lie_in_zero_to_one(fitted, method):
    chances = fitted.predict_proba(X_TEST, method=method)

    assert chances.shape == (len(X_TEST), 2)
    assert chances.min() >= 0
    assert chances.max() <= 1
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)


def test_an_unknown_method_of_probability_is_refused(fitted):
    with pytest.raises(ValueError, match="probability conversion"):
        fitted.predict_proba(X_TEST, method="something")


def test_confidence_comes_with_labels_and_probabilities(fitted):
    labels, sure = fitted.predict(X_TEST, return_confidence=True)
    chances, again = fitted.predict_proba(X_TEST, method="linear", return_confidence=True)

    np.testing.assert_array_equal(labels, fitted.predict(X_TEST))
    np.testing.assert_array_equal(sure, again)
    assert sure.shape == (len(X_TEST),)
    assert 0 <= sure.min() <= sure.max() <= 1
    assert len(chances) == len(X_TEST)


@pytest.mark.filterwarnings("ignore:The cost of rejection")
def test_what_is_not_sure_is_rejected_at_the_rate_expected(fitted):
    labels, (expected, upper, cost) = fitted.predict_with_rejection(X_TEST, return_stats=True)

    assert set(np.unique(labels)) <= {-2, 0, 1}
    assert 0 <= expected <= upper <= 1
    assert cost >= 0


def test_ranks_are_those_of_the_scores(fitted):
    ranks = fitted._predict_rank(X_TEST)
    order = np.argsort(fitted.decision_function(X_TEST))

    assert (np.diff(ranks[order]) >= 0).all()
    assert 0 <= fitted._predict_rank(X_TEST, normalized=True).max() <= 1


def test_fit_predict_and_fit_predict_score_do_what_fit_does():
    detector = tsp.as_pyod(pruned(), contamination=0.1)

    with pytest.warns(FutureWarning):
        labels = detector.fit_predict(X_TRAIN)
    assert labels.sum() == 20
    with pytest.warns(FutureWarning):
        found = detector.fit_predict_score(X_TEST, Y_TEST, scoring="prc_n_score")
    assert found > 0.5
    with pytest.raises(NotImplementedError), pytest.warns(FutureWarning):
        detector.fit_predict_score(X_TEST, Y_TEST, scoring="something")


def test_a_clone_is_unfitted_and_learns_the_same():
    fitted = tsp.as_pyod(pruned(), contamination=0.1).fit(X_TRAIN)
    again = clone(fitted)

    assert not hasattr(again, "decision_scores_")
    assert again.contamination == 0.1
    np.testing.assert_array_equal(again.fit(X_TRAIN).decision_scores_, fitted.decision_scores_)


def test_it_goes_into_pyod_s_own_window_adapter():
    from pyod.models.ts_od import TimeSeriesOD

    series, fault = _with_fault()
    inside = TimeSeriesOD(detector=tsp.as_pyod(pruned(), contamination=0.1), window_size=8).fit(series[:300])

    assert fault.start - 8 <= 300 + int(np.argmax(inside.decision_function(series[300:]))) < fault.stop + 8


# -- what is ours in it -----------------------------------------------------------------------------------------------------


def test_without_a_contamination_the_threshold_is_the_model_s_own():
    pipeline = tsp.Pipeline([pruned("lof"), tsp.Threshold(rate=0.02)]).fit(X_TRAIN)
    detector = tsp.as_pyod(pipeline)

    assert detector.threshold_ == pipeline.threshold_
    assert detector.labels_.sum() == 4
    np.testing.assert_array_equal(detector.predict(X_TEST), pipeline.detect(X_TEST).astype(int))
    assert detector.predict_confidence(X_TEST).min() >= 0
    assert len(detector.compute_rejection_stats()) == 3


def test_a_fitted_pipeline_is_shown_as_it_is_and_keeps_the_times():
    pipeline = chain().fit(LOAD[:400])
    detector = tsp.as_pyod(pipeline)

    scores = detector.decision_function(LOAD[400:])
    wanted = pipeline.anomaly_score(LOAD[400:]).to_numpy()
    known = ~np.isnan(wanted)
    np.testing.assert_array_equal(scores[known], wanted[known])
    assert (~known).sum() == pipeline.min_lookback_ == 2
    assert (scores[~known] == detector.decision_scores_.min()).all()


def test_a_saved_model_scores_and_labels_at_once_and_learns_nothing(tmp_path):
    pipeline = chain().fit(LOAD[:400])
    pipeline.freeze().save(tmp_path / "load.tsp")
    detector = tsp.as_pyod(tsp.load(tmp_path / "load.tsp"))

    labels = detector.predict(LOAD[400:])
    np.testing.assert_array_equal(labels, pipeline.detect(LOAD[400:]).astype(int))
    detector.fit(LOAD[:400])
    np.testing.assert_array_equal(detector.decision_scores_, tsp.as_pyod(pipeline).decision_scores_)
    np.testing.assert_array_equal(detector.predict(LOAD[400:]), labels)


def test_what_makes_no_sense_is_refused_by_name():
    with pytest.raises(BadParameter, match="model is 3"):
        tsp.as_pyod(3)
    with pytest.raises(BadParameter, match=r"contamination is 0\.9"):
        tsp.as_pyod(pruned(), contamination=0.9).fit(X_TRAIN)
    short = tsp.as_pyod(chain().fit(LOAD[:400]).freeze())
    with pytest.raises(BadSeries, match="no row of X has a score"):
        short.fit(LOAD[:2])


# -- frames that take PyOD detectors; they run where they are installed -----------------------------------------------------


def test_aeon_s_adapter_finds_the_fault():
    adapters = pytest.importorskip("aeon.anomaly_detection.series", reason="needs aeon")
    series, fault = _with_fault()

    adapter = adapters.PyODAdapter(tsp.as_pyod(pruned(), contamination=0.1), window_size=8)
    assert fault.start <= int(np.argmax(adapter.fit_predict(series))) < fault.stop
    adapter.fit(series[:300])
    assert len(adapter.predict(series[300:])) == len(series) - 300


def test_darts_scorer_finds_the_fault():
    scorers = pytest.importorskip("darts.ad.scorers", reason="needs darts")
    from darts import TimeSeries

    series, fault = _with_fault()
    scorer = scorers.PyODScorer(model=tsp.as_pyod(pruned(), contamination=0.1), window=8)
    scorer.fit(TimeSeries.from_values(series[:300]))
    scores = scorer.score(TimeSeries.from_values(series[300:])).values().ravel()
    assert fault.start - 300 - 8 <= int(np.argmax(scores)) < fault.stop - 300 + 8


def _with_fault():
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(600) * 2 * np.pi / 24) + rng.normal(0, 0.1, 600)
    fault = slice(450, 465)
    series[fault] += 3.0
    return series, fault


# -- scikit-learn's own tools -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled():
    rows, label = LOAD.copy(), pd.Series(0, index=LOAD.index)
    for at in range(60, len(rows), 80):
        rows.iloc[at : at + 4] += 2.0
        label.iloc[at : at + 4] = 1
    return rows, label


def vus_pr(estimator, rows, label):
    return tsp.metrics.vus_pr(label, estimator.anomaly_score(rows), buffer=4)


def test_grid_search_over_time_splits_sets_parameters_of_steps(labelled):
    search = GridSearchCV(chain(), {"windows__length": [2, 6], "pruned__keep": [0.1, 0.5]}, scoring=vus_pr, cv=TimeSeriesSplit(2))
    search.fit(*labelled)

    assert search.best_params_.keys() == {"windows__length", "pruned__keep"}
    assert search.best_score_ > 0.7
    assert search.best_estimator_.named_stages_["windows"].length == search.best_params_["windows__length"]
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_grid_search_over_whole_steps(labelled):
    search = GridSearchCV(chain(), {"pruned": [pruned("iforest"), pruned("lof")]}, scoring=vus_pr, cv=TimeSeriesSplit(2))

    assert search.fit(*labelled).best_score_ > 0.5


def test_cross_validation_over_time_splits_gives_fitted_pipelines(labelled):
    found = cross_validate(chain(), *labelled, scoring={"vus": vus_pr}, cv=TimeSeriesSplit(2), return_estimator=True)

    assert (found["test_vus"] > 0.5).all()
    assert all(estimator.threshold_ > 0 for estimator in found["estimator"])


def test_a_fitted_pipeline_goes_to_another_process_and_scores_the_same():
    """As joblib and Dask send it; nothing of ours reads or writes such bytes."""
    fitted = chain().fit(LOAD[:400])
    again = pickle.loads(pickle.dumps(fitted))

    pd.testing.assert_series_equal(again.anomaly_score(LOAD[400:]), fitted.anomaly_score(LOAD[400:]))


def test_a_scorer_by_name_of_response_judges_pruned(labelled):
    """scikit-learn counts an anomaly as the negative class: -1, with a negative decision."""
    scorer = make_scorer(roc_auc_score, response_method="decision_function")
    rows, label = labelled
    found = cross_validate(pruned("lof"), rows.diff().fillna(0.0), np.where(label, -1, 1), scoring=scorer, cv=TimeSeriesSplit(2))

    assert (found["test_score"] > 0.5).all()


def test_stages_and_pruned_in_a_scikit_learn_pipeline_with_set_output(labelled):
    """The same scores as in a pipeline of ours, which learns nothing from the half-seen windows that `bridge` would let through."""
    rows, _ = labelled
    chained = make_pipeline(tsp.Deseason(24), tsp.Windows(4, bridge=0), tsp.SelectFeatures(), pruned()).set_output(transform="pandas")
    chained.fit(rows[:400])

    inner = chained[:-1].transform(rows)
    assert list(inner.columns) == list(chained[:-1].get_feature_names_out())
    assert inner.index.equals(rows.index)
    ours = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(4, bridge=0), tsp.SelectFeatures(), pruned()]).fit(rows[:400])
    np.testing.assert_array_equal(-chained.score_samples(rows), ours.anomaly_score(rows).to_numpy())


@pytest.mark.parametrize("kind", ["default", "pandas"])
def test_set_output_gives_the_container_asked_for(kind):
    made = tsp.Windows(4).set_output(transform=kind).fit_transform(LOAD.to_numpy())

    assert isinstance(made, pd.DataFrame if kind == "pandas" else np.ndarray)


def test_metadata_routing_carries_weights_to_the_scorer(labelled):
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(_weighted_auc, response_method="predict").set_score_request(sample_weight=True)
        found = cross_validate(
            chain(),
            labelled[0],
            np.where(labelled[1], -1, 1),
            scoring=scorer,
            cv=TimeSeriesSplit(2),
            params={"sample_weight": np.ones(len(labelled[1]))},
        )
        assert (found["test_score"] > 0.0).all()
        assert chain().get_metadata_routing() is not None


def _weighted_auc(label, predicted, sample_weight=None):
    if sample_weight is None:
        raise AssertionError("the weights did not arrive")
    return roc_auc_score(label, predicted, sample_weight=sample_weight)
