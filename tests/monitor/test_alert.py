"""From alarm rows to alerts: duration, cool-down, direction, deviation; the same however the rows are cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from monitor.world import START, World

from tsprune.errors import BadParameter
from tsprune.monitor.alert import Episode, Peaks, walk
from tsprune.monitor.errors import BadJob
from tsprune.monitor.moments import HOUR
from tsprune.monitor.score import Scored
from tsprune.monitor.sections import AlertRules


def rules(for_=0, cool_down=0):
    """In hours."""
    return AlertRules(for_=for_ * HOUR, cool_down=cool_down * HOUR)


def scored(marks):
    """One row per letter: # alarm, . none, ? no score."""
    score = np.array([np.nan if mark == "?" else 1.0 if mark == "#" else 0.0 for mark in marks])
    n = len(marks)
    return Scored(score, np.full(n, 0.5), score == 1.0, np.zeros(n, np.int64), score, score, np.full(n, -1.0), score, score)


def episodes(marks, rule, cuts=(), patience=3):
    """Hours of first and last row, and whether over; walked piece by piece."""
    times = HOUR * np.arange(len(marks))
    whole, episode, found = scored(marks), None, {}
    for start, stop in pairwise([0, *sorted(cuts), len(marks)]):
        piece = Scored(*(getattr(whole, name)[start:stop] for name in Scored.__dataclass_fields__))
        if start == stop:
            continue
        walked = walk(episode, times[start:stop], piece, Peaks(piece, ("x",)), rule, settled=int(times[stop - 1]), patience=patience * HOUR)
        episode = None if walked.settled is None else Episode.of_text(walked.settled.to_text())
        found |= {e.first: (e.first // HOUR, e.last // HOUR, e.n_rows, over is not None) for e, over in walked.found}
    return sorted(found.values())


@pytest.mark.parametrize(
    ("marks", "rule", "expected"),
    [
        ("..##..", rules(), [(2, 3, 2, True)]),
        ("..##", rules(), [(2, 3, 2, False)]),
        ("#.#.#", rules(), [(0, 0, 1, True), (2, 2, 1, True), (4, 4, 1, False)]),
        ("#.#..#....", rules(cool_down=3), [(0, 5, 3, True)]),
        ("#.#...#...", rules(cool_down=3), [(0, 2, 2, True), (6, 6, 1, True)]),
        ("#..##..###.", rules(for_=2), [(7, 9, 3, True)]),
        ("##?#.", rules(for_=2), [(0, 3, 3, True)]),  # a row without a score says nothing
        ("#?????#.", rules(for_=2), []),  # alarm rows too far apart have not lasted
        ("", rules(), []),
        ("????", rules(), []),
    ],
)
def test_alarm_rows_become_alerts_by_the_rules(marks, rule, expected):
    assert episodes(marks, rule) == expected


@settings(max_examples=200, deadline=None)
@given(
    marks=st.text("#.?", max_size=40),
    for_=st.integers(0, 3),
    cool_down=st.integers(0, 4),
    cuts=st.lists(st.integers(0, 40), max_size=5),
)
def test_alerts_are_the_same_in_one_piece_and_in_any_pieces(marks, for_, cool_down, cuts):
    rule = rules(for_, cool_down)

    assert episodes(marks, rule, [min(cut, len(marks)) for cut in cuts]) == episodes(marks, rule)


@pytest.mark.parametrize(("direction", "series"), [("above", {"burst"}), ("below", {"dip"}), ("both", {"burst", "dip"})])
def test_direction_looks_at_the_value_beside_the_expected_one(tmp_path, direction, series):
    world = World.make(tmp_path / "w", n_series=1, alert={"direction": direction, "min_absolute": 20.0})
    world.run(world.day(11))

    first = {alert[0] for alert in world.ask("SELECT first FROM alerts WHERE kind = 'anomaly'")}

    burst, dip = START + 30 * HOUR, START + (12 * 24 - 40) * HOUR
    assert {name for name, moment in (("burst", burst), ("dip", dip)) if moment in first} == series


def test_small_deviations_are_no_alert_whatever_the_score(tmp_path):
    all_of_them, large = (
        World.make(tmp_path / name, n_series=1, model={"file": "m.tsp", "threshold": 0.4}, alert=alert)
        for name, alert in (("all", {}), ("large", {"min_absolute": 50.0, "min_relative": 0.5}))
    )
    n_all, n_large = (world.run(world.day(11)).n_alarms for world in (all_of_them, large))

    assert n_all > 20
    assert 0 < n_large <= 5


def test_rules_on_deviations_need_a_model_that_expects_something(tmp_path):
    import pandas as pd

    import tsprune as tsp
    from tsprune.model import file

    index = pd.date_range("2026-01-01", periods=400, freq="h", tz="UTC")
    history = pd.Series(np.random.default_rng(0).normal(size=400), index=index, name="load")
    bare = tsp.Pipeline([tsp.Windows(3, scale="none"), tsp.Pruned("iforest", keep=0.2, guard=None, random_state=0)]).fit(history)
    world = World.make(tmp_path / "w", content=file.to_bytes(bare.freeze()), alert={"direction": "above"})

    with pytest.raises(BadJob, match="need an expected value"):
        world.run(world.day(1))


def test_a_pattern_of_groups_has_one_group():
    with pytest.raises(BadParameter, match="has 0 groups"):
        AlertRules(group_by="host-.*")


def test_the_value_told_is_that_of_the_row_farthest_from_the_expected_one(world):
    world.run(world.day(11))

    told = next(m["alerts"][0] for m in world.told() if m["alerts"][0]["series"] == "host-0")

    assert abs(told["value"] - told["expected"]) > 50
    assert told["peak"] in (f"2026-01-06T0{hour}:00:00Z" for hour in (6, 7, 8, 9))


def test_an_alert_whose_rows_may_still_change_is_told_once(tmp_path):
    """Rows settle two hours late, the alert goes on for three hours after its last row: runs in between know it again."""
    schedule = {"every": "1h", "start": "20h", "late": "2h", "missing_after": "9d"}
    world = World.make(tmp_path / "w", n_series=1, schedule=schedule, alert={"cool_down": "3h"})

    for hour in range(20, 48):
        world.run(START + hour * HOUR + HOUR // 2)

    told = [(m["event"], m["alerts"][0]["rows"]) for m in world.told() if m["alerts"][0]["first"] == "2026-01-06T06:00:00Z"]
    assert [event for event, _ in told] == ["firing", "resolved"]
    assert told[-1][1] >= 4
    keys = [m["key"] for m in world.told()]
    assert len(set(keys)) == len(keys)
