"""Anomalies written into a series: where they may stand, what each kind is, and what they cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsprune as tsp
from tsprune.errors import BadParameter, BadSeries
from tsprune.model.clock import Slots
from tsprune.series.inject import inject
from tsprune.series.kinds import KINDS, Column
from tsprune.series.synthetic import signal, web_service

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: A series on which each kind makes sense.
STAGE = signal("coupled", n=1500)
SCATTERED = [kind for kind in KINDS if kind not in ("clusters", "decorrelation")]


def changes(kind, n_events=6, series=STAGE, random_state=0):
    """For each event of a kind: the rows before, the rows after, its line of the table, and the residual scale of its column."""
    after, _, events = inject(series, kinds=kind, n_events=n_events, random_state=random_state)
    for event in events.itertuples():
        before = series[event.column]
        scale = Column.of(before.to_numpy(float), Slots.counted(len(before))).scale
        yield before[event.start : event.end].to_numpy(), after[event.column][event.start : event.end].to_numpy(), event, scale


@pytest.mark.parametrize("kind", KINDS)
def test_rows_outside_of_events_are_untouched_and_the_ends_of_events_are_not(kind):
    after, labels, events = inject(STAGE, kinds=kind, n_events=8)
    touched = (after.to_numpy() != STAGE.to_numpy()).any(axis=1)

    assert len(events) == 8
    assert set(events["kind"]) == {kind}
    assert not touched[labels == 0].any()
    for event in events.itertuples():
        assert after.loc[event.start, event.column] != STAGE.loc[event.start, event.column]
        assert after.loc[event.end, event.column] != STAGE.loc[event.end, event.column]
        assert (labels[event.start : event.end] == 1).all()
    assert labels.sum() == sum(len(labels[event.start : event.end]) for event in events.itertuples())


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_moves_a_row_by_three_residual_deviations_and_the_table_says_how_far(kind):
    for before, after, event, scale in changes(kind):
        assert event.size == pytest.approx(np.abs(after - before).max() / scale, rel=1e-12)
        assert event.size >= 3.0


@pytest.mark.parametrize(("kind", "sign"), [("spike", 1), ("dip", -1)])
def test_spikes_and_dips_are_one_to_three_rows_off_by_the_same(kind, sign):
    for before, after, _, scale in changes(kind):
        moved = sign * (after - before) / scale
        assert 1 <= len(moved) <= 3
        assert np.ptp(moved) < 1e-9
        assert 5 <= moved[0] <= 12


def test_a_level_shift_moves_all_rows_by_the_same():
    moves = [(after - before) / scale for before, after, _, scale in changes("level_shift")]

    assert all(np.ptp(move) < 1e-9 and len(move) >= 8 for move in moves)
    assert {np.sign(move[0]) for move in moves} == {-1.0, 1.0}


def test_a_trend_drifts_away_in_a_straight_line():
    for before, after, _, _ in changes("trend"):
        steps = np.diff(after - before)
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


def test_an_amplitude_change_stretches_or_shrinks_the_same_movement():
    for before, after, _, _ in changes("amplitude_change"):
        factor = np.polyfit(before, after, 1)[0]
        assert np.corrcoef(before, after)[0, 1] > 0.999999
        assert 0.1 <= factor <= 0.4 or 1.8 <= factor <= 3.0


def test_a_frequency_change_runs_through_the_same_values_faster_or_slower():
    rows = np.arange(1200)
    wave = pd.Series(10.0 * np.sin(2 * np.pi * rows / 24))
    after, _, events = inject(wave, kinds="frequency_change", n_events=6, random_state=3)

    assert after.abs().max() <= 10.0
    factors = np.r_[np.linspace(0.4, 0.65, 250), np.linspace(1.5, 2.5, 1000)][:, None]
    for event in events.itertuples():
        since = np.arange(event.end - event.start + 2)  # the first row of an event is as it was, so the table begins one later
        runs = 10.0 * np.sin(2 * np.pi * (event.start - 1 + factors * since) / 24)
        assert np.abs(runs - after.iloc[event.start - 1 : event.end + 1].to_numpy()).max(axis=1).min() < 0.5


def test_a_flat_line_repeats_the_value_before_it():
    for _, after, event, _ in changes("flat_line"):
        assert np.ptp(after) == 0.0
        assert STAGE[event.column].shift()[event.start] == after[0]


def test_a_noise_burst_is_at_least_twice_as_noisy_as_the_residual():
    for before, after, _, scale in changes("noise_burst"):
        assert np.std(after - before) > 1.2 * scale
        assert abs(np.mean(after - before)) < 3 * np.std(after - before) / np.sqrt(len(after)) + 1e-12


def test_a_pattern_swap_is_another_stretch_at_this_level():
    for before, after, event, _ in changes("pattern_swap"):
        shape = after - np.median(after)
        windows = np.lib.stride_tricks.sliding_window_view(STAGE[event.column].to_numpy(), len(shape))
        assert np.abs(windows - np.median(windows, axis=1)[:, None] - shape).max(axis=1).min() < 1e-9
        assert np.median(after) == pytest.approx(np.median(before))


def test_a_contextual_event_is_a_copy_of_another_phase_of_the_season():
    for _, after, event, _ in changes("contextual"):
        values = STAGE[event.column].to_numpy()
        windows = np.lib.stride_tricks.sliding_window_view(values, len(after))
        (begin,) = np.flatnonzero((windows == after).all(axis=1))
        shift = (begin - STAGE.index.get_loc(event.start)) % 24
        assert event.column == "c" or 6 <= shift <= 19


def test_clusters_repeat_one_pattern_beyond_the_usual_range():
    events = list(changes("clusters", n_events=8))
    columns = {event.column for _, _, event, _ in events}
    column = STAGE[columns.pop()]
    first = events[0][1]

    assert not columns
    for _, after, _, scale in events:
        overlap = min(len(first), len(after))
        assert np.abs(first[:overlap] - after[:overlap]).max() < 1.0 * scale
        assert (after > column.quantile(0.99)).all() or (after < column.quantile(0.01)).all()
    lengths = [len(after) for _, after, _, _ in events]
    assert 8 <= min(lengths) <= max(lengths) <= 24


def test_a_decorrelation_turns_a_link_round_within_the_usual_range():
    after, _, events = inject(STAGE, kinds="decorrelation", n_events=8)

    assert set(events["column"]) <= {"a", "b"}
    for event in events.itertuples():
        rows = slice(event.start, event.end)
        assert STAGE[rows].corr().loc["a", "b"] > 0.7
        assert after[rows].corr().loc["a", "b"] < -0.7
        np.testing.assert_allclose(after[event.column][rows].agg(["min", "max"]), STAGE[event.column][rows].agg(["min", "max"]))


def test_all_kinds_take_their_turn():
    _, _, events = inject(STAGE, n_events=2 * len(KINDS))

    assert events["kind"].value_counts().to_dict() == dict.fromkeys(KINDS, 2)
    assert events["start"].is_monotonic_increasing
    assert set(events["column"]) == {"a", "b", "c"}


def test_all_leaves_out_what_makes_no_sense_for_the_series():
    seasonal = inject(signal("daily"), n_events=24)[2]["kind"]
    shapeless = inject(signal("noise"), n_events=24)[2]["kind"]

    assert set(KINDS) - set(seasonal) == {"decorrelation"}
    assert set(KINDS) - set(shapeless) == {"decorrelation", "contextual", "pattern_swap"}


def test_a_season_is_needed_for_all_but_not_when_a_kind_is_asked_for():
    assert set(inject(signal("walk"), kinds=["contextual", "pattern_swap"], n_events=6)[2]["kind"]) == {"contextual", "pattern_swap"}


def test_the_same_seed_gives_the_same_and_another_one_does_not():
    first, again, other = (inject(STAGE, random_state=seed) for seed in (5, 5, 6))

    for a, b in zip(first, again, strict=True):
        assert a.equals(b)
    assert not first[0].equals(other[0])
    assert not first[1].equals(other[1])


def test_the_series_that_is_given_stays_as_it_is():
    series = STAGE.copy()
    inject(series)

    pd.testing.assert_frame_equal(series, STAGE)


def test_events_scale_with_the_series():
    series = signal("daily")
    small, small_labels, small_events = inject(series, n_events=11)
    large, large_labels, large_events = inject(1024.0 * series, n_events=11)

    pd.testing.assert_series_equal(1024.0 * small, large, rtol=1e-9)
    assert small_labels.equals(large_labels)
    pd.testing.assert_frame_equal(small_events, large_events, rtol=1e-9)


def test_a_quiet_and_a_loud_column_get_events_of_their_own_size():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"quiet": 0.01 * rng.normal(size=2000), "loud": 100.0 * rng.normal(size=2000)})
    after, _, events = inject(frame, kinds="spike", n_events=20)

    moved = (after - frame).abs().max()
    assert set(events["column"]) == {"quiet", "loud"}
    assert 0.04 < moved["quiet"] < 0.15
    assert 400 < moved["loud"] < 1500


def test_the_scale_is_that_of_the_noise_under_season_and_trend():
    for name, low, high in (("noise", 0.9, 1.1), ("daily", 0.9, 1.3), ("weekly", 0.9, 1.3), ("drift", 0.9, 2.0), ("pulse", 0.45, 0.6)):
        series = signal(name, n=2016)
        assert low < Column.of(series.to_numpy(), Slots.counted(len(series))).scale < high, name


def test_the_season_is_found_under_a_trend_under_gaps_and_of_a_week():
    daily, drift, weekly = (signal(name, n=2016) for name in ("daily", "drift", "weekly"))
    kept = np.sort(np.random.default_rng(0).permutation(2016)[:1500])

    assert Column.of(drift.to_numpy(), Slots.counted(2016)).season == 24
    assert Column.of(weekly.to_numpy(), Slots.counted(2016)).season == 168
    assert Column.of(daily.to_numpy()[kept], Slots(kept, kept)).season == 24
    assert Column.of(signal("noise", n=2016).to_numpy(), Slots.counted(2016)).season == 0


@settings(max_examples=60, deadline=None)
@given(
    room=st.integers(16, 60),
    n_events=st.integers(1, 12),
    kinds=st.lists(st.sampled_from([*SCATTERED, "clusters"]), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
    missing=st.floats(0.0, 0.4),
    integers=st.booleans(),
)
def test_events_are_as_many_as_asked_apart_from_each_other_and_keep_gaps(room, n_events, kinds, seed, missing, integers):
    rng = np.random.default_rng(seed)
    n = int(np.ceil(room * n_events / (1.0 - missing))) + 16
    values = np.sin(np.arange(n) / 4) + rng.normal(size=n)
    values[rng.permutation(n)[: int(missing * (n - 16))]] = np.nan
    series = pd.Series(values, index=range(7, n + 7) if integers else pd.date_range("2024-03-30", periods=n, freq="h", tz="Europe/Berlin"))

    after, labels, events = inject(series, kinds=kinds, n_events=n_events, random_state=seed)

    edges = np.flatnonzero(np.diff(labels.to_numpy(), prepend=0, append=0)).reshape(-1, 2)
    assert len(edges) == len(events) == n_events
    assert (edges[1:, 0] - edges[:-1, 1] >= 4).all()
    assert edges[0, 0] >= 2
    assert edges[-1, 1] <= n - 2
    np.testing.assert_array_equal(after.isna(), series.isna())
    np.testing.assert_array_equal(after[labels == 0], series[labels == 0])
    assert series.index[edges[:, 0]].equals(pd.Index(events["start"]))
    assert series.index[edges[:, 1] - 1].equals(pd.Index(events["end"]))
    assert labels.mean() <= 0.4


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(600),
        pd.Index(np.arange(600) * 5 - 300),
        pd.date_range("2024-10-20", periods=600, freq="h", tz="America/New_York", name="when"),
        pd.date_range("1950-01-01", periods=600, freq="MS"),
        pd.period_range("2020-01", periods=600, freq="D"),
    ],
    ids=["range", "integers", "zone", "months", "periods"],
)
def test_the_index_the_name_and_the_kind_of_object_come_back(index):
    series = pd.Series(signal("daily", n=600).to_numpy(), index=index, name="cpu")

    after, labels, events = inject(series, n_events=5)
    framed, _, of_frame = inject(series.to_frame(), n_events=5)

    assert after.index.identical(series.index)
    assert (after.name, after.dtype) == ("cpu", np.float64)
    assert labels.index.identical(series.index)
    assert (labels.name, labels.dtype) == ("label", np.int8)
    assert set(events["start"]) | set(events["end"]) <= set(index)
    assert list(events.columns) == ["start", "end", "kind", "column", "size"]
    assert list(framed.columns) == ["cpu"]
    pd.testing.assert_series_equal(framed["cpu"], after)
    pd.testing.assert_frame_equal(of_frame, events)


def test_a_zone_survives_in_the_table_of_events():
    series = pd.Series(signal("daily", n=600).to_numpy(), index=pd.date_range("2024-03-25", periods=600, freq="h", tz="Europe/Berlin"))

    assert str(inject(series)[2]["start"].dt.tz) == "Europe/Berlin"


def test_a_series_without_a_name_is_a_column_called_value():
    assert set(inject(pd.Series(np.sin(np.arange(500.0))))[2]["column"]) == {"value"}


def test_dtypes_stay_but_whole_numbers_that_are_hit_become_floats():
    frame = pd.DataFrame({"count": np.arange(400) % 7, "small": signal("daily", n=400).to_numpy(np.float32), "fixed": 3})
    hit, labels, events = inject(frame, kinds="spike", n_events=12)

    assert set(events["column"]) == {"count", "small"}
    assert hit.dtypes.to_dict() == {"count": np.float64, "small": np.float32, "fixed": np.int64}
    np.testing.assert_array_equal(hit["small"][labels == 0], frame["small"][labels == 0])


def test_nullable_numbers_come_back_as_floats_with_gaps():
    series = pd.Series([*range(1, 200), None], dtype="Int64")
    after, labels, _ = inject(series, kinds="level_shift", n_events=2)

    assert after.dtype == np.float64
    assert after.isna().sum() == 1
    assert (after[labels == 0].dropna() == series[labels == 0].dropna()).all()


def test_columns_of_one_name_are_told_apart_by_their_place():
    frame = pd.concat([signal("daily"), signal("daily", random_state=1)], axis=1)
    after, labels, _ = inject(frame, kinds="level_shift", n_events=8)

    touched = after.to_numpy() != frame.to_numpy()
    assert touched.any(axis=0).all()
    assert not touched.all(axis=1).any()
    np.testing.assert_array_equal(touched.any(axis=1), labels == 1)


def test_constant_columns_are_left_alone_while_others_vary():
    frame, _, _ = web_service()
    after, _, events = inject(frame, n_events=36)

    assert "replicas" not in set(events["column"])
    assert after["replicas"].equals(frame["replicas"])


@pytest.mark.parametrize("value", [5.0, 0.0, -3.0e6])
def test_a_series_that_is_constant_gets_the_kinds_that_can_be_seen_on_it(value):
    after, labels, events = inject(pd.Series(np.full(500, value)), n_events=12)

    assert set(events["kind"]) == {"spike", "dip", "level_shift", "trend", "noise_burst", "clusters"}
    assert (after[labels == 0] == value).all()
    assert after.std() > 0.0


def test_a_kind_that_can_change_nothing_is_refused_with_the_place():
    with pytest.raises(BadSeries, match=r"kinds flat_line change nothing between 0 and 49: .* Ask for other kinds"):
        inject(pd.Series(np.full(500, 2.0)), kinds="flat_line")


def test_a_long_gap_holds_no_event():
    series = signal("daily", n=2000)
    series.iloc[500:1500] = np.nan
    _, labels, _ = inject(series, n_events=20)

    assert labels.iloc[500:1500].sum() == 0


def test_a_column_without_room_is_passed_over():
    frame = signal("coupled", n=500)
    frame.loc[frame.index[20:], "a"] = np.nan

    assert all("a" not in set(inject(frame, n_events=2, random_state=seed)[2]["column"]) for seed in range(10))


def test_rows_of_one_time_are_told_apart_by_their_place():
    index = pd.date_range("2024-01-01", periods=300, freq="min").repeat(2)
    frame = pd.DataFrame({"a": np.sin(np.arange(600) / 3), "b": np.cos(np.arange(600) / 5)}, index=index)
    after, labels, events = inject(frame, n_events=8)

    np.testing.assert_array_equal((after.to_numpy() != frame.to_numpy()).any(axis=1)[labels == 0], False)
    assert len(events) == 8


def test_a_gap_of_a_century_costs_no_memory():
    index = pd.date_range("1900-01-01", periods=300, freq="min").append(pd.date_range("2024-01-01", periods=300, freq="min"))

    assert len(inject(pd.Series(np.sin(np.arange(600) / 3), index=index), n_events=5)[2]) == 5


@pytest.mark.parametrize(
    ("n", "way_out"), [(1, r"series\."), (15, r"series\."), (31, "series, or ask for at most 1 "), (159, "at most 9 events")]
)
def test_too_short_a_series_is_refused_with_the_number_that_fits(n, way_out):
    with pytest.raises(BadSeries, match=rf"n_events=10 needs 160 rows with values, 16 per event, and there are {n}\. Give a .*{way_out}"):
        inject(pd.Series(np.arange(n) * 1.5))


def test_missing_values_take_up_no_room():
    series = pd.Series(np.where(np.arange(300) % 2, np.nan, np.arange(300.0)))

    with pytest.raises(BadSeries, match="there are 150"):
        inject(series)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (pd.Series(np.full(300, np.nan)), "holds no value"),
        (pd.Series(["a"] * 300), "not numeric"),
        (pd.Series(np.where(np.arange(300) == 7, np.inf, 0.0)), "infinity at row 7"),
        (pd.Series(np.arange(300.0), index=range(300, 0, -1)), "goes back at row 1"),
        (pd.Series(np.arange(300.0), index=np.linspace(0, 1, 300)), "DatetimeIndex or whole numbers"),
        (pd.DataFrame(index=range(300)), "at least one column"),
    ],
)
def test_a_series_that_cannot_be_read_is_refused(series, message):
    with pytest.raises(BadSeries, match=message):
        inject(series)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kinds": "peak"}, "kinds is 'peak'; it is one of 'spike'"),
        ({"kinds": ["spike", "peak"]}, "kinds is 'peak'"),
        ({"kinds": []}, "name at least one"),
        ({"kinds": None}, "kinds is None"),
        ({"kinds": "decorrelation"}, "needs 2 columns that vary"),
        ({"n_events": 0}, "n_events is 0"),
        ({"n_events": 2.5}, "n_events is 2.5"),
        ({"random_state": -1}, "random_state is -1"),
        ({"series": np.arange(300.0)}, "series is a ndarray"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(wrong, message):
    with pytest.raises(BadParameter, match=message):
        inject(**{"series": signal("daily"), **wrong})


def test_a_new_kind_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setitem(KINDS, "mirror", lambda rows, site: 2.0 * site.column.usual[1] - rows)
    series = signal("daily")

    assert set(inject(series, kinds="mirror")[2]["kind"]) == {"mirror"}
    assert "mirror" in set(inject(series, n_events=12)[2]["kind"])


def test_the_sea_and_the_service_take_every_kind():
    service, sea = tsp.datasets.load("web_service").frame, tsp.datasets.load("elnino").frame["value"]

    assert set(inject(service, n_events=24)[2]["kind"]) == set(KINDS)
    assert set(inject(sea, n_events=11)[2]["kind"]) == set(KINDS) - {"decorrelation"}


def test_the_docs_name_and_picture_every_kind():
    text = (DOCS / "injection.md").read_text(encoding="utf-8")

    for kind in KINDS:
        assert f"`{kind}`" in text
        assert f"pictures/inject_{kind}.png" in text
        assert (DOCS / "pictures" / f"inject_{kind}.png").stat().st_size > 5000


def _faulty(random_state: int) -> tuple[pd.Series, np.ndarray]:
    """A daily signal whose fault comes back, alike each time: twelve rows about four deviations too high, 6 % of the record."""
    series = signal("daily", n=3000, random_state=random_state)
    noise, deviation = np.random.default_rng(100 + random_state), series.std()
    fault = np.zeros(len(series), np.int8)
    for start in range(100, 2950, 190):
        wiggle = 4.0 + np.sin(np.arange(12)) + 0.05 * noise.normal(size=12)
        series.iloc[start : start + 12] = series.mean() + deviation * wiggle
        fault[start : start + 12] = 1
    return series, fault


def _gain_by_cleaning(learned, judged, labels) -> float:
    """Average precision of LOF with a cleaned reference set minus that with the whole one; windows of six values."""
    from sklearn.metrics import average_precision_score
    from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

    learned, judged = (np.lib.stride_tricks.sliding_window_view(np.r_[np.full(5, x[0]), x], 6) for x in (learned, judged))
    far = np.log(NearestNeighbors(n_neighbors=101).fit(learned).kneighbors(learned)[0][:, -1])
    clean = far <= np.median(far) + 3 * 1.4826 * np.median(np.abs(far - np.median(far)))
    whole, cleaned = (
        average_precision_score(labels, -LocalOutlierFactor(20, novelty=True).fit(reference).score_samples(judged))
        for reference in (learned, learned[clean])
    )
    return cleaned - whole


def test_scattered_events_misjudge_the_cleaning_of_lof_and_clusters_do_not():
    """What docs/injection.md warns of: a history with a fault that recurs must be cleaned, and scattered events deny it."""
    cut, true, scattered, clustered = 1800, [], [], []
    for seed in range(4):
        series, fault = _faulty(seed)
        values = series.to_numpy()
        true.append(_gain_by_cleaning(values[:cut], values[cut:], fault[cut:]))
        after, labels, _ = inject(series[cut:], kinds=SCATTERED, n_events=12, random_state=seed)
        scattered.append(_gain_by_cleaning(values[:cut], after.to_numpy(), labels))
        after, labels, _ = inject(series, kinds="clusters", n_events=8, random_state=seed)
        clustered.append(_gain_by_cleaning(after.to_numpy()[:cut], after.to_numpy()[cut:], labels[cut:]))

    assert min(true) > 0.6
    assert max(scattered) < -0.05
    assert np.mean(clustered) > 0.2


def test_clusters_ask_for_cleaning_even_where_nothing_is_wrong():
    """They say what cleaning would be worth if a fault recurred, not whether one does."""
    series = signal("noise", n=3000)
    after, labels, _ = inject(series, kinds="clusters", n_events=8)

    assert _gain_by_cleaning(after.to_numpy()[:1800], after.to_numpy()[1800:], labels[1800:]) > 0.3
