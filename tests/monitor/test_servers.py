"""Against the real things: a PostgreSQL server, a Prometheus server, an Alertmanager."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time
import urllib.request

import numpy as np
import pytest
from monitor import servers
from monitor.faults import forked, short_slices
from monitor.world import World, daily

from tsprune.monitor import BadJob, Temporary
from tsprune.monitor.database import connect, locked
from tsprune.monitor.errors import Locked
from tsprune.monitor.moments import HOUR, SECOND, iso, now

pytestmark = pytest.mark.skipif(not os.environ.get("TSPRUNE_FULL"), reason="starts real servers; set TSPRUNE_FULL=1 (.ci/full does)")

# -- PostgreSQL ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    pytest.importorskip("sqlalchemy", reason="needs tsprune[sql]")
    pytest.importorskip("psycopg", reason="needs tsprune[sql]")
    with servers.postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def fresh(url, world, kind="TIMESTAMPTZ"):
    """The rows of a world in a table of the server, and a server without a store."""
    database = connect(url, world.folder)
    database.write("DROP SCHEMA IF EXISTS tsprune CASCADE")
    database.write("DROP TABLE IF EXISTS metrics")
    database.write(f'CREATE TABLE metrics (time {kind}, host TEXT, "load" DOUBLE PRECISION)')
    rows = [(iso(int(t)), n, float(v)) for t, r in zip(world.time, world.values, strict=True) for n, v in zip(world.names, r, strict=True)]
    database.write("INSERT INTO metrics VALUES (?, ?, ?)", rows)
    database.close()


def ask(url, world, question):
    database = connect(url, world.folder)
    database.write("SET search_path TO tsprune")
    try:
        return database.query(question)
    finally:
        database.close()


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "TIMESTAMP", "TEXT"])
def test_a_postgresql_source_gives_the_scores_of_the_whole_record(postgres, world, kind):
    fresh(postgres, world, kind)
    world.configure(source={"kind": "sql", "url": postgres, "table": "metrics", "series": "host"})

    for day in (3, 7, 11):
        assert world.run(world.day(day)).exit_code == 0

    assert [(s, t, score) for s, t, _, score, _ in world.ledger()["scores"]] == world.expected_scores(world.day(11))


def test_a_postgresql_store_holds_what_a_file_would(postgres, world, tmp_path):
    fresh(postgres, world)
    world.configure(store={"url": postgres})
    usual = World.make(tmp_path / "usual")
    for day in (3, 7, 11):
        world.run(world.day(day))
        usual.run(usual.day(day))

    question = "SELECT series, time, model, score, alarm FROM named_scores ORDER BY series, time"
    assert ask(postgres, world, question) == usual.ask(question)
    question = "SELECT key, state, first, fired, last, over, n_rows, told FROM alerts ORDER BY key"
    assert ask(postgres, world, question) == usual.ask(question)
    assert [m["key"] for m in world.told()] == [m["key"] for m in usual.told()]
    assert json.loads(world.job.status(world.day(11)).to_json())["series"] == 3
    assert "the first" in _refusal(world.job.rollback)


def test_runs_on_a_server_that_are_killed_lose_nothing(postgres, world, tmp_path):
    fresh(postgres, world)
    world.configure(store={"url": postgres})
    usual = World.make(tmp_path / "usual")
    rng = np.random.default_rng(0)
    with short_slices():
        for day in (4, 8, 11):
            usual.run(usual.day(day))
            codes = [forked(lambda day=day: world.run(world.day(day)), kill_after=rng.uniform(0, 0.4)) for _ in range(3)]
            assert set(codes) <= {0, 5, 75, -signal.SIGKILL}
            assert world.job.run(world.day(day), wait=10.0).exit_code == 0

    question = "SELECT series, time, score, alarm FROM named_scores ORDER BY series, time"
    assert ask(postgres, world, question) == usual.ask(question)
    assert {m["key"] for m in world.told()} == {m["key"] for m in usual.told()}


def test_the_lock_of_a_server_holds_and_is_gone_with_its_holder(postgres, world):
    fresh(postgres, world)
    world.configure(store={"url": postgres})
    with locked(postgres, world.folder, "job", 0.0), pytest.raises(Locked):
        world.run(world.day(1))

    assert world.run(world.day(1)).exit_code == 0


def test_a_server_is_read_as_a_reader_and_its_names_are_checked(postgres, world):
    fresh(postgres, world)
    database = connect(postgres, world.folder, read_only=True)
    with pytest.raises((BadJob, Temporary), match="read-only"):
        database.write("DELETE FROM metrics")
    database.close()
    for section in (
        {"table": "metrics; DROP TABLE metrics"},
        {"table": "metrics", "time": "nosuch"},
        {"query": "WITH a AS (DELETE FROM metrics RETURNING *) SELECT * FROM a"},
    ):
        world.configure(source={"kind": "sql", "url": postgres, **section})
        with pytest.raises(BadJob):
            world.run(world.day(1))


def test_a_server_that_is_away_is_for_the_next_run_and_its_password_is_not_told(world, monkeypatch):
    pytest.importorskip("sqlalchemy", reason="needs tsprune[sql]")
    pytest.importorskip("psycopg", reason="needs tsprune[sql]")
    monkeypatch.setenv("PG_WORD", "s3cret-word")
    url = f"postgresql://monitor:${{PG_WORD}}@127.0.0.1:{servers.free_port()}/postgres"
    world.configure(source={"kind": "sql", "url": url, "table": "metrics"})

    with pytest.raises(Temporary) as caught:
        world.run(world.day(1))
    assert "s3cret" not in str(caught.value)


def _refusal(act):
    with pytest.raises(BadJob) as caught:
        act()
    return str(caught.value)


# -- Prometheus ---------------------------------------------------------------------------------------------------------


class Target(http.server.BaseHTTPRequestHandler):
    """A page of metrics: one value per host, and the time it stands for."""

    def do_GET(self):
        lines = [f'load{{host="{name}"}} {value} {stamp // 10**6}' for name, stamp, value in self.server.rows()]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("\n".join(lines) + "\n").encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """A Prometheus server that has scraped two hosts for some seconds: its URL."""
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    target.rows = lambda: [(name, now(), float(daily(np.array([now()]), i)[0])) for i, name in enumerate(("host-0", r"host \"1\""))]
    threading.Thread(target=target.serve_forever, daemon=True).start()
    with servers.prometheus(tmp_path_factory.mktemp("prometheus"), target.server_port) as url:
        until = time.monotonic() + 30
        while len(_points(url)) < 2 and time.monotonic() < until:
            time.sleep(0.5)
        time.sleep(3.0)
        yield url
    target.shutdown()


def _points(url):
    with urllib.request.urlopen(f"{url}/api/v1/query?query=load", timeout=5) as answer:
        return json.loads(answer.read())["data"]["result"]


@pytest.fixture(scope="module")
def seconds():
    """A model of rows each second."""
    import pandas as pd

    import tsprune as tsp
    from tsprune.model import file

    index = pd.date_range("2026-01-01", periods=400, freq="s", tz="UTC")
    history = pd.Series(np.random.default_rng(0).normal(size=400), index=index, name="load")
    return file.to_bytes(tsp.Pipeline([tsp.Windows(2), tsp.Pruned("iforest", keep=0.2, guard=None, random_state=0)]).fit(history).freeze())


def test_a_prometheus_server_is_a_source_with_one_series_per_label(scraped, seconds, tmp_path):
    source = {"kind": "prometheus", "url": scraped, "queries": {"load": "load"}, "series": "host"}
    world = World.make(tmp_path / "w", content=seconds, source=source, schedule={"every": "1s", "start": "20s", "delay": "2s"})

    moment = now()
    result = world.run(moment)
    time.sleep(2.0)
    again = world.run(now())

    assert result.exit_code == 0
    assert again.n_rows >= 2
    rows = world.ask("SELECT name, time FROM scores JOIN series ON series.id = scores.series ORDER BY name, time")
    assert {name for name, _ in rows} == {"host-0", 'host "1"'}
    assert len(set(rows)) == len(rows)
    assert all(t % SECOND == 0 for _, t in rows)


def test_a_query_that_prometheus_does_not_understand_is_a_mistake_of_the_job(scraped, seconds, tmp_path):
    source = {"kind": "prometheus", "url": scraped, "queries": {"load": "load{{"}}
    world = World.make(tmp_path / "w", content=seconds, source=source)

    with pytest.raises(BadJob, match="refuses the query"):
        world.run(now())


def test_a_prometheus_that_is_away_is_for_the_next_run(seconds, tmp_path):
    source = {"kind": "prometheus", "url": f"http://127.0.0.1:{servers.free_port()}", "queries": {"load": "load"}}
    world = World.make(tmp_path / "w", content=seconds, source=source)

    with pytest.raises(Temporary, match="cannot be reached"):
        world.run(now())


# -- Alertmanager -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    with servers.alertmanager(tmp_path_factory.mktemp("alertmanager")) as url:
        yield url


def shown(url, job):
    """The alerts of a job that Alertmanager shows."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts?filter=tsprune_job%3D{job}", timeout=5) as answer:
        return json.loads(answer.read())


