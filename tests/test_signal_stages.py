"""What the signal stages do to a signal: trends, seasons that move, denoising; and that machine code gives numpy's bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import signal as textbook

import tsprune as tsp
from tsprune import checks
from tsprune.errors import BadModelFile, NotPrunable
from tsprune.kernels import compiled_signal
from tsprune.kernels import denoise as denoise_kernel
from tsprune.kernels import season as season_kernel
from tsprune.kernels import trend as trend_kernel
from tsprune.kernels.changes import changes
from tsprune.kernels.denoise import details, local_level, medians, one_sided_polynomial
from tsprune.kernels.windows import nan_median
from tsprune.model.adapted import AdaptedSeason
from tsprune.model.clock import Slots
from tsprune.model.part import Spec

DAY = 24


def rough(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Values with ties and gaps on slots that repeat, skip a few and skip many."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([0, 1, 2, 7, 90], n, p=[0.05, 0.85, 0.06, 0.03, 0.01]) if seed % 3 else np.ones(n, np.int64)
    values = rng.normal(size=n).round(int(rng.integers(0, 4)))
    values[rng.random(n) < rng.choice([0.0, 0.1, 0.6])] = np.nan
    return values, np.cumsum(steps) - int(rng.integers(0, 500))


def load(n_days: int, seed: int = 0, zone: str | None = None) -> pd.Series:
    """An hourly load with a daily cycle and noise of .3."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2026-01-05", periods=n_days * DAY, freq="h", tz=zone)
    return pd.Series(10 + 3 * np.sin(np.arange(len(index)) * 2 * np.pi / DAY) + 0.3 * rng.normal(size=len(index)), index, name="load")


# -- kernels against the textbook, and against themselves ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_the_trend_is_the_textbook_s(seed):
    values, slots = rough(seed, 200)
    rng = np.random.default_rng(seed)
    block, blocks = int(rng.integers(1, 30)), int(rng.integers(1, 9))
    expected = textbook.block_trend(values, slots, block, blocks, 1.5)
    np.testing.assert_array_equal(trend_kernel.block_trend(values, slots, block, blocks, 1.5), expected)


@pytest.mark.parametrize("seed", range(6))
def test_the_innovation_is_the_textbook_s(seed):
    values, slots = rough(seed)
    weights = np.random.default_rng(seed).normal(size=3)
    expected = textbook.innovation(values, slots, weights, 1.0)
    np.testing.assert_array_equal(trend_kernel.innovation(values, slots, weights, 1.0), expected)


@pytest.mark.parametrize("seed", range(6))
def test_the_drift_of_a_season_is_the_textbook_s(seed):
    values, slots = rough(seed)
    np.testing.assert_array_equal(season_kernel.drift(values, slots, 12, 5, 0), textbook.drift(values, slots, 12, 5))


@pytest.mark.parametrize("window", [1, 2, 5, 8, 9, 16])
@pytest.mark.parametrize("seed", range(4))
def test_hampel_s_filter_is_the_textbook_s(seed, window):
    values, slots = rough(seed, 200)
    line, at = Slots(slots, slots).line(values[:, None], window)
    found = np.where(np.isnan(values), np.nan, medians(line, at, values[:, None], window, 2.0)[:, 0])
    np.testing.assert_array_equal(found, textbook.hampel(values, slots, window, 2.0))


@pytest.mark.parametrize("cutoff", [None, 1.5])
@pytest.mark.parametrize("window", [1, 2, 5, 8, 13, 32])
@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_medians_by_machine_code_have_numpy_s_bits(seed, window, cutoff, monkeypatch):
    values, slots = rough(seed, 700)
    slots = np.unique(slots)
    columns = np.stack([values, np.nan_to_num(values), values[::-1]], axis=1)[: len(slots)]
    line, at = Slots(slots, slots).line(columns, window)
    expected = medians(line, at, columns, window, cutoff)
    monkeypatch.setattr(denoise_kernel, "compiled", lambda n: True)
    np.testing.assert_array_equal(medians(line, at, columns, window, cutoff), expected)


