"""STL and MSTL: the paper, statsmodels, and themselves; and what statsmodels leaves undefined."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import decompose as textbook
from statsmodels.tsa.seasonal import MSTL, STL

from tsprune.errors import BadParameter, BadSeries
from tsprune.kernels import edges, filters
from tsprune.kernels import stl as stl_kernel
from tsprune.kernels.fill import fill
from tsprune.kernels.loess import Loess
from tsprune.kernels.profile import seasonal_profile
from tsprune.kernels.stl import Plan, Settings, default_trend
from tsprune.kernels.stl import stl as kernel
from tsprune.signal.stl import mstl, stl


def series(n, period, noise=0.3, seed=0):
    t = np.arange(n)
    rng = np.random.default_rng(seed)
    return 10 + 0.01 * t + 2 * np.sin(2 * np.pi * t / period) + np.cos(6 * np.pi * t / period) + noise * rng.normal(size=n)


def of(period, seasonal=7, robust=False, **changes):
    """Settings as statsmodels' defaults would have them."""
    plain = Settings(period, seasonal, default_trend(period, seasonal), period + 1 + period % 2)
    return replace(plain, **{**({"inner_iter": 2, "outer_iter": 15} if robust else {}), **changes})


def statsmodels(y, s):
    arguments = asdict(s)
    loops = {name: arguments.pop(name) for name in ("inner_iter", "outer_iter")}
    del arguments["widen"]
    return STL(np.ascontiguousarray(y), **arguments).fit(**loops)


def distance(parts, library, y):
    """The largest difference of trend and season, on the scale of the series."""
    return max(np.abs(parts.trend - library.trend).max(), np.abs(parts.seasonal - library.seasonal).max()) / np.abs(y).max()


@pytest.mark.parametrize(("period", "n", "degrees"), [(4, 30, (1, 1, 1)), (5, 61, (0, 1, 0)), (7, 48, (1, 0, 1)), (2, 25, (0, 0, 0))])
def test_the_parts_are_the_paper_s(period, n, degrees):
    y = series(n, period)
    own = dict(zip(("seasonal_deg", "trend_deg", "low_pass_deg"), degrees, strict=True))
    s = of(period, 5, inner_iter=2, **own)
    parts = kernel(y, s)
    T, S, _ = textbook.stl(y, period, s.seasonal, s.trend, s.low_pass, **own, inner_iter=2)
    np.testing.assert_allclose(parts.trend, T, atol=1e-10)
    np.testing.assert_allclose(parts.seasonal, S, atol=1e-10)


def test_robust_parts_are_the_paper_s_up_to_the_constants_of_its_code():
    """The code has flat and cut ends of the bisquare, which move weights by 1e-6."""
    y = series(60, 6)
    y[[13, 40]] += 9
    s = of(6, 9, inner_iter=1, outer_iter=3)
    parts = kernel(y, s)
    T, S, weights = textbook.stl(y, 6, 9, s.trend, s.low_pass, inner_iter=1, outer_iter=3)
    np.testing.assert_allclose(parts.trend, T, atol=1e-4)
    np.testing.assert_allclose(parts.seasonal, S, atol=1e-4)
    np.testing.assert_allclose(parts.weights, weights, atol=1e-4)