def test_alertmanager_shows_what_is_open_and_lets_go_of_what_is_over(alertmanager, tmp_path):
    sink = [{"kind": "alertmanager", "url": alertmanager, "labels": {"team": "data"}, "hold": "1s"}]
    world = World.make(tmp_path / "w", name="live", sink=sink)

    world.run(world.day(1) + 8 * HOUR)  # amid the burst of host-0
    alerts = shown(alertmanager, "live")
    assert [alert["labels"]["series"] for alert in alerts] == ["host-0"]
    assert alerts[0]["labels"]["team"] == "data"
    assert "expected" in alerts[0]["annotations"]
    assert alerts[0]["startsAt"].startswith("2026-01-06T06:00:00")

    usual = World.make(tmp_path / "short", name="short", sink=[{**sink[0], "hold": "1h"}])
    usual.run(usual.day(1.5))  # what began and ended within one run is shown for a while, so that somebody is told
    assert {alert["labels"]["series"] for alert in shown(alertmanager, "short")} == {"host-0"}

    world.run(world.day(1.5))
    until = time.monotonic() + 20
    while any(alert["labels"]["series"] == "host-0" for alert in shown(alertmanager, "live")) and time.monotonic() < until:
        time.sleep(0.5)
    assert "host-0" not in {alert["labels"]["series"] for alert in shown(alertmanager, "live")}


def test_an_alertmanager_that_was_away_hears_of_everything_afterwards(alertmanager, tmp_path):
    world = World.make(tmp_path / "w", name="away", alert={"cool_down": "30d"})
    world.configure(
        name="away", sink=[{"kind": "alertmanager", "url": f"http://127.0.0.1:{servers.free_port()}"}], alert={"cool_down": "30d"}
    )
    assert world.run(world.day(11)).exit_code == 75

    world.configure(name="away", sink=[{"kind": "alertmanager", "url": alertmanager}], alert={"cool_down": "30d"})
    assert world.run(world.day(11)).exit_code == 0

    assert {alert["labels"]["series"] for alert in shown(alertmanager, "away")} == set(world.names)