def test_columns_side_by_side_are_those_alone():
    values, slots = rough(1, 300)
    columns = np.stack([values, np.nan_to_num(values)], axis=1)
    start, weights, clip = np.array([0.5, -2.0]), np.array([[0.3, -0.2], [1.0, 0.1]]), np.array([0.4, 2.0])
    trend = trend_kernel.block_trend(columns, slots, 5, 6, start)
    rest = trend_kernel.innovation(columns, slots, weights, clip)
    for j in range(2):
        np.testing.assert_array_equal(trend[:, j], trend_kernel.block_trend(columns[:, j], slots, 5, 6, start[j]))
        np.testing.assert_array_equal(rest[:, j], trend_kernel.innovation(columns[:, j], slots, weights[j], clip[j]))


@given(seed=st.integers(0, 10_000), block=st.integers(1, 400), blocks=st.integers(1, 30), order=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_machine_code_gives_numpy_s_bits(seed, block, blocks, order):
    values, slots = rough(seed, 1500)
    rng = np.random.default_rng(seed)
    plain, profile = np.nan_to_num(values), rng.normal(size=block)
    columns = np.stack([values, plain, values[::-1]])
    level, out = np.empty_like(columns), np.empty_like(columns)
    start, clip, scale, weights = rng.normal(size=3), rng.random(3), 1 + rng.random(3), rng.normal(size=(3, order))
    assert not trend_kernel.compiled(columns.size)

    compiled_signal.above_trend(columns, slots, block, blocks, start, level)
    np.testing.assert_array_equal(level.T, trend_kernel.above_trend(columns.T, slots, block, blocks, start))
    compiled_signal.innovation(columns, slots, weights, clip, scale, out)
    np.testing.assert_array_equal(out.T, trend_kernel.innovation(columns.T, slots, weights, clip, scale))
    twin = plain.copy()
    compiled_signal.subtract_profile(twin, slots, profile)
    season_kernel.subtract_profile(plain, slots, profile)
    np.testing.assert_array_equal(twin, plain)


AWKWARD = st.one_of(
    st.floats(-1e3, 1e3),
    st.integers(-2, 2).map(float),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1.7e308, -1.7e308]),
)