@st.composite
def problems(draw):
    """A series, settings that statsmodels takes, and which of the two engines runs the inner loops."""
    period = draw(st.sampled_from([2, 3, 5, 7, 12, 24, 31]))
    n = draw(st.one_of(st.just(2 * period), st.integers(2 * period, 2 * period + 200)))

    def odd(low, high):
        return 2 * draw(st.integers(low // 2, high // 2)) + 1

    robust = draw(st.booleans())
    jumps = st.integers(1, 7) if draw(st.booleans()) else st.just(1)
    s = Settings(
        period=period,
        seasonal=odd(3, 41),
        trend=odd(period + 1, 4 * period + 60),
        low_pass=odd(period + 1, period + 90),
        seasonal_deg=draw(st.integers(0, 1)),
        trend_deg=draw(st.integers(0, 1)),
        low_pass_deg=draw(st.integers(0, 1)),
        seasonal_jump=draw(jumps),
        trend_jump=draw(jumps),
        low_pass_jump=draw(jumps),
        inner_iter=draw(st.integers(1, 3)),
        outer_iter=draw(st.integers(1, 15)) if robust else 0,
    )
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    y = series(n, period, seed=0) * draw(st.sampled_from([1.0, 1e-3])) + draw(st.sampled_from([0.0, 1e3])) + rng.normal(size=n)
    y[rng.integers(0, n, n // 20)] += draw(st.sampled_from([0.0, -40.0, 1e3]))
    return y, s, draw(st.booleans())


@settings(max_examples=100, deadline=None)
@given(problems())
def test_trend_and_season_are_statsmodels_s(problem):
    y, s, compiled = problem
    library = statsmodels(y, s)
    # where nothing is left over in any round, its robustness weights are made of rounding (see the test on perfect fits)
    rounds = [statsmodels(y, replace(s, outer_iter=k)).resid for k in range(s.outer_iter)]
    assume(all(np.median(np.abs(left)) > 1e-10 * np.abs(y).max() for left in rounds))
    parts = Plan(len(y), s, compiled=compiled).decompose(y[None])
    assert distance(parts._replace(trend=parts.trend[0], seasonal=parts.seasonal[0]), library, y) < 1e-8
    # a weight is a function of the remainder over six times its median: what rounding does to the fit counts by that measure
    rounding = 1e-8 * np.abs(y).max() / np.median(np.abs(library.resid))
    np.testing.assert_allclose(parts.weights[0], library.weights, atol=1e-6 + rounding)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("n", "s"),
    [
        (1703, of(150, 3, robust=True, outer_iter=5, trend=151)),
        (1600, of(100, 13, robust=True, outer_iter=5)),
        (900, of(100, 13, robust=True, outer_iter=3, trend=1301)),
        (1000, of(3, 101, robust=True, outer_iter=3)),
        (4007, of(3, 7, robust=True, outer_iter=3)),
        (1500, of(300, 7)),
    ],
    ids=["transforms", "default", "trend longer than the series", "many cycles in a window", "over 1000 cycles, 2 lengths", "few cycles"],
)
def test_long_windows_and_long_series_are_statsmodels_s(n, s, compiled):
    y = series(n, s.period)
    rng = np.random.default_rng(1)
    y[400:700] += 20 * rng.normal(size=300)  # so long a disturbance that windows without any weight are met
    y[rng.integers(0, n, 20)] += 30
    parts = Plan(n, s, compiled=compiled).decompose(y[None])
    assert distance(parts._replace(trend=parts.trend[0], seasonal=parts.seasonal[0]), statsmodels(y, s), y) < 1e-8


def test_ends_by_powers_are_the_ends_by_weights(monkeypatch):
    """Windows of thousands of samples have no matrix; the sums of powers give the same, also where few weights are left."""
    rng = np.random.default_rng(0)
    y, w = rng.normal(size=(300, 3)), rng.random((300, 3)) ** 4
    w[:280, 1] = 0.0
    for beyond, before in ((0, 0), (0, 1), (40, 1)):
        arguments = {"rows": 150, "window": 300, "degree": 1, "n": 500, "before": before, "beyond": beyond, "floor": 0.0}
        expected = edges.Rows.leading(**arguments)
        plain, weighted = expected.fit(y), expected.fit(y, w, expected.tilt(w))
        with monkeypatch.context() as patch:
            patch.setattr(edges, "MATRIX", 100)
            powers = edges.Rows.leading(**arguments)
            np.testing.assert_allclose(powers.fit(y), plain, atol=1e-9)
            np.testing.assert_allclose(powers.fit(y, w, powers.tilt(w)), weighted, atol=1e-8)


@pytest.mark.parametrize(("q", "stride"), [(3, 1), (7, 5), (25, 1), (31, 4), (97, 1), (301, 2), (433, 1)])
def test_a_filter_is_a_plain_sum_whatever_its_length(q, stride):
    rng = np.random.default_rng(0)
    x, kernels = rng.normal(size=(3, 2000)), rng.normal(size=(2, q))
    length = 2000 - (q - 1) * stride
    for kernel_, result in zip(kernels, filters.correlate(x, kernels, stride), strict=True):
        expected = sum(kernel_[r] * x[:, r * stride : r * stride + length] for r in range(q))
        np.testing.assert_allclose(result, expected, atol=1e-11)


@pytest.mark.parametrize("robust", [False, True])
def test_columns_are_decomposed_one_by_one(robust):
    columns = np.column_stack([series(500, 12, seed=i) for i in range(7)])
    together = kernel(columns, of(12, robust=robust))
    for j in range(7):
        for part, alone in zip(together, kernel(columns[:, j], of(12, robust=robust)), strict=True):
            np.testing.assert_allclose(part[:, j], alone, atol=1e-10)


def test_many_columns_are_cut_into_pieces_that_fit_the_cache():
    columns = np.column_stack([series(3000, 12, seed=i) for i in range(30)])
    parts = kernel(columns, of(12))
    assert (
        distance(parts._replace(trend=parts.trend[:, -1], seasonal=parts.seasonal[:, -1]), statsmodels(columns[:, -1], of(12)), columns)
        < 1e-8
    )


@pytest.mark.parametrize("robust", [False, True])
def test_above_the_size_switch_machine_code_gives_the_same(monkeypatch, robust):
    columns, s = np.column_stack([series(400, 12, seed=i) for i in range(3)]), of(12, robust=robust, widen=True)
    below = kernel(columns, s)
    monkeypatch.setattr(stl_kernel, "COMPILE_FROM", 0)
    for machine, array in zip(kernel(columns, s), below, strict=True):
        np.testing.assert_allclose(machine, array, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e6, 1e6), robust=st.booleans())
def test_units_and_offsets_change_nothing(scale, shift, robust):
    y = series(200, 10)
    before, after = kernel(y, of(10, robust=robust)), kernel(scale * y + shift, of(10, robust=robust))
    tolerance = 1e-11 * (abs(shift) + scale * 30) * (1e4 if robust else 1)
    np.testing.assert_allclose(after.trend, scale * before.trend + shift, atol=tolerance)
    np.testing.assert_allclose(after.seasonal, scale * before.seasonal, atol=tolerance)


@pytest.mark.parametrize("robust", [False, True])
def test_a_constant_is_all_trend(robust):
    parts = stl(np.full(50, 7.25), 5, robust=robust)
    np.testing.assert_allclose(parts.trend, 7.25, atol=1e-12)
    np.testing.assert_allclose(parts.seasonal, 0.0, atol=1e-12)
    np.testing.assert_array_equal(parts.weights, 1.0)


def test_where_the_fit_is_perfect_robustness_changes_nothing():
    """Two cycles and local lines leave no residual; statsmodels then weighs by rounding errors, and half of the weights are 0."""
    y = np.random.default_rng(0).normal(size=16)
    s = of(8, 13, robust=True)
    parts, plain = kernel(y, s), kernel(y, replace(s, outer_iter=0))
    np.testing.assert_array_equal(parts.weights, 1.0)
    np.testing.assert_allclose(parts.seasonal, plain.seasonal, atol=1e-12)
    assert (statsmodels(y, s).weights < 0.5).any()


def kept_spikes(seasonal, **arguments):
    """What robust STL leaves in the residual of a lone spike of 40 noise sigmas, in 12 trials."""
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(12):
        x = np.sin(2 * np.pi * np.arange(960) / 48) + 0.1 * rng.normal(size=960)
        at = int(rng.integers(192, 768))
        spike = np.where(np.arange(960) == at, 4.0, 0.0)
        before, after = (stl(y, 48, seasonal=seasonal, robust=True, **arguments).residual for y in (x, x + spike))
        kept.append((after - before)[at] / 4.0)
    return np.array(kept)


def test_the_trap_of_vanishing_weights():
    """With seasonal=7 all five weights around a spike vanish; the sample is returned, and the spike is called season."""
    assert (kept_spikes(7, vanishing="statsmodels") < 0.1).mean() > 0.3
    assert kept_spikes(7, vanishing="widen").min() > 0.95


def test_the_default_window_of_cycles_is_wide_enough_to_stay_out_of_the_trap():
    assert kept_spikes(13).min() > 0.95


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("stride", [1, 5])
def test_a_window_widens_until_it_finds_weight(compiled, stride):
    """Fits of a constant are that constant, however far away the samples that count are; and if none counts, all do."""
    rng = np.random.default_rng(0)
    weights = np.where((np.arange(400) >= 100) & (np.arange(400) < 220), 0.0, rng.uniform(0.5, 1.0, 400))
    y = np.where(weights == 0.0, rng.normal(0.0, 100.0, 400), 5.0)
    smoother = Loess(400, 7, 1, stride=stride, extend=True, floor=0.01, compiled=compiled)
    np.testing.assert_allclose(smoother.smooth(y[None], smoother.weigh(weights[None]))[0], 5.0, atol=1e-9)
    nothing = smoother.smooth(y[None], smoother.weigh(np.zeros((1, 400))))[0, stride:-stride]
    everything = Loess(400, 2 * (400 // stride) + 1, 1, stride=stride).smooth(y[None])[0]
    assert np.isfinite(nothing).all()
    assert np.abs(nothing - everything).max() < np.abs(y - everything).max() / 3


@pytest.mark.parametrize("robust", [False, True])
def test_the_other_engine_gives_the_same(robust):
    y = series(300, 24)
    ours, theirs = (stl(y, 24, robust=robust, engine=engine) for engine in ("tsprune", "statsmodels"))
    for name in ("trend", "seasonal", "residual", "weights"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-9)


def test_several_periods_are_statsmodels_s():
    t = np.arange(24 * 7 * 5 + 11)
    y = series(len(t), 24) + 2.0 * (t // 24 % 7 > 4)
    ours, theirs = mstl(y, (24, 168)), MSTL(y, periods=(24, 168)).fit()
    np.testing.assert_allclose(ours.trend, theirs.trend, atol=1e-9)
    np.testing.assert_allclose(ours.seasonal, theirs.seasonal, atol=1e-9)
    np.testing.assert_allclose(ours.residual, theirs.resid, atol=1e-9)


def test_several_periods_keep_the_kind_and_the_index():
    index = pd.date_range("2026-01-01", periods=24 * 7 * 3, freq="h")
    frame = pd.DataFrame({"a": series(len(index), 24), "b": series(len(index), 24, seed=1)}, index=index)
    assert mstl(frame["a"], (24, 168)).seasonal.columns.tolist() == [24, 168]
    assert mstl(frame, (24, 168)).seasonal.columns.tolist() == [("a", 24), ("a", 168), ("b", 24), ("b", 168)]
    assert mstl(frame.to_numpy(), (24, 168)).seasonal.shape == (len(index), 2, 2)


@pytest.mark.parametrize("kind", ["array", "columns", "Series", "DataFrame"])
def test_the_parts_add_up_and_are_of_the_kind_that_came_in(kind):
    x, index = series(100, 10), pd.date_range("2026-01-01", periods=100, freq="h", tz="Europe/Berlin")
    given = {
        "array": x,
        "columns": x[:, None],
        "Series": pd.Series(x, index, name="load"),
        "DataFrame": pd.DataFrame({3: x, "b": 2 * x}, index),
    }[kind]
    parts = stl(given, 10)
    for part in (parts.trend, parts.seasonal, parts.residual, parts.weights):
        assert type(part) is type(given)
        assert np.shape(part) == np.shape(given)
    total = parts.trend + parts.seasonal + parts.residual
    np.testing.assert_allclose(np.asarray(total), np.asarray(given), atol=1e-12)
    if kind == "Series":
        pd.testing.assert_series_equal(total, given)


def test_missing_values_stay_missing_and_spoil_nothing_else():
    x = series(28 * 24, 24)
    gone = np.random.default_rng(0).random(len(x)) < 0.1
    gone[200:215], gone[400:460] = True, True
    complete, holed = stl(x, 24, robust=True), stl(np.where(gone, np.nan, x), 24, robust=True)
    np.testing.assert_array_equal(np.isnan(holed.residual), gone)
    np.testing.assert_array_equal(holed.weights[gone], 0.0)
    assert np.isfinite(holed.trend).all()
    assert np.isfinite(holed.seasonal).all()
    spread = np.median(np.abs(complete.residual))
    assert np.sqrt(np.mean((holed.residual - complete.residual)[~gone] ** 2)) < 0.5 * spread


def test_each_column_has_gaps_of_its_own():
    x = series(240, 24)
    holed = np.where(np.arange(240) // 30 == 3, np.nan, x)
    together = stl(np.column_stack([x, holed]), 24)
    np.testing.assert_allclose(together.trend[:, 0], stl(x, 24).trend, atol=1e-10)
    np.testing.assert_allclose(together.seasonal[:, 1], stl(holed, 24).seasonal, atol=1e-10)


@pytest.mark.parametrize("index", ["time", "numbers"])
def test_rows_that_are_not_there_are_missing_values(index):
    x = series(240, 24)
    labels = pd.date_range("2026-03-01", periods=240, freq="15min") if index == "time" else pd.RangeIndex(7, 7 + 240)
    gone = np.random.default_rng(0).random(240) < 0.1
    gone[[0, -1]] = False
    shortened = stl(pd.Series(x, labels)[~gone], 24)
    masked = stl(np.where(gone, np.nan, x), 24)
    np.testing.assert_allclose(shortened.seasonal, masked.seasonal[~gone], atol=1e-12)
    np.testing.assert_allclose(shortened.residual, masked.residual[~gone], atol=1e-12)


def test_of_two_rows_in_one_slot_each_has_its_own_residual():
    index = pd.date_range("2026-01-01", periods=100, freq="h")
    x = pd.Series(series(100, 10), index)
    parts = stl(pd.concat([x.iloc[:50], x.iloc[49:50] + 1.0, x.iloc[50:]]), 10)
    assert parts.residual.iloc[50] - parts.residual.iloc[49] == pytest.approx(1.0)


def test_short_gaps_follow_a_line_and_long_ones_the_season():
    t = np.arange(480)
    x = 0.1 * t + 5 * np.sin(2 * np.pi * t / 24)
    holed = x.copy()
    holed[100:103], holed[240:300] = np.nan, np.nan
    filled = fill(holed, 24)
    np.testing.assert_allclose(filled[99:104], np.linspace(x[99], x[103], 5), atol=1e-12)
    assert np.abs(filled - x)[240:300].max() < 1.5
    np.testing.assert_array_equal(filled[~np.isnan(holed)], x[~np.isnan(holed)])


def test_the_profile_is_periodic_robust_stl_in_one_cycle():
    x = series(48 * 20 + 13, 48)
    s = of(48, 10 * 20 + 1, seasonal_deg=0, inner_iter=1, outer_iter=6)
    expected = statsmodels(x, s).seasonal[: 48 * 20].reshape(20, 48).mean(axis=0)
    np.testing.assert_allclose(seasonal_profile(x, 48), expected, atol=1e-8)


def test_neither_spikes_nor_missing_rows_get_into_the_profile():
    rng = np.random.default_rng(0)
    truth = np.sin(2 * np.pi * np.arange(48) / 48)
    clean = np.tile(truth, 28) + 0.1 * rng.normal(size=48 * 28)
    spoilt = clean.copy()
    spoilt[rng.integers(0, len(spoilt), 30)] += 20.0
    spoilt[rng.random(len(spoilt)) < 0.4] = np.nan
    spoilt[300:420] = np.nan
    assert np.abs(seasonal_profile(clean, 48) - truth).max() < 0.08
    assert np.abs(seasonal_profile(spoilt, 48) - truth).max() < 0.15


def test_the_profile_of_each_column_is_its_own():
    x = np.column_stack([series(240, 24), 3 * series(240, 24, seed=5)])
    np.testing.assert_allclose(seasonal_profile(x, 24)[:, 1], seasonal_profile(x[:, 1], 24), atol=1e-10)


SIXTY = series(60, 6)
INDEXED = pd.Series(SIXTY, pd.date_range("2026-01-01", periods=60, freq="h"))


@pytest.mark.parametrize(
    ("values", "arguments", "words"),
    [
        ([], {}, "at least one row"),
        (SIXTY[:11], {}, "needs 2 cycles, 12 samples, and got 11. Give a longer series"),
        (INDEXED[::-1], {}, "Sort the rows by time"),
        (INDEXED.sample(frac=1, random_state=0), {}, "Sort the rows by time"),
        (np.full(60, np.nan), {}, "misses 100%"),
        (np.where(np.arange(60) % 3 > 0, np.nan, SIXTY), {}, "misses 67% of its values; up to 60%"),
        (np.where(np.arange(60) == 9, np.nan, SIXTY), {"missing": "raise"}, "the first in slot 9"),
        (np.where(np.arange(60) == 9, np.inf, SIXTY), {}, "infinity at row 9"),
        (INDEXED.set_axis([*INDEXED.index[:-1], pd.Timestamp("2027-01-01")]), {}, "cut the record at its long gaps"),
        (pd.Series(["a"] * 60), {}, "not numeric"),
    ],
)
def test_series_of_no_use_are_refused_with_the_way_out(values, arguments, words):
    with pytest.raises(BadSeries, match=words):
        stl(values, 6, **arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"period": 1}, "period is 1"),
        ({"seasonal": 8}, "Give 9"),
        ({"seasonal": 1}, "at least 3"),
        ({"trend": 6}, "at least 7"),
        ({"trend": 10}, "Give 11"),
        ({"low_pass": 5}, "at least 7"),
        ({"trend_deg": 2}, "at most 1"),
        ({"low_pass_jump": 0}, "low_pass_jump is 0"),
        ({"inner_iter": 0}, "inner_iter is 0"),
        ({"outer_iter": -1}, "outer_iter is -1"),
        ({"engine": "R"}, "'tsprune', 'statsmodels'"),
        ({"vanishing": "no"}, "'statsmodels', 'widen'"),
        ({"missing": "drop"}, "'fill', 'raise'"),
        ({"vanishing": "widen", "engine": "statsmodels"}, "is ours"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, words):
    with pytest.raises(BadParameter, match=words):
        stl(SIXTY, **{"period": 6, **arguments})


@pytest.mark.parametrize(("periods", "windows"), [((168, 24), None), ((24, 24), None), ((), None), ((6, 12), (7,))])
def test_periods_come_the_shortest_first_with_a_window_each(periods, windows):
    with pytest.raises(BadParameter, match="the shortest first"):
        mstl(SIXTY, periods, windows=windows)


def test_a_decomposition_prints_as_one_sentence():
    holed = np.where(np.arange(60) == 9, np.nan, SIXTY)
    assert str(stl(holed, 6)).startswith("60 rows, 1 column(s): season strength 0.9")
    assert str(stl(holed, 6)).endswith("1 values missing")
