"""Sources: files, patterns, tables, queries; what is refused; and clocks that change."""

from __future__ import annotations

import gzip
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd
import pytest
from monitor.world import START, World

from tsprune.errors import BadSeries
from tsprune.model.clock import Clock
from tsprune.monitor import BadJob, Temporary
from tsprune.monitor.database import connect
from tsprune.monitor.moments import DAY, HOUR, SECOND
from tsprune.monitor.rows import Rows
from tsprune.monitor.sql import Sql
from tsprune.monitor.stamps import UNREADABLE, Stamps
from tsprune.monitor.wall import WallClock


def frame(world):
    """The rows of a world, long."""
    index = pd.DatetimeIndex(world.time.astype("datetime64[ns]"), tz="UTC")
    wide = pd.DataFrame(world.values, index=index, columns=list(world.names))
    return wide.rename_axis("time").reset_index().melt("time", var_name="host", value_name="load")


def scores(world):
    return [(s, t, score) for s, t, _, score, _ in world.ledger()["scores"]]


def _seconds(rows, folder):
    rows.assign(time=rows["time"].dt.as_unit("s").astype("int64")).to_csv(folder / "a.csv", index=False)


def _many(rows, folder):
    for day, part in rows.groupby(rows["time"].dt.day):
        part.to_csv(folder / f"{day}.csv", index=False)