@given(few=st.lists(AWKWARD, min_size=1, max_size=12), n=st.integers(1, 700), seed=st.integers(0, 10_000), kind=st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_the_median_by_machine_code_is_that_of_the_sorted_values(few, n, seed, kind):
    rng = np.random.default_rng(seed)
    values = [
        rng.choice(few, n),  # ties, gaps, infinities
        rng.normal(size=n),
        np.where(rng.random(n) < 0.05, rng.choice(few, n), rng.normal(size=n)),
        rng.standard_cauchy(n) ** 5,
        np.sort(rng.normal(size=n).round(1))[:: rng.choice([-1, 1])],
    ][kind]
    with np.errstate(invalid="ignore"):  # the middle between minus and plus infinity
        expected = nan_median(values[None])[0]

    np.testing.assert_array_equal(compiled_signal._median(values.copy(), np.empty(n), np.empty(compiled_signal.SHORT, np.int64)), expected)


def test_a_batch_of_any_size_gives_the_same_bits():
    import numba  # noqa: F401 -- loaded, machine code takes the large batch

    x = pd.Series(np.sin(np.arange(20_000) * 2 * np.pi / 48) + np.random.default_rng(0).normal(size=20_000))
    season, trend = tsp.Deseason(48).fit(x[:2000]), tsp.Detrend(length=480).fit(x[:2000])
    whole = trend.transform(season.transform(x))
    assert trend_kernel.compiled(len(x))
    context = trend.lookback_

    for start in (5000, 9000, 15_000):
        piece = trend.transform(season.transform(x[start - context : start + 2000]))
        assert not trend_kernel.compiled(len(piece))
        np.testing.assert_array_equal(piece[context:], whole[start : start + 2000])


@given(values=st.lists(st.integers(-9, 9), min_size=6, max_size=11), least=st.integers(1, 3), penalty=st.sampled_from([0.5, 3.0, 20.0]))
@settings(max_examples=40, deadline=None)
def test_pieces_cost_no_more_than_the_best_of_all(values, least, penalty):
    x = np.array(values, dtype=np.float64)
    starts = changes(x, penalty, least)
    pieces = np.split(x, starts[1:])

    assert min(len(piece) for piece in pieces) >= least
    cost = sum(float(((piece - piece.mean()) ** 2).sum()) for piece in pieces) + penalty * (len(pieces) - 1)
    assert cost == pytest.approx(textbook.best_pieces(x, penalty, least)[0], abs=1e-9)


# -- seasons -------------------------------------------------------------------------------------------------------------------


def test_a_frozen_season_never_moves_and_says_when_the_world_has():
    x = load(60)
    stage = tsp.Deseason(DAY).fit(x[: 28 * DAY])
    moved = x.copy()
    moved.iloc[28 * DAY :] += 2 * np.cos(np.arange(32 * DAY) * 4 * np.pi / DAY)

    assert stage.lookback_ == 0
    assert stage.facts()["season_moved"] < 0.25
    assert stage.season_moved(x)["load"] < 0.25
    assert stage.season_moved(moved)["load"] > 0.5


def test_an_adapted_season_follows_the_world_but_no_farther_than_its_clip():
    x = load(60)
    moved = x.copy()
    moved.iloc[28 * DAY :] += 2 * np.cos(np.arange(32 * DAY) * 4 * np.pi / DAY)
    left = {adapt: tsp.Deseason(DAY, adapt=adapt).fit(x[: 28 * DAY]).transform(moved)[-10 * DAY :] for adapt in (0.0, 1.0, np.inf)}
    spread = tsp.Deseason(DAY).fit(x[: 28 * DAY]).spread_[0]

    assert left[np.inf].std() < 0.4 * left[0.0].std()
    assert left[1.0].std() < left[0.0].std()
    assert np.abs(left[1.0] - left[0.0]).max() <= spread * (1 + 1e-9)
    assert np.abs(left[np.inf] - left[0.0]).max() > 3 * spread


def drifting(n: int, seed: int = 3) -> pd.Series:
    """Cycles of 50 rows on whole numbers, whose shape wanders."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    wander = np.repeat(np.cumsum(rng.normal(0, 0.15, n // 50 + 1)), 50)[:n]
    return pd.Series(np.sin(2 * np.pi * t / 50) + np.cos(4 * np.pi * t / 50 + wander) + 0.1 * rng.normal(size=n), name="x")


def test_a_period_that_was_only_found_is_half_adapted_and_one_of_the_calendar_is_frozen():
    x = drifting(6000)
    left = {adapt: tsp.Deseason(adapt=adapt).fit(x[:2000]) for adapt in ("auto", 0.0, np.inf)}
    half, frozen, free = (stage.transform(x) for stage in left.values())

    assert left["auto"].periods_["x"][0] == pytest.approx(50, rel=0.01)
    assert isinstance(left["auto"].part_, AdaptedSeason)
    np.testing.assert_allclose(half, 0.5 * frozen + 0.5 * free, atol=1e-12)
    assert half[2000:].std() < 0.9 * frozen[2000:].std()
    assert not isinstance(tsp.Deseason(50).fit(x[:2000]).part_, AdaptedSeason)
    assert tsp.Deseason().fit(load(30)).lookback_ == 0
    checks.check_all(tsp.Deseason(), x)


def test_of_two_columns_the_one_without_a_calendar_is_adapted():
    day = load(60)
    heart = drifting(len(day)).set_axis(day.index)
    frame = pd.DataFrame({"day": day, "heart": heart})
    stage = tsp.Deseason().fit(frame[:1000])
    alone = tsp.Deseason().fit(day[:1000])

    assert stage.periods_["heart"][0] == pytest.approx(50, rel=0.01)
    assert stage.part_.clip[0] == 0.0 < stage.part_.clip[1]
    assert stage.part_.at_clip(frame.to_numpy(), stage.clock_.slots(frame.index.as_unit("ns").asi8)).max() == 0.0  # none can get there
    np.testing.assert_array_equal(stage.transform(frame)["day"], alone.transform(day))


def test_a_correction_at_its_clip_is_told_by_the_part():
    x = load(60)
    moved = x.copy()
    moved.iloc[28 * DAY :] += 2 * np.cos(np.arange(32 * DAY) * 4 * np.pi / DAY)
    stage = tsp.Deseason(DAY, adapt=1.0).fit(x[: 28 * DAY])
    slots = stage.clock_.slots(moved.index.as_unit("ns").asi8)

    assert stage.part_.at_clip(moved.to_numpy()[:, None], slots)[0] > 0.5
    assert stage.part_.at_clip(x.to_numpy()[:, None], slots)[0] < 0.2


def test_an_hour_that_comes_again_across_midnight_cannot_tell_the_future():
    """Newfoundland set its clock back at one minute past midnight: hours of yesterday came after today had begun."""
    index = pd.date_range("2008-10-01", periods=60 * 96, freq="15min", tz="America/St_Johns")
    rng = np.random.default_rng(0)
    x = pd.Series(np.sin(np.arange(len(index)) * 2 * np.pi / 96) + rng.normal(size=len(index)), index, name="x")
    checks.check_all(tsp.Deseason(96, wall=True, adapt=np.inf), x)


def test_a_level_is_no_season():
    x = load(60)
    higher = x.copy()
    higher.iloc[30 * DAY :] += 50.0
    stage = tsp.Deseason(DAY, adapt=np.inf).fit(x[: 28 * DAY])

    whole_days = slice(31 * DAY, None)
    np.testing.assert_allclose((stage.transform(higher) - stage.transform(x)).iloc[whole_days], 50.0, atol=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.59])
def test_a_season_is_learned_from_what_is_there(share):
    x = load(80)
    there = np.random.default_rng(1).random(len(x)) > share
    stage = tsp.Deseason(DAY).fit(x.where(there))
    truth = 3 * np.sin(np.arange(DAY) * 2 * np.pi / DAY)
    season = x[-DAY:] - stage.transform(x[-DAY:])

    assert np.abs(season - season.mean() - truth).max() < 0.45


def test_a_fractional_period_is_folded_into_one_cycle():
    rng = np.random.default_rng(3)
    t = np.arange(3000)
    x = pd.Series(np.sin(2 * np.pi * t / 24.37) + 0.5 * np.cos(4 * np.pi * t / 24.37) + 0.1 * rng.normal(size=len(t)))
    stage = tsp.Deseason().fit(x[:1500])

    assert stage.periods_["value"][0] == pytest.approx(24.37, abs=0.02)
    assert stage.transform(x)[1500:].std() < 0.16
    checks.check_all(tsp.Deseason(adapt=np.inf), x)


def test_a_stage_of_a_day_is_small():
    x = pd.Series(np.sin(np.arange(28 * 288) * 2 * np.pi / 288) + np.random.default_rng(0).normal(size=28 * 288) * 0.3)
    chain = [tsp.Deseason(288).fit(x), tsp.Detrend(length=28 * 144).fit(x)]
    assert sum(stage.part_.nbytes for stage in chain) < 5000


def test_a_damaged_adapted_season_is_refused():
    part = tsp.Deseason(DAY, adapt=1.0).fit(load(30)).part_
    spec = part.to_spec()
    again = AdaptedSeason.from_spec(spec.facts, spec.arrays, (part.season,))
    np.testing.assert_array_equal(again.clip, part.clip)

    for facts, arrays, parts in (
        ({**spec.facts, "cycles": "seven"}, spec.arrays, (part.season,)),
        ({**spec.facts, "more": 1}, spec.arrays, (part.season,)),
        ({**spec.facts, "share": "half"}, spec.arrays, (part.season,)),
        (spec.facts, {}, (part.season,)),
        (spec.facts, spec.arrays, ()),
    ):
        with pytest.raises(BadModelFile):
            AdaptedSeason.from_spec(facts, arrays, parts)
    with pytest.raises(ValueError, match="cycles"):
        AdaptedSeason.from_spec({**spec.facts, "cycles": 10**6}, spec.arrays, (part.season,))
    with pytest.raises(ValueError, match="share"):
        AdaptedSeason.from_spec({**spec.facts, "share": 1.5}, spec.arrays, (part.season,))
    older = AdaptedSeason.from_spec({name: spec.facts[name] for name in ("cycles", "margin")}, spec.arrays, (part.season,))
    assert older.share == 1.0  # files had no share at first
    longer = replace(part.season, periods=part.season.periods + 1e9)
    with pytest.raises(ValueError, match="longer than its profile"):
        AdaptedSeason.from_spec(spec.facts, spec.arrays, (longer,))
    with pytest.raises(ValueError, match="clips"):
        AdaptedSeason.from_spec(spec.facts, {"clip": np.zeros(3)}, (part.season,))
    assert isinstance(spec, Spec)


# -- trends --------------------------------------------------------------------------------------------------------------------


def test_without_a_trend_a_drift_stays_whole():
    x = pd.Series(np.linspace(0.0, 10.0, 600))
    stage = tsp.Detrend("none", channels=("level",), scale=False).fit(x[:100])
    assert stage.transform(x).iloc[-1] == pytest.approx(10.0 - x[:100].median())
    assert stage.lookback_ == 0


def test_a_difference_is_of_neighbouring_slots_only():
    x = pd.Series([1.0, 4.0, 2.0, 7.0, np.nan, 3.0], index=[0, 1, 2, 9, 10, 11])
    stage = tsp.Detrend("none", channels=("difference",), scale=False).fit(x)
    np.testing.assert_array_equal(stage.transform(x).to_numpy(), [0.0, 3.0, -2.0, 0.0, np.nan, 0.0])


@pytest.mark.parametrize(
    ("x", "cycles", "most"),
    [(load(80), 28 * DAY, 80 * DAY), (load(20), 28 * DAY, 20 * DAY), (drifting(2000), 7 * 50, 2000)],
    ids=["calendar", "short", "found"],
)
def test_a_trend_behind_a_season_looks_back_over_its_cycles(x, cycles, most):
    pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Detrend(), "iforest"]).fit(x)
    assert pipeline.named_stages_["detrend"].length_ == pytest.approx(min(cycles, most), rel=0.01)


def test_a_trend_without_a_season_looks_back_over_days_or_rows_and_at_most_half_of_the_history():
    noise = np.random.default_rng(0).normal(size=6000)
    for x, length in (
        (pd.Series(noise, pd.date_range("2026-01-05", periods=6000, freq="h")), 28 * DAY),
        (pd.Series(noise), 2000),
        (pd.Series(noise[:600]), 300),
    ):
        pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Detrend(), "iforest"]).fit(x)
        assert pipeline.named_stages_["detrend"].length_ == length
        assert tsp.Detrend().fit(x).length_ == length


def test_a_level_that_stays_away_is_told():
    x = load(60)
    stage = tsp.Detrend(length="14D").fit(x[: 28 * DAY])
    away = x.copy()
    away.iloc[-3 * DAY :] += 40.0
    slots = stage.clock_.slots(away.index.as_unit("ns").asi8)

    assert stage.facts()["level_moved"] < 0.5
    assert stage.part_.moved(away.to_numpy()[:, None], slots)[0] == 1.0


@pytest.mark.parametrize("method", ["stl", "hp", "piecewise"])
def test_a_two_sided_trend_fits_better_rewrites_the_past_and_says_so(method):
    x = load(40)
    x.iloc[20 * DAY :] += 5.0
    stage = tsp.Detrend(method, length=4 * DAY, channels=("level",), scale=False).fit(x)
    causal = tsp.Detrend(length=4 * DAY, channels=("level",), scale=False).fit(x)

    assert not stage.causal
    assert causal.causal
    after = slice(20 * DAY, 22 * DAY)
    assert abs(stage.transform(x)[after].mean()) < abs(causal.transform(x)[after].mean())
    np.testing.assert_allclose(stage.transform(x) + stage.removed(x), x)
    with pytest.raises(AssertionError, match="differ"):
        checks.check_future_changes_nothing(stage, x)


def test_a_pipeline_that_looks_into_the_future_is_not_frozen():
    pipeline = tsp.Pipeline([tsp.Detrend("piecewise", length=48), tsp.Windows(3), "iforest"]).fit(load(20))
    assert np.isfinite(pipeline.anomaly_score(load(20))[5:]).all()
    with pytest.raises(NotPrunable, match="future"):
        pipeline.freeze()


def test_the_filter_of_hodrick_and_prescott_halves_the_wave_of_its_length():
    x = pd.Series(np.sin(np.arange(2000) * 2 * np.pi / 100))
    left = tsp.Detrend("hp", length=100, channels=("level",), scale=False).fit(x).transform(x)[500:1500]
    assert left.max() == pytest.approx(0.5, abs=0.01)


# -- what is expected ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stages", [[tsp.Deseason(), tsp.Detrend(length="7D")], [tsp.Deseason(DAY, adapt=1.0), tsp.Detrend("none")]])
def test_the_expected_value_is_in_the_unit_of_the_series_and_does_not_know_the_row(stages):
    x = load(40)
    model = tsp.Pipeline([*stages, "iforest"]).fit(x[: 28 * DAY]).freeze()
    usual = model.expected(x.to_numpy(), x.index.to_numpy())[:, 0]
    spiked = x.to_numpy().copy()
    spiked[-1] += 100.0

    assert np.abs(usual - x)[30 * DAY :].mean() < 0.35
    assert model.expected(spiked, x.index.to_numpy())[-1, 0] == usual[-1]


def test_a_model_without_a_level_expects_nothing():
    x = np.random.default_rng(0).normal(size=200)
    assert np.isnan(tsp.Pipeline(["iforest"]).fit(x).freeze().expected(x)).all()


# -- denoising -----------------------------------------------------------------------------------------------------------------

NOISE = np.random.default_rng(0).normal(size=(3000, 1))


@pytest.mark.parametrize(("method", "deletes"), [("hampel", True), ("median", True), ("mean", True), ("wavelet", False), ("savgol", False)])
def test_what_a_filter_does_to_spikes_is_measured(method, deletes):
    facts = tsp.Denoise(method).fit(NOISE).facts()

    assert facts["found_raw_1"] > 0.9
    assert facts["deletes_spikes"] == deletes
    assert (facts["found_1"] < 0.2) == deletes
    assert facts["found_64"] == 1.0
    assert facts["kept_64"] == pytest.approx(1.0, abs=0.35)


def test_a_filter_in_the_signal_s_place_warns_that_it_deletes_spikes():
    with pytest.warns(UserWarning, match="deletes spikes"):
        tsp.Denoise("median", window=5, output="replace").fit(NOISE)


def test_a_history_too_short_for_blocks_has_no_figures():
    facts = tsp.Denoise().fit(NOISE[:30]).facts()
    assert np.isnan(facts["kept_64"])
    assert facts["deletes_spikes"] in (0.0, 1.0)


def test_the_wavelet_s_parts_add_up():
    values, slots = rough(4)
    np.testing.assert_allclose(np.sum(details(values, slots, 4), axis=0), values, atol=1e-12)


def test_the_end_of_the_parabola_is_exact_for_parabolas():
    at = np.arange(11.0)
    assert one_sided_polynomial(11) @ (3 + 2 * at - at**2) == pytest.approx(3 + 2 * 10 - 100)


@pytest.mark.parametrize(("walk", "gain"), [(0.0, 3 / 50), (10.0, 0.9916)])
def test_the_gain_of_a_local_level_follows_its_noise(walk, gain):
    rng = np.random.default_rng(0)
    values = np.cumsum(walk * rng.normal(size=20_000)) + rng.normal(size=20_000)
    taps = local_level(values, 50)
    assert taps.sum() == pytest.approx(1.0)
    assert taps[-1] == pytest.approx(gain, abs=0.05)
