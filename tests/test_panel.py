"""A panel: every series gets the scores it gets alone, in whatever frame, order, chunk or file it comes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fleets import HOURS, to_long, wide_fleet
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from sklearn.ensemble import IsolationForest

import tsprune as tsp
from tsprune.errors import BadParameter, BadSeries, NotPrunable
from tsprune.kernels import panel as kernel
from tsprune.kernels.panel import window_features
from tsprune.model import file

WIDE = wide_fleet()
LONG = to_long(WIDE)
#: Each kind of stage, in an order that makes several channels.
RICH = tsp.Pipeline(
    [
        tsp.Deseason(24),
        tsp.Detrend(length=48),
        tsp.Denoise(method="median", window=3),
        tsp.Windows(6, ("raw", "shape", "statistics")),
        tsp.SelectFeatures(),
        tsp.Pruned("iforest", keep=0.3, guard=None, random_state=0),
    ]
)
PLAIN = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(8, "point"), IsolationForest(n_estimators=15, random_state=0)])


@pytest.fixture(scope="module")
def model():
    return tsp.panel.fit(WIDE, PLAIN, clusters=1)


@pytest.fixture(scope="module")
def rich():
    return tsp.panel.fit(WIDE, RICH, clusters=2)


def records(model) -> dict[str, bytes]:
    return {"": file.to_bytes(model.fleet), **{name: file.to_bytes(member) for name, member in model.members.items()}}


# -- a row is scored as if its series were alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["model", "rich"])
def test_each_series_gets_the_scores_of_its_own_model(which, request):
    """`PanelModel.model` is the plain chain of parts; the panel gives its bits."""
    fitted = request.getfixturevalue(which)
    scores = tsp.panel.score(fitted, WIDE)

    for name in WIDE:
        alone = fitted.model(name).anomaly_score(WIDE[name].to_numpy(), WIDE.index.to_numpy())
        np.testing.assert_array_equal(alone, scores[name].to_numpy())
        assert np.isfinite(alone).mean() > 0.6


def test_adapted_seasons_of_many_series_stand_side_by_side():
    pipeline = tsp.Pipeline([tsp.Deseason(24, adapt=1.0), tsp.Windows(6, "point"), "iforest"])
    fitted = tsp.panel.fit(WIDE, pipeline, clusters=1)
    scores = tsp.panel.score(fitted, WIDE)
    for name in ("host-0", "host-5"):
        np.testing.assert_array_equal(fitted.model(name).anomaly_score(WIDE[name].to_numpy(), WIDE.index.to_numpy()), scores[name])


@pytest.mark.parametrize("method", ["hampel", "mean", "savgol"])
def test_smoothers_of_many_series_stand_side_by_side(method):
    """Those with weights of their own for each column, and those without."""
    pipeline = tsp.Pipeline([tsp.Denoise(method=method, window=5), tsp.Windows(4, "point"), "subspace"])
    fitted = tsp.panel.fit(WIDE, pipeline, clusters=1)
    scores = tsp.panel.score(fitted, WIDE)
    for name in ("host-0", "host-1"):
        np.testing.assert_array_equal(fitted.model(name).anomaly_score(WIDE[name].to_numpy(), WIDE.index.to_numpy()), scores[name])


@pytest.mark.parametrize("features", ["point", ("raw", "shape", "statistics")])
@pytest.mark.parametrize("bridge", [1, 5])
def test_gaps_that_windows_bridge_are_bridged_in_a_panel(bridge, features):
    """In series that share a matrix, in long gaps and short ones, behind a gap and across it: the scores of each series alone."""
    holes = WIDE.mask(np.random.default_rng(0).random(WIDE.shape) < 0.1)
    silent, bridging = (
        tsp.panel.fit(holes, tsp.Pipeline([tsp.Windows(9, features, bridge=gap), "subspace"]), clusters=1) for gap in (0, bridge)
    )
    scores = tsp.panel.score(bridging, holes)
    for name in holes:
        alone = bridging.model(name).anomaly_score(holes[name].to_numpy(), holes.index.to_numpy())
        np.testing.assert_array_equal(alone, scores[name].to_numpy())
    assert scores.notna().sum().sum() > tsp.panel.score(silent, holes).notna().sum().sum()
    context = bridging.lookback
    np.testing.assert_array_equal(tsp.panel.score(bridging, holes[90:130], context=holes[90 - context : 90]), scores[90:130])


def test_a_fleet_that_is_ready_to_bridge_learns_the_same_where_nothing_is_missing():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 4)), columns=list("abcd"))
    silent, ready = (
        tsp.panel.fit(frame, tsp.Pipeline([tsp.Windows(16, "point", bridge=gap), "subspace"]), clusters=1) for gap in (0, "auto")
    )
    assert ready.fleet.windows[0].bridge == 3
    for name in frame:
        assert ready.model(name).threshold == silent.model(name).threshold
    pd.testing.assert_frame_equal(tsp.panel.score(ready, frame)[15:], tsp.panel.score(silent, frame)[15:])


def test_a_fleet_bridges_the_gaps_that_its_series_usually_have():
    rng = np.random.default_rng(0)
    steady = pd.DataFrame(rng.normal(size=(600, 4)), columns=list("abcd"))
    gappy = steady.copy()
    for start in range(20, 580, 25):
        gappy.iloc[start : start + 6] = np.nan
    pipeline = tsp.Pipeline([tsp.Windows(16, "point"), "iforest"])
    assert [tsp.panel.fit(frame, pipeline, clusters=1).fleet.windows[0].bridge for frame in (steady, gappy)] == [3, 6]
    model = tsp.panel.fit(gappy, pipeline, clusters=1)
    assert tsp.panel.score(model, gappy).notna().equals(gappy.notna() & (np.arange(600) >= 9)[:, None])
    assert tsp.panel.learn(model, steady.rename(columns={"a": "e"})[["e"]]).fleet.windows == model.fleet.windows


def test_wide_and_long_frames_mean_the_same(model):
    assert records(tsp.panel.fit(LONG, PLAIN, clusters=1)) == records(model)
    long = tsp.panel.score(model, LONG).pivot(index="ds", columns="unique_id", values="score")
    np.testing.assert_array_equal(long.to_numpy(), tsp.panel.score(model, WIDE)[long.columns].where(WIDE.notna()).to_numpy())


def test_the_order_of_rows_and_columns_changes_nothing(model):
    shuffled = to_long(WIDE, shuffled=3)
    backwards = WIDE.iloc[::-1, ::-1]
    assert records(tsp.panel.fit(shuffled, PLAIN, clusters=1)) == records(model)
    assert records(tsp.panel.fit(backwards, PLAIN, clusters=1)) == records(model)
    assert_frame_equal(tsp.panel.score(model, shuffled).sort_index(), tsp.panel.score(model, LONG))
    assert_frame_equal(tsp.panel.score(model, backwards), tsp.panel.score(model, WIDE).iloc[::-1, ::-1])


@pytest.mark.parametrize("which", ["model", "rich"])
def test_with_its_lookback_a_chunk_gets_the_scores_of_the_whole(which, request):
    fitted = request.getfixturevalue(which)
    whole = tsp.panel.score(fitted, WIDE)
    for start, stop in ((200, 201), (250, 300), (HOURS - 1, HOURS)):
        context = WIDE[max(0, start - fitted.lookback) : start]
        assert_frame_equal(tsp.panel.score(fitted, WIDE[start:stop], context=context), whole[start:stop])
        long = tsp.panel.score(fitted, to_long(WIDE[start:stop], shuffled=1), context=to_long(context, shuffled=2))
        found = long.pivot(index="ds", columns="unique_id", values="score")
        expected = whole[start:stop].where(WIDE[start:stop].notna())[found.columns]
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_what_comes_later_changes_nothing(model):
    whole = tsp.panel.score(model, WIDE)
    for cut in (1, 50, 300):
        assert_frame_equal(tsp.panel.score(model, WIDE[:cut]), whole[:cut])


def test_some_series_get_the_scores_they_get_among_all(model):
    assert_frame_equal(tsp.panel.score(model, WIDE[["host-5", "host-2"]]), tsp.panel.score(model, WIDE)[["host-5", "host-2"]])


def test_long_histories_are_scored_in_stretches(model, monkeypatch):
    whole = tsp.panel.score(model, WIDE)
    monkeypatch.setattr("tsprune.model.cohort.VALUES", 120)
    monkeypatch.setattr("tsprune.model.cohort.WINDOWS", 64)
    monkeypatch.setattr("tsprune.model.cohort.LEAST", 3)
    assert_frame_equal(tsp.panel.score(tsp.panel.fit(WIDE, PLAIN, clusters=1), WIDE), whole)


def test_wide_windows_take_no_more_memory_at_a_time():
    import tracemalloc

    frame = wide_fleet(n_series=64, n=1500)
    model = tsp.panel.fit(frame, tsp.Pipeline([tsp.Windows(128, "raw"), IsolationForest(n_estimators=5, random_state=0)]), clusters=1)
    tsp.panel.score(model, frame)
    tracemalloc.start()
    tsp.panel.score(model, frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6  # all windows are 98 MB


def test_threads_change_nothing(rich):
    assert_frame_equal(tsp.panel.score(rich, WIDE, engine="threads", n_jobs=2), tsp.panel.score(rich, WIDE))
    assert_frame_equal(
        tsp.panel.score(rich, to_long(WIDE, shuffled=0), engine="threads", n_jobs=3), tsp.panel.score(rich, to_long(WIDE, shuffled=0))
    )


# -- mixed clocks, lengths, gaps ------------------------------------------------------------------------------------------------------


def mixed_fleet() -> pd.DataFrame:
    """Hours and ten minutes, early and late, an hour missing here and there, one with two rows in a slot."""
    hourly = to_long(WIDE[["host-0", "host-1"]])
    short = to_long(wide_fleet(2, 24 * 9, seed=1).add_prefix("short-"))
    late = to_long(wide_fleet(2, 24 * 12, seed=2).add_prefix("late-").shift(freq="2000h"))
    index = pd.date_range("2026-03-01 00:05", periods=900, freq="10min")
    rng = np.random.default_rng(0)
    minutes = pd.DataFrame({f"minute-{k}": rng.normal(size=900) + np.sin(np.arange(900) / 23) for k in range(2)}, index=index)
    twice = to_long(WIDE[["host-2"]])
    twice = pd.concat([twice, twice.iloc[100:103].assign(ds=lambda d: d["ds"] + pd.Timedelta("7min"), y=lambda d: d["y"] + 1)])
    return pd.concat([hourly, short, late, to_long(minutes), twice], ignore_index=True)


MIXED = mixed_fleet()


@pytest.mark.parametrize("pipeline", [PLAIN, RICH], ids=["plain", "rich"])
def test_series_of_several_clocks_and_lengths_live_in_one_model(pipeline):
    fitted = tsp.panel.fit(MIXED, tsp.Pipeline([tsp.Deseason(), *pipeline.steps[1:]]), clusters=1)
    scores = tsp.panel.score(fitted, MIXED.sample(frac=1.0, random_state=0)).sort_index()

    assert set(fitted.facts()["step"]) == {pd.Timedelta("1h"), pd.Timedelta("10min")}
    for name, rows in MIXED.groupby("unique_id"):
        rows = rows.sort_values("ds", kind="stable")
        alone = fitted.model(name).anomaly_score(rows["y"].to_numpy(), rows["ds"].to_numpy())
        np.testing.assert_array_equal(scores.loc[rows.index, "score"].to_numpy(), alone)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 120), st.integers(0, 40)), min_size=1, max_size=8), st.integers(0, 99))
def test_any_lengths_and_gaps_align(model, spans, seed):
    """Each series: where it starts, how long it is, how many rows are missing."""
    rng = np.random.default_rng(seed)
    parts = []
    for name, (start, length, missing) in zip(WIDE, spans, strict=False):
        own = WIDE[name].iloc[start : start + length]
        kept = np.sort(rng.permutation(len(own))[: max(1, len(own) - missing)])
        parts.append(own.iloc[kept].rename("y").rename_axis("ds").reset_index().assign(unique_id=name))
    frame = pd.concat(parts, ignore_index=True).sample(frac=1.0, random_state=seed)
    scores = tsp.panel.score(model, frame)
    for name, rows in frame.groupby("unique_id"):
        rows = rows.sort_values("ds")
        alone = model.model(name).anomaly_score(rows["y"].to_numpy(), rows["ds"].to_numpy())
        np.testing.assert_array_equal(scores.loc[rows.index, "score"].to_numpy(), alone)


def test_scattered_series_take_memory_by_their_rows(model, monkeypatch):
    """Series far apart in time do not stand on one grid of all their slots."""
    from tsprune.panel import align

    monkeypatch.setattr(align, "SLACK", 0)
    sizes = []
    block = align.Block
    monkeypatch.setattr(align, "Block", lambda *fields: sizes.append(fields[3].size) or block(*fields))
    parts = [WIDE[[name]].iloc[:60].shift(freq=f"{5000 * k}h") for k, name in enumerate(WIDE)]
    frame = pd.concat([to_long(part) for part in parts], ignore_index=True)
    tsp.panel.score(model, frame)
    assert sum(sizes) <= align.PADDING * len(frame)


def test_the_clock_on_the_wall_counts_in_a_panel():
    """Series with a time zone that changes its clock: as alone, and as long as wide."""
    wide = wide_fleet(3, zone="Europe/Paris")
    fitted = tsp.panel.fit(wide, tsp.Pipeline([tsp.Deseason(24, wall=True), tsp.Windows(6, "point"), "iforest"]), clusters=1)
    assert fitted.fleet.clocks[0].has_changes
    scores = tsp.panel.score(fitted, wide)
    utc = wide.index.tz_convert("UTC").tz_localize(None).to_numpy()
    np.testing.assert_array_equal(fitted.model("host-0").anomaly_score(wide["host-0"].to_numpy(), utc), scores["host-0"])
    assert scores.index.equals(wide.index)


def test_integer_times_count_slots():
    wide = WIDE.reset_index(drop=True)
    fitted = tsp.panel.fit(wide, PLAIN, clusters=1)
    np.testing.assert_array_equal(fitted.model("host-1").anomaly_score(wide["host-1"].to_numpy()), tsp.panel.score(fitted, wide)["host-1"])


# -- frames -----------------------------------------------------------------------------------------------------------------------------


def test_long_columns_may_have_other_names(model):
    renamed = LONG.rename(columns={"unique_id": "host", "ds": "at", "y": "load"})
    names = {"id": "host", "time": "at", "value": "load"}
    scores = tsp.panel.score(model, renamed, **names)
    assert list(scores) == ["host", "at", "score"]
    np.testing.assert_array_equal(scores["score"], tsp.panel.score(model, LONG)["score"])
    assert records(tsp.panel.fit(renamed, PLAIN, clusters=1, **names)) == records(model)


def test_a_wide_frame_keeps_its_index_columns_and_kind(model):
    scores = tsp.panel.score(model, WIDE.rename_axis("when"))
    assert scores.index.name == "when"
    assert list(scores) == list(WIDE)
    beside = tsp.panel.score(model, WIDE.rename_axis("ds").reset_index())
    assert list(beside) == ["ds", *WIDE]
    np.testing.assert_array_equal(beside[list(WIDE)], scores)


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_frames_of_other_libraries_come_back_as_they_are(model, kind):
    """Long and wide frames of polars, tables of pyarrow: the same scores, the same kind."""
    pytest.importorskip("narwhals", reason="needs narwhals")
    library = pytest.importorskip(kind, reason=f"needs {kind}")
    make = library.from_pandas if kind == "polars" else library.Table.from_pandas
    assert records(tsp.panel.fit(make(LONG), PLAIN, clusters=1)) == records(model)
    long = tsp.panel.score(model, make(LONG))
    wide = tsp.panel.score(model, make(WIDE.rename_axis("ds").reset_index()))
    assert type(long) is type(wide) is type(make(LONG))
    np.testing.assert_array_equal(np.asarray(long["score"]), tsp.panel.score(model, LONG)["score"])
    np.testing.assert_array_equal(np.asarray(wide["host-4"]), tsp.panel.score(model, WIDE)["host-4"])


def test_integer_columns_and_missing_values_of_pandas_are_read(model):
    frame = LONG.assign(y=LONG["y"].round().astype("Int64"))
    frame.loc[5, "y"] = pd.NA
    assert np.isnan(tsp.panel.score(model, frame)["score"][5])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: f.drop(columns="y"), "no column|none 'y'"),
        (lambda f: f.drop(columns="ds"), "no column 'ds'"),
        (lambda f: f.assign(ds=f["ds"].astype(str)), "to_datetime"),
        (lambda f: f.assign(y="a"), "not numeric"),
        (lambda f: f.assign(y=np.inf), "infinity"),
        (lambda f: f.assign(unique_id=None), "misses a name"),
        (lambda f: f.assign(unique_id=[1 if k % 2 else "1" for k in range(len(f))]), "two series are called '1'"),
        (lambda f: f.assign(ds=f["ds"].where(f.index > 0)), "NaT"),
        (lambda f: f.assign(unique_id="unknown"), "'unknown' is not in the model"),
        (lambda f: f.assign(ds=np.arange(len(f))), "another kind"),
        (lambda f: f["y"], "one Series"),
        (lambda f: f.to_dict(), "it is a DataFrame of pandas"),
        (lambda f: WIDE.set_axis(["a"] * WIDE.shape[1], axis=1), "two columns are called 'a'"),
    ],
)
def test_a_frame_of_no_use_is_refused_by_name(model, spoil, told):
    with pytest.raises((BadSeries, BadParameter), match=told):
        tsp.panel.score(model, spoil(LONG))


def test_alarms_are_scores_above_the_threshold_of_the_series(model):
    alarms, scores = tsp.panel.detect(model, WIDE), tsp.panel.score(model, WIDE)
    assert alarms.dtypes.eq(bool).all()
    assert alarms.equals(scores > model.thresholds)
    np.testing.assert_allclose(alarms.mean(), 0.005, atol=0.004)
    assert list(tsp.panel.detect(model, LONG)) == ["unique_id", "ds", "alarm"]


# -- the pipeline, and what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detector", ["ocsvm", "lof", "iforest", "nearest", "subspace"])
def test_any_detector_with_a_form_of_ours_can_be_shared(detector):
    fitted = tsp.panel.fit(WIDE[:200], tsp.Pipeline([tsp.Windows(4, "point"), detector]), clusters=1, sample=400)
    scores = tsp.panel.score(fitted, WIDE[:200])
    own = fitted.model("host-6").anomaly_score(WIDE["host-6"][:200].to_numpy(), WIDE.index[:200].to_numpy())
    np.testing.assert_allclose(own, scores["host-6"].to_numpy(), rtol=1e-9)


def test_a_pipeline_without_windows_scores_the_values():
    fitted = tsp.panel.fit(WIDE, tsp.Pipeline([tsp.Deseason(24), "iforest"]), clusters=1)
    assert fitted.lookback == 0
    assert tsp.panel.score(fitted, WIDE).notna().equals(WIDE.notna())


def test_what_many_series_cannot_learn_is_refused():
    from pyod.models.hbos import HBOS

    with pytest.raises(BadParameter, match="Pipeline"):
        tsp.panel.fit(WIDE, "iforest")
    with pytest.raises(BadParameter, match="in any order, then Windows"):
        tsp.panel.fit(WIDE, tsp.Pipeline([tsp.Windows(4), tsp.Deseason(24), "iforest"]))
    with pytest.raises(BadParameter, match="bridge"):
        tsp.panel.fit(WIDE, tsp.Pipeline([tsp.Windows(4, bridge=-1), "iforest"]))
    with pytest.raises(BadParameter, match="clusters"):
        tsp.panel.fit(WIDE, PLAIN, clusters=0)
    with pytest.raises(NotPrunable):
        tsp.panel.fit(WIDE, tsp.Pipeline([tsp.Windows(4), HBOS()]), clusters=1)
    with pytest.raises(BadSeries, match="none of 8 series"):
        tsp.panel.fit(WIDE[:1], PLAIN)


def test_the_threshold_of_the_pipeline_is_that_of_each_series():
    fitted = tsp.panel.fit(WIDE, tsp.Pipeline([*PLAIN.steps, tsp.Threshold(rate=0.05)]), clusters=1)
    np.testing.assert_allclose((tsp.panel.score(fitted, WIDE) > fitted.thresholds).mean(), 0.05, atol=0.01)


# -- the sample -----------------------------------------------------------------------------------------------------------------------


def test_the_sample_is_the_same_whoever_draws_it():
    """Pieces of one series each, or all series in one piece: the detector learns from the same rows."""
    from tsprune.panel.frames import Names, read_frame
    from tsprune.panel.learn import learn_piece
    from tsprune.panel.learned import Sample, unpacked
    from tsprune.panel.plan import Plan

    rows, plan = read_frame(WIDE, Names()).rows, Plan.of(PLAIN, 0).bridging(1)
    _, whole = unpacked(learn_piece(rows, plan, 100))
    parts = [unpacked(learn_piece(rows.only([k]), plan, 100))[1] for k in range(len(rows.names))]
    joined = Sample.joined(parts).lowest(100)
    np.testing.assert_array_equal(joined.priority, whole.priority)
    np.testing.assert_array_equal(joined.rows, whole.rows)


def test_every_row_has_the_same_chance_of_being_in_the_sample():
    from tsprune.panel.sample import priorities

    drawn = np.concatenate([priorities(f"s{k}", np.arange(1000), 0) for k in range(50)]).astype(np.float64) / 2.0**64
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert ((counts - 2500) ** 2 / 2500).sum() < 44  # chi-square, 19 degrees of freedom: p = 0.001
    assert np.abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02


# -- kernels ----------------------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_machine_code_gives_the_bits_of_numpy(seed, length):
    """Every feature, with missing values and ties, for neighbouring and for scattered rows."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(60, 5)), int(rng.integers(0, 4)))
    values[rng.random(values.shape) < 0.05] = np.nan
    names = ("value", "step", "slope", "mean", "std", "deviation", "roughness", "min", "max", "range", "median", "raw", "shape")
    lengths = (1, 2, *(length,) * 11)
    ends = np.sort(rng.permutation(np.arange(max(lengths) - 1, 60))[: int(rng.integers(1, 40))])
    floor = rng.uniform(1e-3, 2, 5)
    found = []
    for size in (0, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "COMPILE_FROM", size)
            found.append(window_features(values, ends, names, lengths, floor))
    np.testing.assert_array_equal(*found)


def test_machine_code_scales_as_numpy_does():
    rng = np.random.default_rng(0)
    features = np.where(rng.random((20, 4, 3)) < 0.1, np.nan, rng.normal(size=(20, 4, 3)) * 1e6)
    centre, scale = rng.normal(size=3), rng.uniform(1e-3, 2, 3)
    found, complete = [], []
    for size in (0, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "COMPILE_FROM", size)
            found.append(features.copy())
            complete.append(kernel.scale_in_place(found[-1], centre, scale))
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(*complete)
    np.testing.assert_array_equal(found[0], (features - centre) / scale)
    assert complete[0].sum() == (~np.isnan(features).any(axis=2)).sum() < 80
