"""Facts of many series as columns are the facts of each series, in hundreds of bytes."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from fleets import to_long, wide_fleet

import tsprune as tsp
from tsprune.errors import BadSeries
from tsprune.model import file
from tsprune.model.adapted import AdaptedSeason
from tsprune.model.member import Member
from tsprune.model.roster import Roster
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother
from tsprune.panel.frames import Names, read_frame
from tsprune.panel.tail import Tail

PLAIN = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(8, "point"), "subspace"])


def season(rng: np.random.Generator, *periods: int) -> SeasonProfile:
    return SeasonProfile(1, (0,) * len(periods), np.array(periods, float), periods, rng.normal(size=sum(periods)), False)


def some_members(n: int = 60) -> dict[str, Member]:
    """Members of several kinds: without a stage, without a season, of one and of two periods, adapted, with a smoother beside."""
    rng = np.random.default_rng(0)
    smoother = Smoother(1, "mean", 3, 3.0, True, np.full((1, 3), 1 / 3), np.empty((1, 0)))
    stages = [
        lambda: (),
        lambda: (season(rng),),
        lambda: (season(rng, 24),),
        lambda: (season(rng, 24, 168),),
        lambda: (AdaptedSeason(season(rng, 24), 3, rng.uniform(size=1), 0), smoother),
    ]
    members = {}
    for k in range(n):
        own = stages[k % len(stages)]()
        width = own[-1].n_out if own else 1
        members[f"s{(7 * k) % n}"] = Member(k % 3, k % 2, k, float(rng.normal()), rng.normal(size=width), rng.uniform(1, 2, width), own)
    return members


def same(roster: Roster, members: dict[str, Member]) -> bool:
    return list(roster) == sorted(members) and all(file.to_bytes(roster[name]) == file.to_bytes(members[name]) for name in members)


def test_members_come_back_to_the_bit_whatever_their_kind():
    members = some_members()
    roster = Roster.of(members.items())
    assert len(roster.kinds) == 5
    assert same(roster, members)
    assert same(pickle.loads(pickle.dumps(roster)), members)
    for name in members:
        roster[name].check()
    assert "nobody" not in roster
    with pytest.raises(KeyError):
        roster["nobody"]


def test_rosters_are_joined_and_the_last_of_a_name_counts():
    members = some_members()
    parts = [dict(list(members.items())[low : low + 25]) for low in (0, 20, 40)]
    changed = {name: replace(member, threshold=9.0) for name, member in parts[2].items()}
    joined = Roster.joined([Roster.of(part.items()) for part in (*parts, changed)])
    assert same(joined, {**members, **changed})
    assert sum(len(kind.table) for kind in joined.kinds) == len(members)
    assert same(Roster.joined([]), {})


def test_some_members_take_no_more_than_their_own_rows():
    members = some_members()
    chosen = ["s3", "s59", "s8"]
    few = Roster.of(members.items()).only(chosen)
    assert same(few, {name: members[name] for name in chosen})
    assert sum(len(kind.table) for kind in few.kinds) == 3
    taken = Roster.of(members.items()).taken(np.array([4, 0]))
    names = sorted(members)
    assert [file.to_bytes(member) for member in taken] == [file.to_bytes(members[names[k]]) for k in (4, 0)]
    assert len(taken[1:]) == 1


def test_columns_are_the_facts_of_the_members_and_can_be_given_anew():
    members = some_members()
    roster = Roster.of(members.items())
    for fact in ("clock", "detector", "rows", "threshold"):
        assert roster.column(fact).tolist() == [getattr(members[name], fact) for name in sorted(members)]
    labels = np.arange(len(members)) % 7
    changed = roster.assigned(detector=labels)
    assert same(changed, {name: replace(members[name], detector=int(label)) for name, label in zip(sorted(members), labels, strict=True)})
    assert same(roster, members)


def test_a_series_takes_hundreds_of_bytes():
    """A season of a day, its name and its place; as objects they take 2 kB and more."""
    rng = np.random.default_rng(0)
    n = 4000
    tracemalloc.start()
    roster = Roster.of((f"host-{k:06d}", Member(0, 0, k, 0.5, np.zeros(1), np.ones(1), (season(rng, 24),))) for k in range(n))
    assert roster["host-000007"].rows == 7
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken / n < 600


# -- the tail of a stream -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return tsp.panel.fit(wide_fleet(8), PLAIN, clusters=1)


def batches(model, frame, size):
    """Each batch of a long frame with what a tail keeps before it, and the tail."""
    tail = Tail(model)
    for low in range(0, len(frame), size):
        rows = read_frame(frame[low : low + size], Names()).rows
        before = tail.before(rows)
        yield rows, before, tail
        tail.keep(rows, before)


@pytest.mark.parametrize("slack", [0, 1 << 18])
@pytest.mark.parametrize("order", [["unique_id", "ds"], ["ds", "unique_id"], ["part", "ds"]], ids=["by series", "by time", "by groups"])
def test_what_a_tail_keeps_gives_each_batch_the_scores_of_the_whole(model, monkeypatch, order, slack):
    monkeypatch.setattr("tsprune.panel.tail.SLACK", slack)
    frame = to_long(wide_fleet(8))
    frame["part"] = (frame["ds"] - frame["ds"].min()).dt.days // 3 * 4 + frame["unique_id"].str[-1].astype(
        int
    ) % 3  # groups of series come and go
    frame = frame.sort_values(order, ignore_index=True)[["unique_id", "ds", "y"]]
    expected = tsp.panel.score(model, frame)["score"].to_numpy()
    found = [rows.in_source_order(model.score_rows(rows, before)) for rows, before, _ in batches(model, frame, 150)]
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_a_tail_holds_the_lookback_of_each_series_and_little_else(model, monkeypatch):
    monkeypatch.setattr("tsprune.panel.tail.SLACK", 0)
    frame = to_long(wide_fleet(8))
    rng = np.random.default_rng(0)
    tail = Tail(model)
    hours = frame["ds"].sub(frame["ds"].min()) // np.timedelta64(1, "h")
    for low in range(0, 400, 10):
        names = {f"host-{k}" for k in rng.choice(8, 3)}
        rows = read_frame(frame[(hours >= low) & (hours < low + 10) & frame["unique_id"].isin(names)], Names()).rows
        tail.keep(rows, tail.before(rows))
        assert len(tail) <= 8 * (model.lookback + 2)
        assert sum(map(len, tail._chunks.values())) <= 2 * len(tail) + 10 * 8


def test_a_series_that_goes_back_in_time_is_named(model):
    frame = to_long(wide_fleet(8))
    with pytest.raises(BadSeries, match="'host-3' go back in time"):
        for _ in batches(model, frame[frame["unique_id"] == "host-3"][::-1], 100):
            pass
