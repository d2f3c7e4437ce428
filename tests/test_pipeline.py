"""The main job: learn, score, freeze, save, load; equal to the bit wherever the same rows are scored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.lof import LOF
from pyod.models.ocsvm import OCSVM
from series_kinds import kinds
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

import tsprune as tsp
from tsprune import checks
from tsprune.errors import BadParameter, BadSeries, NotPrunable, OverPruned
from tsprune.model import file

SERIES = kinds()


def chain(detector: object = None) -> tsp.Pipeline:
    """A short, quick chain."""
    return tsp.Pipeline(
        [tsp.Deseason(), tsp.Windows(5), IsolationForest(n_estimators=20, random_state=0) if detector is None else detector]
    )


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize(
    "detector", [IsolationForest(n_estimators=20, random_state=0), LocalOutlierFactor(novelty=True), OneClassSVM(nu=0.1)], ids=repr
)
def test_a_whole_chain_keeps_the_promises_to_the_bit(detector, kind):
    checks.check_all(chain(detector), SERIES[kind])


def test_a_chain_with_every_stage_keeps_the_promises():
    steps = [tsp.Deseason(), tsp.Detrend(length=96), tsp.Denoise(), tsp.Windows(8, features="point"), tsp.SelectFeatures()]
    checks.check_all(
        tsp.Pipeline([*steps, tsp.Pruned("iforest", keep=0.2, guard=None, random_state=0)]), SERIES["New York in autumn, gaps"]
    )


@pytest.mark.parametrize("first", [0, 3])
def test_windows_that_are_ready_to_bridge_learn_the_same_where_nothing_is_missing(first):
    """The first windows of a history are half seen: they are scored, and teach nothing."""
    history = SERIES["regular"].astype(float)
    history.iloc[:first] = np.nan
    silent, ready = (
        tsp.Pipeline([tsp.Windows(9, bridge=gap), IsolationForest(n_estimators=20, random_state=0)]).fit(history) for gap in (0, "auto")
    )
    assert ready.named_stages_["windows"].part_.bridge == 2
    assert ready.threshold_ == silent.threshold_
    assert file.to_bytes(ready.model_.detector) == file.to_bytes(silent.model_.detector)
    assert (np.asarray(silent.anomaly_score(history))[first + 8 :] == np.asarray(ready.anomaly_score(history))[first + 8 :]).all()
    assert np.isfinite(np.asarray(ready.anomaly_score(history))[first + 6 : first + 8]).all()


@pytest.mark.parametrize(
    "detector",
    [IsolationForest(random_state=0), IForest(random_state=0), LocalOutlierFactor(novelty=True), LOF(), OneClassSVM(), OCSVM()],
    ids=lambda d: f"{type(d).__module__.split('.')[0]} {type(d).__name__}",
)
def test_scores_are_the_library_s(detector):
    X = np.random.default_rng(0).normal(size=(400, 3))
    ours = tsp.Pipeline([detector]).fit(X).anomaly_score(X[::3] + 0.1)
    fitted = clone(detector).fit(X)

    if hasattr(fitted, "decision_scores_") or isinstance(fitted, OneClassSVM):
        theirs = fitted.decision_function(X[::3] + 0.1) * (1 if hasattr(fitted, "decision_scores_") else -1)
    else:
        theirs = -fitted.score_samples(X[::3] + 0.1)
    np.testing.assert_allclose(ours, theirs, atol=1e-10 * np.ptp(theirs))


@pytest.mark.parametrize("name", ["iforest", "ocsvm", "lof"])
@pytest.mark.parametrize("kind", ["regular", "Berlin in spring", "missing rows", "whole numbers", "months"])
def test_a_saved_model_scores_to_the_bit_as_before(tmp_path, name, kind):
    x = SERIES[kind]
    pipeline = chain(tsp.Pruned(name, random_state=0)).fit(x.iloc[: len(x) // 2])
    pipeline.freeze().save(tmp_path / "m.tsp")

    model = tsp.load(tmp_path / "m.tsp")
    time = x.index.asi8 if kind == "whole numbers-" else tsp.checks.times(x.index)

    np.testing.assert_array_equal(model.anomaly_score(x.to_numpy(), time), pipeline.anomaly_score(x).to_numpy())
    assert (model.lookback, model.threshold) == (pipeline.lookback_, pipeline.threshold_)


def test_context_gives_the_first_row_its_lookback():
    x = SERIES["regular"]
    pipeline = chain().fit(x.iloc[:500])

    with_context = pipeline.anomaly_score(x.iloc[600:610], context=x.iloc[500:600])

    np.testing.assert_array_equal(with_context, pipeline.anomaly_score(x).iloc[600:610])
    assert pipeline.anomaly_score(x.iloc[600:610]).isna().sum() == pipeline.min_lookback_ == 3
    assert pipeline.lookback_time_ == pd.Timedelta(hours=pipeline.lookback_)


def test_scores_alarms_and_labels_agree():
    x = SERIES["regular"]
    pipeline = chain().fit(x.iloc[:500])
    scores = pipeline.anomaly_score(x)

    assert pipeline.detect(x).equals((scores > pipeline.threshold_).rename("alarm"))
    assert ((pipeline.predict(x) == -1) == pipeline.detect(x).to_numpy()).all()


def test_more_rows_than_a_chunk_score_as_few_do(monkeypatch):
    x = SERIES["missing rows"]
    pipeline = tsp.Pipeline([tsp.Detrend(length=50), tsp.Windows(5), IsolationForest(n_estimators=10, random_state=0)]).fit(x)
    whole = pipeline.anomaly_score(x)
    monkeypatch.setattr("tsprune.model.chain.CHUNK", 64)

    np.testing.assert_array_equal(pipeline.anomaly_score(x), whole)


def test_parameters_are_reached_by_name_and_cloned():
    pipeline = chain()
    pipeline.set_params(windows__length=7, deseason__period=24)

    assert clone(pipeline).get_params()["windows__length"] == 7
    assert clone(pipeline).fit(SERIES["regular"]).named_stages_["windows"].lookback_ == 6
    with pytest.raises(BadParameter, match="'nothing__x'"):
        pipeline.set_params(nothing__x=1)


def test_steps_are_named_by_the_user_or_by_their_class():
    pipeline = tsp.Pipeline([("clean", tsp.Denoise()), tsp.Denoise("mean"), tsp.Denoise("median"), "iforest"])

    assert [name for name, _ in pipeline.named_steps()] == ["clean", "denoise", "denoise-2", "iforest"]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], "steps is"),
        ([tsp.Deseason()], "without a detector"),
        (["iforest", tsp.Deseason()], "without a detector"),
        (["iforest", "lof"], "before the detector come stages"),
        ([("a", tsp.Denoise()), ("a", tsp.Denoise()), "iforest"], "stands twice"),
        (["wood"], "detector is 'wood'"),
        ([42], "detector is 42"),
    ],
)
def test_steps_that_make_no_chain_are_refused(steps, told):
    with pytest.raises(BadParameter, match=told):
        tsp.Pipeline(steps).fit(SERIES["regular"])


def test_a_history_without_a_complete_window_is_refused():
    x = pd.Series([1.0, np.nan, np.nan, np.nan] * 50)
    with pytest.raises(BadSeries, match="no complete window"):
        chain().fit(x)


def test_any_other_detector_of_pyod_scores_but_does_not_freeze():
    x = SERIES["regular"]
    pipeline = chain(ECOD()).fit(x)

    assert pipeline.anomaly_score(x).notna().sum() == len(x) - pipeline.min_lookback_
    with pytest.raises(NotPrunable, match=r"[Dd]istil"):
        pipeline.freeze()


def test_the_same_seed_gives_the_same_scores_for_every_number_of_jobs():
    x = SERIES["regular"]
    scores = [chain(tsp.Pruned("iforest", random_state=3, n_jobs=n)).fit(x).anomaly_score(x) for n in (1, 2, None)]

    assert scores[0].equals(scores[1])
    assert scores[0].equals(scores[2])


# -- the report -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged():
    """A chain with a stage that is junk, and its report on labelled rows."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-01-01", periods=24 * 100, freq="h")
    x = pd.Series(5 * np.sin(np.arange(len(index)) * np.pi / 12) + rng.normal(size=len(index)) * 0.3, index=index, name="load")
    labels = pd.Series(0, index=index)
    for start in range(24 * 55, len(x) - 30, 120):
        x.iloc[start : start + 6] += 2.5
        labels.iloc[start : start + 6] = 1
    steps = [
        tsp.Deseason(),
        tsp.Denoise("mean", window=13, output="replace"),
        tsp.Windows(3, features="raw"),
        tsp.Pruned("iforest", random_state=0),
    ]
    pipeline = tsp.Pipeline(steps).fit(x.iloc[: 24 * 50])
    return pipeline, x.iloc[24 * 50 :], labels.iloc[24 * 50 :]