WRITERS = {
    "csv": lambda rows, folder: rows.to_csv(folder / "a.csv", index=False),
    "csv.gz": lambda rows, folder: rows.to_csv(folder / "a.csv.gz", index=False),
    "csv of seconds": _seconds,
    "many csv": _many,
    "parquet": lambda rows, folder: rows.to_parquet(folder / "a.parquet"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_files_give_the_scores_that_a_database_gives(tmp_path, kind):
    world = World.make(tmp_path / "w")
    (world.folder / "in").mkdir()
    WRITERS[kind](frame(world), world.folder / "in")
    world.configure(source={"kind": "parquet" if kind == "parquet" else "csv", "path": "in/*", "series": "host"})

    result = world.run(world.day(11))

    assert result.exit_code == 0
    assert scores(world) == world.expected_scores(world.day(11))


@pytest.mark.parametrize(
    ("store_as", "column"),
    [
        ("TEXT", lambda t: str(np.datetime64(int(t), "ns").astype("datetime64[s]"))),
        ("TEXT", lambda t: str(np.datetime64(int(t), "ns").astype("datetime64[s]")).replace("T", " ")),
        ("TEXT", lambda t: str(np.datetime64(int(t), "ns").astype("datetime64[s]")) + "+00:00"),
        ("TEXT", lambda t: datetime.fromtimestamp(t // SECOND, ZoneInfo("Asia/Kolkata")).isoformat()),
        ("INTEGER", lambda t: int(t) // SECOND),
        ("INTEGER", lambda t: int(t) // 10**6),
        ("REAL", lambda t: t / SECOND),
    ],
)
def test_times_in_a_database_may_be_texts_or_numbers(tmp_path, store_as, column):
    world = World.make(tmp_path / "w", n_series=1)
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DROP TABLE metrics")
        source.execute(f"CREATE TABLE metrics (time {store_as}, load REAL)")
        source.executemany(
            "INSERT INTO metrics VALUES (?, ?)", [(column(t), float(v)) for t, (v,) in zip(world.time, world.values, strict=True)]
        )
    source.close()
    world.configure(source={"kind": "sql", "url": "sqlite:///data.db", "table": "metrics"})

    for day in (4, 8, 11):
        world.run(world.day(day))

    assert [(t, score) for _, t, score in scores(world)] == [(t, score) for _, t, score in world.expected_scores(world.day(11))]


def test_a_span_of_texts_is_read_without_the_rest_of_its_first_day(tmp_path):
    """A blank sorts before a T: a span that begins with a blank would hold the whole day of those with a T."""
    world = World.make(tmp_path / "w", n_series=1)
    source = sqlite3.connect(world.folder / "data.db", isolation_level=None)
    source.execute(
        "UPDATE metrics SET time = REPLACE(time, 'T', ' ') WHERE time LIKE '%:00:00' AND CAST(substr(time, 12, 2) AS INT) % 2 = 0"
    )
    source.close()
    database = Sql(world.job.config.source, world.folder, ("load",), Clock.index(), "job")
    with patch.object(database.database, "query", wraps=database.database.query) as asked:
        rows = database.read(START + 42 * HOUR, START + 50 * HOUR)
        found = [call.args for call in asked.call_args_list if "NOT" in call.args[0]]
        given = [text for text, *_ in database.database.query(*found[0])]
    database.close()

    assert rows.time.tolist() == [START + hour * HOUR for hour in range(42, 51)]
    assert sum("T" in text for text in given) == 4


def test_a_query_is_a_source_too(world):
    query = "SELECT time AS at, host AS name, load * 1.0 AS load FROM metrics WHERE load IS NOT NULL"
    world.configure(source={"kind": "sql", "url": "sqlite:///data.db", "query": query, "time": "at", "series": "name"})

    world.run(world.day(5))

    assert scores(world) == world.expected_scores(world.day(5))


@pytest.mark.parametrize(
    "section",
    [
        {"table": "metrics; DROP TABLE metrics"},
        {"table": 'metrics" WHERE 1=1 --'},
        {"table": "metrics", "time": "time) OR (1=1"},
        {"table": "metrics", "series": "host'"},
        {"table": "metrics", "values": ["load, (SELECT 1)"]},
        {"query": "DELETE FROM metrics"},
        {"query": "SELECT 1; DELETE FROM metrics"},
        {"query": "WITH x AS (SELECT 1) DELETE FROM metrics"},
        {"table": "nosuch"},
        {"table": "metrics", "time": "nosuch"},
    ],
)
def test_what_is_no_name_and_no_question_is_refused_and_changes_nothing(world, section):
    world.configure(source={"kind": "sql", "url": "sqlite:///data.db", **section})

    with pytest.raises((BadJob, BadSeries)):
        world.run(world.day(5))
    source = sqlite3.connect(world.folder / "data.db")
    assert source.execute("SELECT COUNT(*) FROM metrics").fetchone() == (3 * 12 * 24,)
    source.close()


def test_a_source_is_opened_for_reading_only(world):
    database = connect("sqlite:///data.db", world.folder, read_only=True)

    with pytest.raises((BadJob, Temporary)):
        database.write("DELETE FROM metrics")
    database.close()


def test_a_source_that_somebody_writes_in_the_old_way_is_read_under_its_lock(world):
    """A rollback journal means that the file itself is half-written: such a reader must wait, not guess."""
    source = sqlite3.connect(world.folder / "data.db", isolation_level=None)
    source.execute("PRAGMA journal_mode=DELETE")
    source.execute("BEGIN EXCLUSIVE")
    source.execute("DELETE FROM metrics")
    with patch("tsprune.monitor.database.PATIENCE", 0.1), pytest.raises(Temporary, match="locked"):
        world.run(world.day(5))
    source.execute("ROLLBACK")
    source.close()

    assert world.run(world.day(5)).exit_code == 0


@pytest.mark.parametrize(
    ("section", "error"),
    [
        ({"kind": "csv", "path": "nosuch*.csv"}, BadSeries),
        ({"kind": "csv", "path": "a.csv", "time": "when"}, BadJob),
        ({"kind": "csv", "path": "a.csv", "values": ["load", "more"]}, BadJob),  # the model has one column
        ({"kind": "sql", "url": "sqlite:///nosuch.db", "table": "a"}, BadJob),
        ({"kind": "sql", "url": "metrics.db", "table": "a"}, BadJob),
        ({"kind": "sql", "url": "sqlite:///${NO_SUCH_VARIABLE}.db", "table": "a"}, BadJob),
        ({"kind": "csv", "path": "a.csv", "zone": "Europe/Atlantis"}, BadJob),
    ],
)
def test_a_source_that_is_not_there_is_named(world, section, error):
    (world.folder / "a.csv").write_text("time,load\n2026-01-05T00:00:00,1\n")
    world.configure(source=section)

    with pytest.raises(error, match=r"nosuch|when|names 2 columns|metrics\.db|NO_SUCH|Atlantis"):
        world.run(world.day(1))


def test_a_line_that_is_still_being_written_is_left_to_the_next_run(world):
    rows = frame(world)[lambda f: f["host"] == "host-0"].to_csv(index=False)
    path = world.folder / "a.csv"
    path.write_text(rows[:-9])  # the last value is not whole
    world.configure(source={"kind": "csv", "path": "a.csv"})
    world.run(world.day(13))
    assert len(scores(world)) == 12 * 24 - 1

    path.write_text(rows)
    world.run(world.day(13))

    assert [s for *_, s in scores(world)] == [s for n, _, s in world.expected_scores(world.day(13)) if n == "host-0"]


def test_a_half_written_parquet_or_gzip_file_is_for_the_next_run(world):
    (world.folder / "a.parquet").write_bytes(b"PAR1 and then nothing")
    world.configure(source={"kind": "parquet", "path": "a.parquet", "series": "host"})
    with pytest.raises(Temporary):
        world.run(world.day(1))
    (world.folder / "a.csv.gz").write_bytes(gzip.compress(b"time,load\n" * 100)[:-12])
    world.configure(source={"kind": "csv", "path": "a.csv.gz"})
    with pytest.raises(Temporary):
        world.run(world.day(1))


# -- clocks -------------------------------------------------------------------------------------------------------------


def changes(zone):
    """Days in 2020-2037 on which a zone's clock is changed: UTC seconds, and the offset before it."""
    days = np.arange(datetime(2020, 1, 1, tzinfo=UTC).timestamp(), datetime(2038, 1, 1, tzinfo=UTC).timestamp(), 86400)
    offsets = [datetime.fromtimestamp(t, zone).utcoffset() for t in days]
    return tuple((int(days[i]), offsets[i - 1]) for i in range(1, len(days)) if offsets[i] != offsets[i - 1])


SOME = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Asia/Tehran", "Pacific/Apia"]


@pytest.mark.parametrize("name", SOME)
def test_no_hour_is_lost_or_doubled_at_any_clock_change(name):
    assert lost_hours(name) == []


def lost_hours(name):
    """Changes around which hourly rows, written as the clock on the wall shows them, do not come back as they were."""
    zone = ZoneInfo(name)
    days = [day for day, _ in changes(zone)]
    utc = np.array([SECOND * (day // 3600 * 3600 + 3600 * np.arange(-48, 48)) for day in days], dtype=np.int64).ravel()
    if not len(utc):
        return []
    shown = [datetime.fromtimestamp(t // SECOND, zone).replace(tzinfo=None) for t in utc.tolist()]
    bad = set()
    for values in (shown, [stamp.isoformat() for stamp in shown]):
        stamps = Stamps.like(values[0], name)
        read = stamps.parse(values, np.zeros(len(utc), np.int64), HOUR, 0)
        bad |= set(np.array(days)[(read != utc).reshape(-1, 96).any(axis=1)].tolist())
        for i, day in enumerate(days):
            low, high = stamps.bounds(int(utc[96 * i]), int(utc[96 * i + 95]))
            bad |= {day} if not all(low <= value <= high for value in values[96 * i : 96 * i + 96]) else set()
    return [datetime.fromtimestamp(day, UTC).date().isoformat() for day in sorted(bad)]


@pytest.mark.skipif(not os.environ.get("TSPRUNE_FULL"), reason="all zones take minutes; set TSPRUNE_FULL=1")
def test_no_hour_is_lost_or_doubled_in_any_zone_of_the_world():
    alike = {changes(ZoneInfo(name)): name for name in sorted(available_timezones())}  # one of those that change together

    assert len(alike) > 40
    assert {name: bad for name in alike.values() if (bad := lost_hours(name))} == {}


def test_a_season_learned_on_a_wall_clock_follows_it_through_a_change(tmp_path):
    """Local times without a zone, an hour of autumn twice: the store holds each hour once, scored as UTC rows are."""
    world = World.make(tmp_path / "w", n_series=1)
    zone = ZoneInfo("Europe/Berlin")
    begin = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp()) * SECOND
    time = begin + HOUR * np.arange(24 * 10)
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DELETE FROM metrics")
        local = [datetime.fromtimestamp(t // SECOND, zone).replace(tzinfo=None).isoformat() for t in time.tolist()]
        source.executemany("INSERT INTO metrics VALUES (?, 'host-0', ?)", [(text, float(i)) for i, text in enumerate(local)])
    source.close()
    world.tables["source"]["zone"] = "Europe/Berlin"
    world.configure(**world.tables)

    for hours in (100, 125, 126.5, 127, 240):  # the clock goes back amid these
        world.run(begin + round(hours * HOUR))

    assert [t for _, t, _ in scores(world)] == time.tolist()


def test_an_hour_that_comes_twice_goes_to_the_pass_that_fits():
    clock = WallClock(ZoneInfo("Europe/Berlin"))
    twice = datetime(2026, 10, 25, 2, 30)
    wall = (twice - datetime(1970, 1, 1)) // timedelta(seconds=1) * SECOND

    read = clock.to_utc(np.array([wall, wall]), np.array([0, 0]), HOUR // 2, 0)

    assert (read[1] - read[0]) == HOUR


def test_what_is_no_time_is_counted_and_what_is_no_style_is_refused():
    stamps = Stamps.like("2026-01-01", "UTC")
    assert stamps.parse(["2026-01-01", "noon", None], np.zeros(3, np.int64), 1, 0).tolist() == [START - 4 * DAY, UNREADABLE, UNREADABLE]
    with pytest.raises(BadSeries, match="a list"):
        Stamps.like([1], "UTC")


def test_of_rows_with_one_series_and_time_one_counts_whatever_their_order():
    time, code = np.array([5, 5, 3]), np.zeros(3, np.int64)

    rows = [
        Rows.of(("a",), code[o], time[o], np.array([[1.0], [2.0], [0.0]])[o], in_order=False) for o in ([0, 1, 2], [1, 0, 2], [2, 1, 0])
    ]

    assert {(tuple(r.time.tolist()), tuple(r.values.ravel().tolist()), r.duplicates) for r in rows} == {((3, 5), (0.0, 2.0), 1)}
