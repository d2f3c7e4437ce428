"""Periods: found where there is one, none where there is none, whatever the gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import decompose as textbook
from scipy.signal import lfilter
from scipy.stats import t as student
from shared_files import shared

from tsprune.errors import BadParameter, BadSeries
from tsprune.kernels.folds import Folds, evidence, gain, t_tail
from tsprune.kernels.periods import find
from tsprune.series.table import read_table
from tsprune.signal.grid import on_grid
from tsprune.signal.period import Period, find_on_grid, find_periods

DAY = 24


def hours(n, seed=0, noise=0.3, period=DAY):
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * np.arange(n) / period) + noise * rng.normal(size=n)


def cyclic(seed):
    """A cycle of random length, shape, noise and trend, with outliers; some have a week of seven cycles."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([2000, 10_000]))
    period = int(np.exp(rng.uniform(np.log(10), np.log(n / 10))))
    turn = ((np.arange(n) + rng.integers(period)) % period) / period
    weights = rng.normal(size=3)
    shapes = (
        np.sin(2 * np.pi * turn),
        sum(weights[k] * np.sin(2 * np.pi * (k + 1) * turn + k) for k in range(3)) + np.sin(2 * np.pi * turn),
        np.exp(-0.5 * ((turn - 0.5) / 0.05) ** 2),
        (turn < 0.3).astype(float),
    )
    cycle = shapes[rng.integers(4)]
    cycle = cycle / cycle.std()
    noise = lfilter([1], [1, -rng.choice([0.0, 0.9])], rng.normal(size=n))
    x = cycle + rng.choice([0.3, 1.0]) * noise / noise.std()
    if rng.random() < 0.25 and 7 * period <= n // 4:
        x = x - 0.8 * ((np.arange(n) // period) % 7 >= 5) * (cycle + 1)
    x = x + rng.choice([0.0, 3.0]) * np.cumsum(rng.normal(size=n)) / np.sqrt(n) + rng.choice([0.0, 4.0]) * (np.arange(n) > n // 3)
    x[rng.integers(0, n, n // 200)] += 10
    return x, period


def aimless(seed):
    """Noise of eight kinds, white to random walk, bursts, and a resonance that keeps no time."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([2000, 10_000]))
    e = rng.normal(size=n)
    kinds = (
        lambda: e,
        lambda: lfilter([1], [1, -0.5], e),
        lambda: lfilter([1], [1, -0.9], e),
        lambda: lfilter([1], [1, -0.99], e),
        lambda: np.cumsum(e),
        lambda: np.cumsum(e * (rng.random(n) < 0.01)) + 0.2 * e,
        lambda: (rng.random(n) < 0.02) * rng.pareto(1.5, n) + 0.1 * e,
        lambda: lfilter([1], [1, -1.9 * np.cos(2 * np.pi / 50), 0.9025], e),
    )
    return kinds[seed % len(kinds)]()


def test_nine_of_ten_cycles_are_found_at_noise_up_to_their_own_size():
    found = [(find(x), period) for x, period in map(cyclic, range(100))]
    right = [bool(periods) and abs(periods[0].samples - period) <= max(1.0, 0.02 * period) for periods, period in found]
    assert np.mean(right) >= 0.9


def test_nothing_is_found_in_noise():
    found = {seed: periods for seed in range(240) if (periods := find(aimless(seed)))}
    assert len(found) <= 2, found


def test_every_real_series_with_a_known_clock_shows_its_period():
    manifest = pd.read_csv(shared("data/manifest.csv"))
    known = manifest[manifest["period_source"] == "domain"]
    missed = {
        row.name_: (row.period, own)
        for row in known.rename(columns={"name": "name_"}).itertuples()
        if row.period not in (own := _whole(row))
    }
    assert not missed
    assert len(known) >= 32


def _whole(row):
    frame = pd.read_parquet(shared(f"data/{row.path}"))
    columns = [c for c in frame if c not in ("timestamp", "label") and not c.startswith("_") and frame[c].nunique() > 1]
    x = frame[columns[0]].astype(float)
    if "timestamp" in frame:
        return [period.whole for period in find_periods(x.set_axis(pd.DatetimeIndex(frame["timestamp"])))]
    return [period.whole for period in find_periods(x, step=pd.Timedelta(seconds=row.sampling_s))]


@pytest.mark.parametrize("length", [7.3, 24.37, 29.53, 48.8, 82.4, 98.17, 157.3, 365.25])
def test_the_length_of_a_cycle_is_told_to_a_fraction_of_a_sample(length):
    t = np.arange(20_000)
    x = np.sin(2 * np.pi * t / length) + 0.5 * np.sin(4 * np.pi * t / length + 1) + 0.5 * np.random.default_rng(0).normal(size=len(t))
    (found,) = find(x)
    assert found.samples == pytest.approx(length, rel=1e-3)
    assert found.whole % found.samples < 0.15 * length or -found.whole % found.samples < 0.15 * length


def test_a_day_and_its_week_are_found_with_and_without_a_calendar():
    t = np.arange(24 * 7 * 10)
    x = hours(len(t)) + 1.5 * (t // 24 % 7 > 4)
    assert [(p.samples, p.whole, p.source) for p in find_periods(x, step="1h")] == [(24, 24, "calendar"), (168, 168, "calendar")]
    assert [p.samples for p in find_periods(x)] == [24, 168]
    assert [p.samples for p in find_periods(x, step="1h", max_periods=1)] == [24]


def test_a_week_is_found_within_a_year():
    index = pd.date_range("2015-01-01", periods=3000, freq="D")
    x = np.sin(2 * np.pi * np.arange(3000) / 365.25) + 0.7 * (np.arange(3000) % 7 > 4) + 0.3 * np.random.default_rng(0).normal(size=3000)
    assert [p.whole for p in find_periods(pd.Series(x, index))] == [7, 365]


@pytest.mark.parametrize(("freq", "period"), [("12h", 2), ("QS", 4), ("MS", 12), ("D", 7), ("30min", 48)])
def test_the_calendar_follows_from_the_step(freq, period):
    index = pd.date_range("1990-01-01", periods=40 * period, freq=freq)
    x = np.tile(np.random.default_rng(1).normal(size=period), 40) + 0.1 * np.random.default_rng(0).normal(size=40 * period)
    (found,) = find_periods(pd.Series(x, index))
    assert (found.samples, found.source) == (period, "calendar")


def test_missing_rows_and_values_shift_no_phase():
    x = pd.Series(hours(24 * 40), pd.date_range("2026-01-01", periods=24 * 40, freq="h"))
    gone = np.random.default_rng(0).random(len(x)) < 0.3
    assert find_periods(x[~gone])[0].samples == find_periods(x.mask(gone))[0].samples == DAY


def test_an_integer_index_counts_slots():
    x = pd.Series(hours(24 * 40), pd.RangeIndex(0, 5 * 24 * 40, 5))
    gone = np.random.default_rng(0).random(len(x)) < 0.2
    (found,) = find_periods(x[~gone], step="1h")
    assert (found.samples, found.source) == (DAY, "calendar")


def test_a_gap_of_years_costs_no_memory():
    index = pd.date_range("1980-01-01", periods=5, freq="min").append(pd.date_range("2026-01-01", periods=2400, freq="min"))
    x = pd.Series(hours(len(index), period=60), index)
    assert [p.samples for p in find_periods(x)] == [60]


def test_three_cycles_are_not_enough():
    assert find(hours(24 * 3, noise=0.05), [DAY]) == []
    assert [p.whole for p in find(hours(24 * 5, noise=0.05), [DAY])] == [DAY]


@pytest.mark.parametrize("x", [[1.0], [1.0, 2.0], np.zeros(500), np.full(500, np.nan), np.arange(500.0), np.full(500, 1e300)])
def test_where_nothing_varies_or_nothing_is_known_there_is_no_period(x):
    assert find_periods(x) == []


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-1e6, 1e6))
def test_units_and_offsets_change_no_period(scale, shift):
    x = hours(24 * 30)
    if scale < 1e-9 * abs(shift):
        return  # nothing of the series is left in 16 digits
    assert [p.whole for p in find(scale * x + shift, [DAY])] == [DAY]


def test_the_gain_is_what_the_other_cycles_foresee():
    cycles = np.random.default_rng(0).normal(size=(9, 14)) + np.sin(np.arange(14))
    expected = textbook.foreseen(cycles)
    assert gain(cycles) == pytest.approx(expected[0])
    assert evidence(cycles) == pytest.approx(expected)


def test_a_trend_foresees_nothing():
    folds = Folds(np.linspace(-1.0, 1.0, 960))
    assert folds.gain(24) <= 0.0


def test_the_tail_of_student_s_t_is_scipy_s():
    for degrees in (1, 2, 3, 4, 7, 30, 151, 199):
        for t in (0.1, 1.0, 3.0, 5.0, 13.0):
            assert t_tail(t, degrees) == pytest.approx(student.sf(t, degrees), rel=1e-6, abs=1e-13)
    assert t_tail(3.3, 500) == pytest.approx(student.sf(3.3, 500), rel=1e-3)


def test_stages_ask_for_whole_periods_of_a_grid():
    x = (
        pd.Series(hours(24 * 40), pd.date_range("2026-01-01", periods=24 * 40, freq="h"))
        .iloc[::-1]
        .iloc[::-1]
        .drop(pd.Timestamp("2026-01-03"))
    )
    table = read_table(x)
    found = find_on_grid(on_grid(table.values[:, 0], table.slots.absolute), table.clock)
    assert [period.whole for period in found] == [DAY]


def test_a_period_prints_as_a_sentence():
    assert str(Period(24.0, 0.5, "calendar", 24)) == "a period of 24 samples from the calendar, which foresees 50% of the variance"
    assert "82.4 samples (412 in whole ones)" in str(Period(82.4, 0.5, "acf", 412))


def test_series_of_no_use_are_refused_with_the_way_out():
    x = pd.Series(hours(100), pd.date_range("2026-01-01", periods=100, freq="h"))
    with pytest.raises(BadSeries, match="at least one row"):
        find_periods([])
    with pytest.raises(BadSeries, match="Sort the rows by time"):
        find_periods(x[::-1])
    with pytest.raises(BadSeries, match="infinity"):
        find_periods([1.0, np.inf])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": np.ones((9, 2))}, "2 columns; find_periods takes one"),
        ({"step": 300}, "with its unit"),
        ({"step": "often"}, "with its unit"),
        ({"step": "-5min"}, "longer than 0"),
        ({"max_periods": 0}, "max_periods is 0"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, words):
    with pytest.raises(BadParameter, match=words):
        find_periods(**{"x": hours(100), **arguments})
