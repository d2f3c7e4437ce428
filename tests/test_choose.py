"""`choose`: from a series alone to a detector within a budget, with reasons."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from series_kinds import kinds, wave

from tsprune.choose import Budget, choose
from tsprune.choose.front import recipes_of
from tsprune.choose.look import look_at
from tsprune.choose.members import Maker, views_of
from tsprune.choose.race import heats, run_race
from tsprune.errors import BadParameter, BadSeries
from tsprune.series.table import read_table

HOURS = pd.date_range("2026-01-01", periods=800, freq="h")
SERIES = pd.Series(wave(HOURS), index=HOURS, name="load")
PAST, REST = SERIES[:600], SERIES[600:]


@pytest.fixture(scope="module")
def choice():
    return choose(PAST)


def test_the_series_is_all_that_is_needed(choice):
    broken = REST.copy()
    broken.iloc[100:106] += 10

    scores = choice.pipeline.anomaly_score(broken, context=PAST)

    assert 100 <= int(scores.argmax()) < 110
    assert choice.pipeline.freeze().nbytes <= 1_000_000


def test_the_same_seed_gives_the_same_answer(choice):
    again = choose(PAST)

    assert again.reasons == choice.reasons
    pd.testing.assert_frame_equal(again.front, choice.front)
    pd.testing.assert_series_equal(again.pipeline.anomaly_score(REST), choice.pipeline.anomaly_score(REST))


@pytest.mark.parametrize("nbytes", [20_000, 60_000])
def test_a_budget_of_bytes_holds_in_the_file_and_buys_the_most_searches_and_then_the_largest_agreement(nbytes, choice):
    small = choose(PAST, budget=Budget(bytes=nbytes, us_per_row=None))

    assert small.pipeline.freeze().nbytes <= 1.02 * nbytes
    affordable = choice.front[choice.front["bytes"] <= nbytes]
    bought = small.front[small.front["chosen"]].iloc[0]
    rivals = affordable[affordable["searches"] == affordable["searches"].max()]
    assert bought["searches"] == rivals["searches"].max()
    assert bought["fidelity"] >= rivals["fidelity"].max() - 1e-3


def test_more_budget_never_buys_fewer_searches_or_less_agreement_with_as_many():
    bought = [choose(PAST, budget=Budget(bytes=nbytes)).front.query("chosen").iloc[0] for nbytes in (5e3, 3e4)]
    found = [(row["searches"], row["fidelity"]) for row in bought]

    assert found == sorted(found)


def test_a_budget_that_nothing_meets_gives_the_smallest_and_says_so():
    tiny = choose(PAST, budget=Budget(bytes=10))

    assert any("nothing meets the budget" in reason for reason in tiny.reasons)
    assert len(tiny.pipeline.members) == 1


def test_a_search_out_of_time_still_answers_and_says_what_was_not_tried():
    hasty = choose(PAST, budget=Budget(seconds=1e-9))

    assert any("candidates were not tried" in reason for reason in hasty.reasons)
    assert hasty.pipeline.anomaly_score(REST, context=PAST).notna().all()


def test_a_season_of_the_clock_is_used_where_it_is_strong_and_long_known():
    reason = choose(PAST).reasons[0]
    assert reason.startswith("daily profile used: strength")

    short = look_at(read_table(PAST[: 24 * 8]))
    assert short.period == 0
    assert "profile is not used" in short.reasons[0] or "no period" in short.reasons[0]


def test_a_period_that_no_clock_knows_takes_no_season_out():
    n = np.arange(3000)
    beat = pd.Series(np.sin(n * 2 * np.pi / 37) + 0.1 * np.random.default_rng(0).normal(size=3000))

    look = look_at(read_table(beat))

    assert look.period == 0
    assert "not one of the clock" in look.reasons[0]


def test_a_constant_history_gives_a_detector_of_any_change():
    flat = pd.Series(7.0, index=HOURS[:200])
    choice = choose(flat)

    later = pd.Series([7.0, 7.0, 7.5], index=HOURS[200:203])

    assert choice.pipeline.detect(later, context=flat).tolist() == [False, False, True]
    assert "never changes" in choice.reasons[0]


def test_labels_choose_members_and_rows_of_events_are_not_learned_from():
    series = pd.Series(np.sin(np.arange(1000) / 5) + 0.1 * np.random.default_rng(0).normal(size=1000))
    labels = np.zeros(1000, dtype=int)
    for start in (300, 720, 790, 860, 930):
        series.iloc[start : start + 20] = series.iloc[start]  # a sensor that stands still
        labels[start : start + 20] = 1

    choice = choose(series, labels)

    assert "members chosen by 4 labelled events" in " ".join(choice.reasons)
    assert choice.front["quality"].notna().all()
    assert choice.front.loc[choice.front["chosen"], "quality"].iloc[0] == choice.front["quality"].max()
    assert choice.pipeline.history_.isna().sum() == labels.sum()


def test_too_few_labelled_events_do_not_choose():
    labels = np.zeros(len(PAST), dtype=int)
    labels[500:510] = 1

    choice = choose(PAST, labels)

    assert "too few to choose by" in " ".join(choice.reasons)
    assert choice.front["quality"].isna().all()


def test_without_labels_no_quality_is_told(choice):
    assert choice.front["quality"].isna().all()
    page = choice._repr_html_()
    assert "VUS" not in page
    assert "injected" not in str(choice) + page


def test_the_table_of_members_shows_what_was_not_chosen(choice):
    assert set(choice.report["view"]) >= {"point", "change", "shape", "long window"}
    assert choice.report["chosen"].sum() == len(choice.pipeline.members)


def test_hostile_names_are_escaped():
    page = choose(PAST.rename("<script>"), preset="point")._repr_html_()
    assert "<script>" not in page


@pytest.mark.parametrize("kind", ["missing rows", "a hole of three days", "duplicates", "months"])
def test_awkward_series_are_answered(kind):
    series = kinds(500)[kind]

    choice = choose(series, budget=Budget.small())

    assert choice.pipeline.anomaly_score(series).notna().mean() > 0.6
    assert choice.pipeline.freeze().nbytes < 61_000


def test_several_columns_are_seen_together():
    rng = np.random.default_rng(0)
    shared = np.cumsum(rng.normal(size=900))
    rows = np.column_stack([shared + rng.normal(size=900) * 0.1, -shared + rng.normal(size=900) * 0.1, np.ones(900)])
    choice = choose(rows[:700])

    later = rows[700:].copy()
    later[100:105, 1] *= -1  # each column as it was, and not as they were together

    assert 100 <= int(np.nanargmax(choice.pipeline.anomaly_score(later))) < 106


def test_nonsense_is_refused():
    with pytest.raises(BadParameter, match="'mixed', 'point'"):
        choose(PAST, preset="best")
    with pytest.raises(BadParameter, match="one 0"):
        choose(PAST, labels=[0, 1])
    with pytest.raises(BadParameter, match="bytes"):
        Budget(bytes=-1)
    with pytest.raises(BadSeries, match="no view can be learned"):
        choose(PAST[:5])


def several(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([np.sin(np.arange(n) / 9) + 0.1 * rng.normal(size=n), rng.normal(size=n), np.arange(n) % 2.0])


def test_of_several_columns_each_is_looked_at_alone_too():
    rows = several(900)
    choice = choose(rows[:700])

    later = rows[700:].copy()
    later[100:110, 0] = later[100, 0]  # one of them stands still, at values it has had

    assert "2 measure something" in choice.reasons[0]
    assert {"point of each column", "rows"} <= set(choice.report.loc[choice.report["chosen"], "view"])
    assert 100 <= int(np.nanargmax(choice.pipeline.anomaly_score(later, context=rows[:700]))) < 115


def test_one_measured_column_among_switches_is_looked_at_as_one_series():
    rows = several(900)[:, [0, 2]]

    choice = choose(rows[:700])

    assert "long window" in set(choice.report["view"])
    assert choice.pipeline.freeze().anomaly_score(rows).shape == (900,)


def test_views_over_the_budget_alone_leave_room_for_the_others():
    rows = np.random.default_rng(0).normal(size=(600, 40))

    choice = choose(rows, budget=Budget.small())

    assert choice.front.query("chosen")["us_per_row"].iloc[0] <= 10
    assert "rows: Mahalanobis" in " ".join(choice.reasons)


def test_a_long_history_is_raced_on_and_a_choice_that_no_longer_changes_ends_the_race():
    days = pd.date_range("2026-01-01", periods=40_000, freq="5min")
    long = pd.Series(wave(days), index=days)

    raced = choose(long, preset="point", budget=Budget(seconds=None))

    assert heats(len(long)) == [12_000, 40_000]
    assert any(reason.startswith("raced on the last 12,000, 40,000 rows") for reason in raced.reasons)
    assert len(raced.pipeline.history_) == 40_000
    assert not any("raced" in reason for reason in choose(long[:20_000], preset="point").reasons)


def noise(n: int) -> pd.Series:
    return pd.Series(np.random.default_rng(0).normal(size=n))


def test_candidates_that_lose_on_few_rows_are_not_tried_on_many():
    table = read_table(noise(30_000))
    views = views_of("mixed", 1)

    race = run_race(table, None, Maker(look_at(table), 0), views, Budget.small(), 0, sampler=False)

    assert race.heats == (12_000, 30_000)
    assert 0 < race.lost < len(recipes_of(views, 30_000))
    assert len(race.trial.tried) == len(recipes_of(views, 30_000)) - race.lost
    assert set(race.best.recipes) <= set(race.trial.tried)


def test_a_race_that_runs_out_of_time_answers_with_the_last_heat_that_was_finished(monkeypatch):
    table = read_table(noise(30_000))
    first = run_race(table, None, Maker(look_at(table), 0), views_of("point", 1), Budget(), 0, sampler=False)
    clock = iter([0.0, *[1.0] * len(first.trial.tried), *[1e9] * 100])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))

    race = run_race(table, None, Maker(look_at(table), 0), views_of("point", 1), Budget(), 0, sampler=False)

    assert race.heats == (12_000,)
    assert "the time was up" in race.told[0]


@pytest.mark.parametrize("labelled", [False, True])
def test_heats_whose_rows_say_nothing_are_left_out(labelled):
    series = noise(30_000)
    labels = np.zeros(len(series), dtype=int)
    if labelled:  # the last 12,000 rows hold back 3,600, and these hold no event
        for start in (21_500, 23_000):
            series.iloc[start : start + 20] += 5.0
            labels[start : start + 20] = 1
    else:
        series.iloc[-12_000:] = np.nan
    table = read_table(series)

    race = run_race(table, labels if labelled else None, Maker(look_at(table), 0), views_of("point", 1), Budget(), 0, sampler=False)

    assert race.heats == (30_000,)


def test_optuna_looks_among_all_combinations_and_keeps_to_the_budget():
    pytest.importorskip("optuna")
    budget = Budget(us_per_row=8.0)

    listed, searched = (choose(PAST, budget=budget, search=search).front.query("chosen").iloc[0] for search in ("list", "optuna"))

    assert searched["us_per_row"] <= 8.0
    assert choose(PAST, budget=Budget(seconds=1e-9), search="optuna").pipeline.anomaly_score(REST).notna().any()
    assert (searched["searches"], searched["fidelity"] + 1e-3) >= (listed["searches"], listed["fidelity"])
    again = choose(PAST, budget=budget, search="optuna").front.query("chosen").iloc[0]
    pd.testing.assert_series_equal(again, searched)


def test_optuna_that_is_not_installed_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BadParameter, match=r"pip install 'tsprune\[optuna\]'"):
        choose(PAST, search="optuna")
    with pytest.raises(BadParameter, match="search"):
        choose(PAST, search="random")
