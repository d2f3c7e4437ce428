"""What series share and what that costs, how a new one starts, and how more rows than memory are learned and scored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fleets import to_long, wide_fleet
from series_kinds import wave

import tsprune as tsp
from tsprune.errors import BadParameter, BadSeries
from tsprune.model import file
from tsprune.panel.share import Descriptors, cluster
from tsprune.panel.sharing import Sharing, asked

PLAIN = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(8, "point"), "subspace"])  # the detector that is fitted soonest


def records(model) -> dict[str, bytes]:
    return {"": file.to_bytes(model.fleet), **{name: file.to_bytes(member) for name, member in model.members.items()}}


# -- sharing ----------------------------------------------------------------------------------------------------------------------------


def two_kinds(n: int = 500) -> pd.DataFrame:
    """Ten series of noise, ten of rare bursts on zero."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    noise = {f"noise-{k}": rng.normal(size=n) for k in range(10)}
    bursts = {f"burst-{k}": rng.exponential(size=n) * (rng.random(n) < 0.3) for k in range(10)}
    return pd.DataFrame({**noise, **bursts}, index=index)


def test_clusters_are_kinds_of_series():
    fitted = tsp.panel.fit(two_kinds(), PLAIN, clusters=2)
    detectors = fitted.facts()["detector"]
    kinds = detectors.groupby(detectors.index.str.split("-").str[0]).nunique()
    assert (kinds == 1).all()
    assert len(fitted.fleet.detectors) == 2


def test_a_new_series_joins_the_nearest_cluster():
    frame = two_kinds()
    known = frame.drop(columns=["noise-3", "burst-3"])
    fitted = tsp.panel.fit(known, PLAIN, clusters=2)
    new = tsp.panel.learn(fitted, frame[["noise-3", "burst-3"]]).facts()["detector"]
    assert new["noise-3"] == fitted.members["noise-4"].detector
    assert new["burst-3"] == fitted.members["burst-4"].detector


def test_clusters_are_numbered_by_their_first_series_whatever_the_seed():
    values = np.repeat([[0.0], [5.0], [0.0], [9.0]], 5, axis=0) + np.random.default_rng(0).normal(size=(20, 1)) * 0.01
    told = Descriptors(np.zeros(1), np.ones(1), values)
    expected = np.repeat([0, 1, 0, 2], 5)
    for seed in range(3):
        np.testing.assert_array_equal(cluster(told, 3, seed), expected)


@pytest.fixture(scope="module")
def judged():
    return tsp.panel.fit(wide_fleet(16), PLAIN)


def test_the_fit_says_what_sharing_costs_each_series_that_was_asked(judged):
    frame = judged.sharing.to_frame()
    assert len(frame) == 16
    assert {"own", "1 shared", "2 shared", "chance", "cost"} <= set(frame)
    assert frame["own"].mean() > 2 * frame["chance"].mean()
    assert (frame["cost"] == frame["own"] - frame[f"{judged.sharing.chosen} shared"]).all()
    assert "average precision" in str(judged.sharing)


def test_the_evidence_does_not_depend_on_who_gathers_it(judged):
    again = tsp.panel.fit(to_long(wide_fleet(16), shuffled=5), PLAIN, engine="threads", n_jobs=2)
    pd.testing.assert_frame_equal(again.sharing.to_frame(), judged.sharing.to_frame())
    assert records(again) == records(judged)


def test_more_detectors_are_taken_only_on_evidence():
    """The lower bound of the mean gain over one detector must be above 0; of several such the largest gain wins."""
    from tsprune.panel.sharing import judged as verdict
    from tsprune.panel.wire import pack

    rng = np.random.default_rng(0)
    one = rng.uniform(0.3, 0.6, 20)
    for gains, expected in (((0.0, 0.0), 1), ((0.1, 0.05), 2), ((0.05, 0.1), 4), ((-0.1, -0.2), 1)):
        noise = rng.normal(size=(2, 20)) * 0.02
        table = np.column_stack(
            [np.full(20, 0.1), one + 0.2, one, one + gains[0] + noise[0] - noise[0].mean(), one + gains[1] + noise[1] - noise[1].mean()]
        )
        told = verdict([pack({"precision": table}, names=[f"s{k}" for k in range(20)])], (1, 2, 4))
        assert told.chosen == expected