def test_a_stage_that_helps_and_one_that_hurts_are_told_apart(judged):
    pipeline, rows, labels = judged
    frame = pipeline.report(rows, labels, metrics=("auc_pr",), n_boot=100).to_frame().set_index("stage")

    assert frame.loc["deseason", "verdict"] == "helps"
    assert frame.loc["denoise", "verdict"] == "hurts"
    assert frame.loc["denoise", "energy_kept"] < 0.5 < frame.loc["deseason", "energy_kept"]
    assert (frame["source"] == "labels").all()


def test_without_labels_every_line_says_that_it_is_estimated(judged):
    pipeline, rows, _ = judged
    report = pipeline.report(rows, metrics=("auc_pr",), n_boot=40)

    assert set(report.to_frame()["source"]) == {"injected"}
    assert "estimated by injection" in str(report)
    assert all("estimated" in line for line in str(report).splitlines()[2 : 2 + len(pipeline.named_stages_)])
    assert all("estimated by injection" in str(effect) for effect in report.stages)


def test_a_guard_takes_out_the_stages_it_refuses(judged):
    pipeline, rows, labels = judged
    report = pipeline.report(rows, labels, metrics=("auc_pr",), n_boot=100)

    left = [name for name, _ in pipeline.guarded(report, tsp.Guard(quality_loss=0.05)).named_steps()]
    assert "denoise" not in left
    assert "deseason" in left
    with pytest.raises(OverPruned, match="denoise: auc_pr may fall"):
        pipeline.guarded(report, tsp.Guard(quality_loss=0.05, on_fail="raise"))


