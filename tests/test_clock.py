"""Time becomes slots: no gap, zone or clock change shifts a phase."""

from __future__ import annotations

import zoneinfo

import numpy as np
import pandas as pd
import pytest

from tsprune.errors import BadParameter, BadSeries
from tsprune.model.clock import Clock, Slots
from tsprune.series.clock import ClockFacts, learn_clock, times


def slots_of(index: pd.Index) -> Slots:
    return learn_clock(index).slots(times(index))


def test_a_missing_row_leaves_a_hole_in_the_slots():
    index = pd.date_range("2026-01-01", periods=10, freq="5min").delete([3, 4])

    assert slots_of(index).absolute.tolist() == [s + slots_of(index).absolute[0] for s in (0, 1, 2, 5, 6, 7, 8, 9)]


def test_rows_off_the_hour_keep_one_slot_each():
    index = pd.date_range("2026-01-01 00:02:30", periods=50, freq="5min")

    assert np.diff(slots_of(index).absolute).tolist() == [1] * 49


def test_jittered_rows_fall_to_their_nearest_slot():
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-01-01", periods=500, freq="h") + pd.to_timedelta(rng.integers(-900, 900, 500), unit="s")

    assert np.diff(slots_of(index).absolute).tolist() == [1] * 499


def test_rows_sent_twice_a_second_apart_are_no_step():
    minutes = pd.date_range("2024-01-01", periods=500, freq="min")
    again = minutes[np.random.default_rng(0).random(500) < 0.4] + pd.Timedelta(seconds=1)

    assert learn_clock(minutes.append(again).sort_values()).duration(1) > 50 * 10**9


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.3])
def test_the_step_is_learned_though_most_rows_are_missing(kept):
    hours = pd.date_range("2024-01-01", periods=2000, freq="h")
    clock = learn_clock(hours[np.random.default_rng(0).random(2000) < kept])
    assert clock.duration(1) == 3600 * 10**9


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_the_timestamps_does_not_matter(unit):
    index = pd.date_range("2026-01-01", periods=20, freq="h").as_unit(unit)

    assert slots_of(index).absolute.tolist() == slots_of(index.as_unit("ns")).absolute.tolist()


def test_months_are_slots_though_they_differ_in_length():
    for freq, step in (("MS", 1), ("ME", 1), ("QS", 3), ("YS", 12)):
        index = pd.date_range("1950-01-01", periods=60, freq=freq)
        clock = learn_clock(index)

        assert (clock.kind, clock.step) == ("month", step)
        assert np.diff(clock.slots(times(index)).absolute).tolist() == [1] * 59


def test_an_integer_index_counts_in_its_own_step():
    index = pd.Index(np.arange(100, 400, 5))

    assert np.diff(slots_of(index).absolute).tolist() == [1] * 59


def test_an_array_counts_its_rows():
    assert learn_clock(None).slots(None, 4).absolute.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC"])
def test_wall_slots_are_what_the_clock_on_the_wall_shows(zone):
    index = pd.date_range("2020-01-01", "2038-01-01", freq="6h", tz=zone)

    wall = learn_clock(index, step=3600 * 10**9).slots(times(index)).wall

    shown = (index.tz_localize(None).as_unit("s").asi8 + 1800) // 3600
    assert (wall == shown).all()


def test_every_zone_there_is_keeps_its_wall_clock_through_both_changes():
    seconds = np.arange(np.datetime64("2025-01-01", "s").astype(np.int64), np.datetime64("2026-01-01", "s").astype(np.int64), 3600)
    for zone in sorted(zoneinfo.available_timezones())[::12]:
        index = pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(zone)
        slots = learn_clock(index).slots(times(index))

        assert (np.diff(slots.absolute) == 1).all(), zone
        moves = np.diff(index.tz_localize(None).as_unit("s").asi8) // 3600
        assert (np.diff(slots.wall) == moves).mean() > 0.999, zone


def test_time_that_goes_back_is_refused_with_its_row():
    index = pd.DatetimeIndex(["2026-01-01", "2026-01-03", "2026-01-02", "2026-01-04"])

    with pytest.raises(BadSeries, match="row 2"):
        slots_of(index)


def test_an_index_of_text_is_refused_with_the_way_out():
    with pytest.raises(BadSeries, match="to_datetime"):
        times(pd.Index(["a", "b"]))


def test_a_missing_time_is_refused():
    with pytest.raises(BadSeries, match="row 1"):
        times(pd.DatetimeIndex(["2026-01-01", None]))


def test_a_clock_of_numbers_refuses_dates():
    with pytest.raises(BadParameter, match="slot numbers"):
        Clock.index().slots(np.array(["2026-01-01"], dtype="datetime64[ns]"))


def test_windows_end_at_their_row_and_miss_what_is_missing():
    slots = Slots(np.array([0, 1, 3, 4]), np.array([0, 1, 3, 4]))

    windows = slots.windows(np.array([10.0, 11.0, 13.0, 14.0]), 3)

    np.testing.assert_array_equal(windows, [[np.nan, np.nan, 10], [np.nan, 10, 11], [11, np.nan, 13], [np.nan, 13, 14]])


def test_each_of_two_rows_in_a_slot_ends_its_own_window_and_the_last_is_history():
    slots = Slots(np.array([0, 1, 1, 2]), np.array([0, 1, 1, 2]))

    windows = slots.windows(np.array([1.0, 2.0, 3.0, 4.0]), 2)

    np.testing.assert_array_equal(windows, [[np.nan, 1], [1, 2], [1, 3], [3, 4]])


def test_a_gap_of_centuries_costs_no_memory():
    slots = Slots(np.array([0, 1, 2**40]), np.array([0, 1, 2**40]))

    assert slots.windows(np.arange(3.0), 4).shape == (3, 4)


def test_what_is_found_in_an_index_is_counted():
    index = pd.date_range("2026-01-01", periods=100, freq="h").delete(range(20, 25))
    index = index.append(index[[50]]).sort_values()
    facts = ClockFacts.of(times(index), learn_clock(index))

    assert (facts.n_missing, facts.n_gaps, facts.longest_gap, facts.n_duplicates, facts.n_off_grid) == (5, 1, 5, 1, 0)