def test_short_series_are_not_asked_and_without_any_nothing_is_claimed():
    names = tuple(f"s{k}" for k in range(40))
    assert asked(names, np.array([100] * 40), 0) == []
    drawn = asked(names, np.array([400] * 40), 0)
    assert len(drawn) == 24
    assert drawn != asked(names, np.array([400] * 40), 1)
    assert tsp.panel.fit(wide_fleet(3, 100), PLAIN).sharing is None


def test_sharing_tells_cost_and_gain_with_their_intervals():
    told = Sharing(("a", "b"), (1, 2), np.array([[0.5, 0.4, 0.5], [0.7, 0.5, 0.7]]), np.array([0.1, 0.1]), 2)
    assert told.cost(1) == pytest.approx((0.15, 0.1, 0.2))
    assert told.cost(2) == pytest.approx((0.0, 0.0, 0.0))
    assert told.gain(2) == pytest.approx((0.15, 0.1, 0.2))
    assert str(told).startswith("sharing 2 detectors costs +0.000")


# -- starting from the fleet --------------------------------------------------------------------------------------------------------------


def with_faults(values: pd.Series, rng: np.random.Generator) -> tuple[pd.Series, np.ndarray]:
    changed, labels, _ = tsp.inject(values.ffill().bfill(), n_events=6, random_state=int(rng.integers(1000)))
    return changed, labels.to_numpy()


def test_a_new_series_with_a_day_of_history_does_better_from_the_fleet_than_alone():
    """Mean average precision of faults written into the weeks that follow, over eight series."""
    wide = wide_fleet(16)
    known, new = wide.iloc[:, :8], wide.iloc[:, 8:]
    fitted = tsp.panel.fit(known, PLAIN, clusters=1)
    started = tsp.panel.learn(fitted, new[:30])
    assert started.transferred == tuple(sorted(new))
    rng = np.random.default_rng(0)
    fleet, alone = [], []
    for name in new:
        changed, labels = with_faults(new[name][100:], rng)
        own = tsp.Pipeline([tsp.Deseason(), *PLAIN.steps[1:]]).fit(new[name][:30].dropna())
        for found, scores in ((fleet, tsp.panel.score(started, changed.to_frame())[name]), (alone, own.anomaly_score(changed))):
            found.append(tsp.metrics.average_precision(labels, scores.to_numpy()))
    assert np.mean(fleet) > np.mean(alone) + 0.03


def test_a_trend_behind_a_season_that_the_fleet_lends_is_as_long_as_behind_one_of_its_own():
    index = pd.date_range("2026-01-05", periods=24 * 60, freq="h")
    rng = np.random.default_rng(0)
    wide = pd.DataFrame({f"host-{k}": wave(index) + rng.normal(0, 0.1, len(index)) for k in range(4)}, index=index)
    pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Detrend(), tsp.Windows(4, "point"), "subspace"])
    fitted = tsp.panel.fit(wide, pipeline, clusters=1)

    started = tsp.panel.learn(fitted, wide[["host-0"]][:240].rename(columns={"host-0": "new"}))

    assert started.transferred == ("new",)
    trend = started.members["new"].stages[1]
    assert trend.block * trend.blocks == pytest.approx(240, abs=25)  # all there is of 28 days, not half of it


def test_a_series_with_one_value_starts_and_is_scored():
    wide = wide_fleet(6)
    fitted = tsp.panel.fit(wide, PLAIN, clusters=1)
    for rows in (1, 2, 5):
        started = tsp.panel.learn(fitted, wide[["host-0"]][:rows].rename(columns={"host-0": "new"}))
        scores = tsp.panel.score(started, wide[["host-0"]].rename(columns={"host-0": "new"}))
        assert scores["new"].notna().mean() > 0.8
    with pytest.raises(BadSeries, match="no value"):
        tsp.panel.learn(fitted, pd.DataFrame({"new": [np.nan, np.nan]}, index=wide.index[:2]))