def test_a_report_is_the_same_twice_and_prints_in_every_form(judged, tmp_path):
    import json

    pipeline, rows, labels = judged
    first, second = (pipeline.report(rows, labels, n_boot=30) for _ in range(2))
    timed = ["fit_seconds", "us_per_row"]

    pd.testing.assert_frame_equal(first.to_frame().drop(columns=timed), second.to_frame().drop(columns=timed))
    assert json.loads(first.to_json())["stages"][0]["stage"] == "deseason"
    assert "vus_pr" in str(first)
    first.to_html(tmp_path / "r.html")
    assert "<img" in (tmp_path / "r.html").read_text()
    assert first.plot().get_xlabel()
    assert len(first.stages) == 5 * 3
    assert {effect.stage for effect in first.alone} == {"deseason", "denoise", "windows", "pruned"}


def test_hostile_names_stay_text_on_the_page(tmp_path):
    name = "<script>alert(1)</script>$a_$ {x} \" ' & =1+1"
    x = SERIES["regular"].rename(name).to_frame()
    labels = np.zeros(len(x) - 500, int)
    labels[50:60] = 1
    report = chain().fit(x.iloc[:500]).report(x.iloc[500:], labels, n_boot=20)
    report.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()

    assert "<script>alert" not in page
    assert "<script>alert" not in report._repr_html_()


def test_labels_of_another_length_are_refused(judged):
    pipeline, rows, labels = judged
    with pytest.raises(BadParameter, match="one value for each"):
        pipeline.report(rows, labels.iloc[1:])
    with pytest.raises(BadParameter, match="'brier'"):
        pipeline.report(rows, labels, metrics=("brier",))


def test_without_events_there_is_no_quality_and_no_crash(judged):
    pipeline, rows, labels = judged
    frame = pipeline.report(rows, labels * 0, n_boot=20).to_frame()

    assert frame["with_"].isna().all()
    assert set(frame["verdict"]) == {"no evidence"}


def test_older_context_than_the_lookback_changes_nothing(judged):
    pipeline, rows, _ = judged
    context, new = rows[:-50], rows[-50:]
    lately = context[-pipeline.lookback_ :]

    pd.testing.assert_series_equal(pipeline.anomaly_score(new, context), pipeline.anomaly_score(rows)[-50:])
    pd.testing.assert_series_equal(pipeline.anomaly_score(new, context), pipeline.anomaly_score(new, lately))
    pd.testing.assert_series_equal(pipeline.detect(new, context), pipeline.detect(rows)[-50:])
    with pytest.raises(BadSeries, match="0 sample"):
        pipeline.anomaly_score(rows[:0], rows)