def test_with_history_the_start_approaches_what_the_series_learns_alone():
    """Distance between the started season and the true one falls as cycles come in; from fourteen cycles on it is learned alone."""
    wide = wide_fleet(12)
    fitted = tsp.panel.fit(wide.iloc[:, :11], PLAIN, clusters=1)
    name = "host-11"
    true = tsp.panel.learn(fitted, wide[[name]]).members[name].stages[0].profiles
    away = []
    for rows in (12, 36, 80):
        started = tsp.panel.learn(fitted, wide[[name]][:rows]).members[name].stages[0].profiles
        away.append(np.abs((started - started.mean()) - (true - true.mean())).mean())
    assert away[-1] < away[0]
    assert tsp.panel.learn(fitted, wide[[name]][: 24 * 14]).transferred == ()


def test_series_that_are_too_short_for_the_fit_start_from_the_others():
    wide = wide_fleet(8)
    wide.iloc[30:, 2] = np.nan
    fitted = tsp.panel.fit(wide, PLAIN, clusters=1)
    assert fitted.transferred == ("host-2",)
    others = [member.threshold for name, member in fitted.members.items() if name != "host-2"]
    assert fitted.thresholds["host-2"] == np.median(others)
    assert fitted.remove(["host-2"]).transferred == ()


def test_a_model_from_a_file_needs_the_pipeline_to_learn(tmp_path):
    wide = wide_fleet(5)
    fitted = tsp.panel.fit(wide.iloc[:, :4], PLAIN, clusters=1)
    fitted.save(tmp_path / "fleet.tspf")
    loaded = tsp.panel.load(tmp_path / "fleet.tspf")
    assert loaded.sharing is None
    assert records(tsp.panel.learn(loaded, wide[["host-4"]], PLAIN)) == records(tsp.panel.learn(fitted, wide[["host-4"]]))
    with pytest.raises(BadSeries, match="another kind"):
        tsp.panel.learn(loaded, wide[["host-4"]].reset_index(drop=True), PLAIN)


# -- Parquet larger than memory -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr("tsprune.panel.parquet.BATCH", 500)
    monkeypatch.setattr("tsprune.panel.parquet.BUCKET", 900)


@pytest.mark.parametrize("order", [["unique_id", "ds"], ["ds", "unique_id"]], ids=["by series", "by time"])
def test_streamed_rows_give_the_model_and_the_scores_of_all_at_once(small_batches, tmp_path, order):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    frame = to_long(wide_fleet(8)).sort_values(order, ignore_index=True)
    folder = tmp_path / "rows"
    folder.mkdir()
    for k in range(3):
        frame.iloc[k * len(frame) // 3 : (k + 1) * len(frame) // 3].to_parquet(folder / f"{k}.parquet")
    fitted = tsp.panel.fit_parquet(folder, PLAIN, scratch=tmp_path)
    whole = tsp.panel.fit(frame, PLAIN)
    assert records(fitted) == records(whole)
    assert tsp.panel.score_parquet(fitted, folder, tmp_path / "scores.pq") == len(frame)
    found = pd.read_parquet(tmp_path / "scores.pq")
    pd.testing.assert_frame_equal(found, tsp.panel.score(whole, frame))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows", "scores.pq"]


def test_rows_that_go_back_in_time_are_refused_and_leave_no_file(small_batches, tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    frame = to_long(wide_fleet(3))
    fitted = tsp.panel.fit(frame, PLAIN, clusters=1)
    frame.iloc[::-1].to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BadSeries, match="back in time"):
        tsp.panel.score_parquet(fitted, tmp_path / "rows.parquet", tmp_path / "scores.pq")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_data_set_of_no_use_is_refused_by_name(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    with pytest.raises(BadParameter, match="Parquet"):
        tsp.panel.fit_parquet(tmp_path)
    to_long(wide_fleet(2)).drop(columns="y").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadParameter, match="no column 'y'"):
        tsp.panel.fit_parquet(tmp_path)
    to_long(wide_fleet(2)).assign(ds="x").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadSeries, match="timestamps"):
        tsp.panel.fit_parquet(tmp_path)
