"""Runs of a job: what they keep, what they tell, and that nothing depends on how many runs it took."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from unittest.mock import patch

import pytest
from monitor.faults import forked, short_slices
from monitor.world import START, World, model_bytes

from tsprune.errors import BadModelFile
from tsprune.model import file
from tsprune.monitor import BadJob, Job, Locked, Temporary
from tsprune.monitor.moments import DAY, HOUR, iso
from tsprune.monitor.sinks import Lines
from tsprune.monitor.sql import Sql


def scores(world):
    return [(s, t, score) for s, t, _, score, _ in world.ledger()["scores"]]


def events(world):
    """Who was told what, in order."""
    return [(message["event"], message["alerts"][0]["series"], message["kind"]) for message in world.told()]


# -- the same, however many runs ----------------------------------------------------------------------------------------


def test_daily_runs_keep_the_scores_of_the_whole_record_to_the_bit(world):
    for day in range(1, 12):
        assert world.run(world.day(day)).exit_code == 0

    assert scores(world) == world.expected_scores(world.day(11))


def test_one_run_or_many_slices_or_one_come_to_the_same(world, tmp_path):
    world.run(world.day(11))
    many = World.make(tmp_path / "many")
    with short_slices(7):
        for day in (1.3, 4, 4.5, 9, 11):
            many.run(many.day(day))

    assert many.ledger() == world.ledger()
    assert {m["key"] for m in many.told()} == {m["key"] for m in world.told()}


@pytest.mark.parametrize(("recalibrate", "min_length"), [(60, 1), (60, 2), (None, 2)])
def test_a_threshold_that_looks_back_alarms_as_on_the_whole_record_however_many_runs_it_took(tmp_path, recalibrate, min_length):
    content = model_bytes(recalibrate=recalibrate, min_length=min_length)
    once, daily = (World.make(tmp_path / name, content=content) for name in ("once", "daily"))
    for world in (once, daily):
        world.take_out(range(100, 131))

    once.run(once.day(11))
    for day in range(1, 12):
        daily.run(daily.day(day))

    assert daily.ledger() == once.ledger()
    alarms = {name: sorted(t for s, t, _, _, alarm in once.ledger()["scores"] if alarm and s == name) for name in once.names}
    model = file.from_bytes(content)
    for i, name in enumerate(once.names):
        there = once.time <= once.day(11)
        whole = model.detect(once.values[there, i], once.time[there])
        assert alarms[name] == once.time[there][whole].tolist()
        assert whole.any()


def test_running_again_changes_nothing(world):
    world.run(world.day(11))
    before, told = world.ledger(), world.told()

    again = world.run(world.day(11))

    assert (again.n_rows, again.n_sent, again.exit_code) == (0, 0, 0)
    assert world.ledger() == before
    assert world.told() == told


def test_rows_that_come_late_are_scored_and_what_follows_them_again(tmp_path):
    late = World.make(tmp_path / "late", schedule={"every": "1d", "start": "30d", "late": "2d"})
    with sqlite3.connect(late.folder / "data.db") as source:
        source.execute("CREATE TABLE held AS SELECT * FROM metrics WHERE time LIKE '2026-01-07T0%' AND host = 'host-1'")
        source.execute("DELETE FROM metrics WHERE time LIKE '2026-01-07T0%' AND host = 'host-1'")
    source.close()
    late.run(late.day(3))
    assert scores(late) != late.expected_scores(late.day(3))

    with sqlite3.connect(late.folder / "data.db") as source:
        source.execute("INSERT INTO metrics SELECT * FROM held")
    source.close()
    late.run(late.day(4))

    assert scores(late) == late.expected_scores(late.day(4))


def test_a_series_that_begins_or_comes_back_later_is_scored_from_its_own_rows(tmp_path):
    world = World.make(tmp_path / "w", schedule={"every": "1d", "start": "30d", "missing_after": "30d"})
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("CREATE TABLE held AS SELECT * FROM metrics WHERE host = 'host-2' OR (host = 'host-1' AND time > '2026-01-08')")
        source.execute("DELETE FROM metrics WHERE host = 'host-2' OR (host = 'host-1' AND time > '2026-01-08')")
    source.close()
    world.run(world.day(8))
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("INSERT INTO metrics SELECT * FROM held")
    source.close()

    world.run(world.day(9))

    assert scores(world) == world.expected_scores(world.day(9))


def test_gaps_duplicates_unreadable_times_and_infinite_values_follow_the_policy(world):
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DELETE FROM metrics WHERE time BETWEEN '2026-01-06T05' AND '2026-01-06T09:30' AND host = 'host-0'")
        source.execute("INSERT INTO metrics VALUES ('2026-01-06T12:00:00', 'host-0', -1e9)")  # of two, the larger counts
        source.execute("INSERT INTO metrics VALUES ('2026-01-06Tnoon', 'host-0', 1.0)")
        source.execute("UPDATE metrics SET load = 9e999 WHERE time = '2026-01-06T20:00:00' AND host = 'host-0'")
    source.close()

    result = world.run(world.day(3))

    assert (result.n_duplicates, result.n_unreadable) == (1, 1)
    kept = {t: score for s, t, score in scores(world) if s == "host-0"}
    assert START + DAY + 6 * HOUR not in kept
    assert kept[START + DAY + 10 * HOUR] is None  # its window has a gap
    assert kept[START + DAY + 20 * HOUR] is None
    expected = {t: score for s, t, score in world.expected_scores(world.day(3)) if s == "host-0"}
    assert kept[START + DAY + 12 * HOUR] is not None
    assert kept[START + 2 * DAY] == expected[START + 2 * DAY]


def test_rows_stamped_with_the_future_wait_and_are_reported(world):
    real = world.day(5)
    with patch("tsprune.monitor.run.now", return_value=real):
        result = world.job.run()

    assert result.n_ahead == 3 * (12 * 24 - 5 * 24 - 1)
    assert max(t for _, t, _ in scores(world)) <= real


def test_a_clock_that_goes_back_or_ahead_leaves_no_gap(world):
    for day in (3, 2.9, 3.2, 4.2):
        world.run(world.day(day))
    source = sqlite3.connect(world.folder / "data.db", isolation_level=None)
    source.execute("CREATE TABLE held AS SELECT * FROM metrics WHERE time > '2026-01-10'")
    source.execute("DELETE FROM metrics WHERE time > '2026-01-10'")  # rows come as time goes, whatever the clock says
    world.run(world.day(40))
    source.execute("INSERT INTO metrics SELECT * FROM held")
    source.close()
    for day in (5, 4.9, 11):
        world.run(world.day(day))

    assert scores(world) == world.expected_scores(world.day(11))


# -- telling ------------------------------------------------------------------------------------------------------------


def test_alerts_arrive_in_order_once_each_with_value_and_expected_value(world):
    for day in range(1, 12):
        world.run(world.day(day))

    told = world.told()
    keys = [message["key"] for message in told]
    assert len(set(keys)) == len(keys) == 24
    assert [key for (key,) in world.ask("SELECT key FROM outbox ORDER BY id")] == keys
    burst = next(m["alerts"][0] for m in told if m["alerts"][0]["series"] == "host-0")
    assert burst["first"] == iso(START + 30 * HOUR)
    assert burst["column"] == "load"
    assert abs(burst["value"] - burst["expected"]) > 20


def test_a_receiver_that_is_away_loses_nothing_and_keeps_the_order(world, tmp_path):
    usual = World.make(tmp_path / "usual")
    for day in range(1, 12):
        usual.run(usual.day(day))
        with patch.object(Lines, "send", side_effect=Temporary("away")) if day % 3 else patch.dict({}):
            world.run(world.day(day))
    world.run(world.day(11))

    assert [m["key"] for m in world.told()] == [m["key"] for m in usual.told()]
    assert world.ask("SELECT COUNT(*) FROM outbox WHERE sent IS NULL") == [(0,)]


def test_a_run_whose_receiver_is_away_says_so_with_75(world):
    with patch.object(Lines, "send", side_effect=Temporary("away")):
        assert world.run(world.day(11)).exit_code == 75


def test_a_message_that_a_receiver_refuses_is_set_aside_after_some_runs(world):
    from tsprune.monitor.errors import Refused

    real = Lines.send

    def picky(self, message):
        if message["alerts"][0]["series"] == "host-0":
            raise Refused("400")
        real(self, message)

    with patch.object(Lines, "send", picky), patch("tsprune.monitor.outbox._TRIES", 2):
        codes = [world.run(world.day(11)).exit_code for _ in range(20)]

    assert codes[0] == 75
    assert codes[-1] == 0
    status = world.job.status(world.day(11))
    assert status.refused > 0
    assert status.pending == 0
    assert {m["alerts"][0]["series"] for m in world.told()} == {"host-1", "host-2"}


def test_a_series_without_rows_is_an_alert_and_its_return_ends_it(tmp_path):
    world = World.make(tmp_path / "w", schedule={"every": "1d", "start": "30d", "missing_after": "1d"})
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("CREATE TABLE held AS SELECT * FROM metrics WHERE host = 'host-1' AND time > '2026-01-10'")
        source.execute("DELETE FROM metrics WHERE host = 'host-1' AND time > '2026-01-10'")
    source.close()
    world.run(world.day(6))
    world.run(world.day(7))
    missing = [event for event in events(world) if event[2] == "missing"]
    assert missing == [("firing", "host-1", "missing")]

    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("INSERT INTO metrics SELECT * FROM held")
    source.close()
    world.run(world.day(8))

    assert [event for event in events(world) if event[2] == "missing"] == [*missing, ("resolved", "host-1", "missing")]
    assert scores(world) == world.expected_scores(world.day(8))


def test_when_the_source_is_away_the_dead_man_speaks_and_waiting_messages_leave(world):
    with patch.object(Lines, "send", side_effect=Temporary("away")):
        world.run(world.day(11))
    with patch.object(Sql, "read", side_effect=Temporary("no route to host")), pytest.raises(Temporary, match="no route"):
        world.run(world.day(30))

    told = events(world)
    assert [event for event in told if event[2] == "missing"][:1] == [("firing", "host-0", "missing")]
    assert len([event for event in told if event[2] == "anomaly"]) == 24


def test_a_job_without_a_single_row_says_3_and_is_missing_as_a_whole(tmp_path):
    world = World.make(tmp_path / "w")
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DELETE FROM metrics")
    source.close()

    assert world.run(world.day(1)).exit_code == 3
    assert world.told() == []
    assert world.run(world.day(5)).exit_code == 3
    assert world.run(world.day(6)).exit_code == 3
    assert [m["alerts"][0]["summary"] for m in world.told()] == [f"all series: no row since {iso(world.day(1))}"]


def test_a_silence_holds_back_what_is_over_before_it_ends_and_tells_the_rest_afterwards(tmp_path):
    short, long = (World.make(tmp_path / cool_down, alert={"cool_down": cool_down}) for cool_down in ("0s", "20d"))
    for world in (short, long):
        world.run(world.day(0.5))
        world.job.silence(4 * DAY, "host-0", since=world.day(1))
        world.run(world.day(1) + 8 * HOUR)  # amid the burst of host-0
        world.run(world.day(2))
        assert "host-0" not in {series for _, series, _ in events(world)}
        world.run(world.day(6))

    assert [event for event in events(short) if event[1] == "host-0"] == []
    assert [event for event in events(long) if event[1] == "host-0"] == [("firing", "host-0", "anomaly")]


def test_an_acknowledged_alert_is_not_told_again(tmp_path):
    world = World.make(tmp_path / "w", alert={"cool_down": "20d", "remind": "1d"})
    world.run(world.day(3))
    world.run(world.day(4))
    reminded = [series for event, series, _ in events(world) if event == "reminder"]
    assert sorted(reminded) == ["host-0", "host-1", "host-2"]
    key = next(m["alerts"][0]["key"] for m in world.told() if m["alerts"][0]["series"] == "host-1")
    assert "acknowledged" in world.job.acknowledge(key[:8], "me")

    world.run(world.day(5))

    reminded = [series for event, series, _ in events(world) if event == "reminder"]
    assert (reminded.count("host-0"), reminded.count("host-1")) == (2, 1)
    assert "[acknowledged: me]" in str(world.job.status(world.day(5)))
    with pytest.raises(BadJob, match="0 alerts"):
        world.job.acknowledge("nosuch")


def test_alerts_of_a_group_leave_in_one_message(tmp_path):
    world = World.make(tmp_path / "w", alert={"group_by": "job"})
    world.values[30:34] += 60.0
    world.fill()
    world.run(world.day(1) + 8 * HOUR)

    assert max(len(message["alerts"]) for message in world.told()) == 3


# -- models -------------------------------------------------------------------------------------------------------------


def test_a_new_model_file_goes_to_work_and_rollback_brings_the_old_one_back(world):
    world.run(world.day(3))
    (world.folder / "m.tsp").write_bytes(model_bytes(4))
    world.run(world.day(4))
    hashes = [row[0] for row in world.ask("SELECT hash FROM models ORDER BY id")]
    assert len(hashes) == 2

    told = world.job.rollback()
    world.run(world.day(5))

    assert hashes[0] in told
    by_model = dict(world.ask("SELECT model, MAX(time) FROM named_scores GROUP BY model"))
    assert by_model[hashes[0]] > by_model[hashes[1]]
    with pytest.raises(BadJob, match="it is the first"):
        world.job.rollback()


def test_a_damaged_model_file_says_4_and_the_dead_man_still_speaks(world):
    world.run(world.day(3))
    (world.folder / "m.tsp").write_bytes(b"tsprune\nrubbish")

    with pytest.raises(BadModelFile):
        world.run(world.day(20))
    assert ("firing", "host-0", "missing") in events(world)


def test_the_threshold_of_the_job_stands_above_the_model_s(tmp_path):
    world = World.make(tmp_path / "w")
    world.configure(model={"file": "m.tsp", "threshold": 10.0})

    assert world.run(world.day(11)).n_alarms == 0


def test_a_budget_of_alarms_sets_the_threshold(world):
    world.configure(model={"file": "m.tsp", "alarms_per_week": 1.0})

    result = world.run(world.day(11))

    alerts = world.ask("SELECT COUNT(*) FROM alerts WHERE kind = 'anomaly'")[0][0]
    assert 1 <= alerts <= 3
    assert result.exit_code == 0


# -- operations ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_leaves_every_byte_as_it_is(world):
    world.run(world.day(3))
    world.job.status(world.day(3))
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in world.folder.iterdir()}

    result = world.run(world.day(11), dry_run=True)

    assert result.n_scored == 8 * 24 * 3
    assert result.alerts
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in world.folder.iterdir()} == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX users and permissions")
def test_a_dry_run_works_in_a_folder_that_cannot_be_written(world):
    world.run(world.day(3))
    world.run(world.day(4), dry_run=True)
    for path in world.folder.iterdir():
        path.chmod(0o444)
    for folder in [world.folder, *world.folder.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o055)
    world.folder.chmod(0o555)

    def as_somebody():
        if os.getuid() == 0:  # nothing is read-only to root
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        assert not os.access(world.folder, os.W_OK)
        return world.run(world.day(11), dry_run=True)

    try:
        assert forked(as_somebody) == 0
    finally:
        world.folder.chmod(0o755)


def test_a_store_of_another_format_and_a_foreign_database_are_refused_by_name(world):
    world.run(world.day(1))
    with sqlite3.connect(world.folder / "job.db") as store:
        store.execute("UPDATE tsprune_format SET number = 99")
    store.close()
    with pytest.raises(BadJob, match="format 99"):
        world.run(world.day(2))

    world.configure(store={"url": "sqlite:///data.db"})
    with pytest.raises(BadJob, match="holds other tables \\(metrics\\)"):
        world.run(world.day(2))


def test_a_damaged_store_is_refused_and_not_written_over(world):
    world.run(world.day(1))
    (world.folder / "job.db").write_bytes(b"not a database" * 1000)

    with pytest.raises(BadJob, match="damaged"):
        world.run(world.day(2))
    assert (world.folder / "job.db").read_bytes().startswith(b"not a database")


def test_what_is_old_goes_and_the_store_stays_small(tmp_path):
    world = World.make(tmp_path / "w", days=40, store={"keep": "5d", "keep_alerts": "10d"})
    sizes = []
    for day in range(1, 40):
        world.run(world.day(day))
        sizes.append(sum(path.stat().st_size for path in world.folder.glob("job.db*")))

    assert world.ask("SELECT MIN(time) FROM scores")[0][0] == START + 34 * DAY
    assert world.ask("SELECT COUNT(*) FROM runs")[0][0] <= 11
    assert sizes[-1] <= 1.3 * sizes[12]


def test_a_clock_far_ahead_does_not_wipe_the_store(world):
    world.run(world.day(11))
    before = world.ledger()["scores"]

    world.run(world.day(20_000))

    assert world.ledger()["scores"] == before


def test_two_runs_at_once_are_locked_and_other_jobs_are_not(world):
    from tsprune.monitor.database import locked

    with locked("sqlite:///job.db", world.folder, "job", 0.0):
        with pytest.raises(Locked, match="at work"):
            world.run(world.day(1))
        world.configure(name="other", store={"url": "sqlite:///job.db"})
        assert world.run(world.day(1)).exit_code == 0


def test_the_log_is_lines_of_json_with_the_run_in_each(world):
    log = io.StringIO()

    result = world.job.run(world.day(3), log=log)

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["run"] for line in lines} == {result.run}
    assert [line["event"] for line in lines] == ["run begins", "model at work", "run ends"]


def test_status_tells_success_lag_rows_alarms_model_and_drift(world):
    for day in range(1, 12):
        world.run(world.day(day))

    status = world.job.status(world.day(11))

    facts = json.loads(status.to_json())
    assert facts["lag_seconds"] == 1800
    assert facts["series"] == 3
    assert facts["rows_scored_in_a_day"] == 72
    assert facts["last_run"]["exit_code"] == 0
    assert facts["model"]["origin"] == "file"
    assert "not judged before two weeks" in str(status)
    assert "<script" not in status.to_html()


def test_the_text_file_has_the_metrics_that_others_expect(world):
    world.run(world.day(11))

    text = (world.folder / "job.prom").read_text()

    for name in ("last_success_timestamp_seconds", "duration_seconds", "rows_scored", "anomalies", "data_lag_seconds", "exit_code"):
        assert f'\ntsprune_{name}{{tsprune_job="job"}} ' in text
    assert list(world.folder.glob(".job.prom.*")) == []


# -- the command line ---------------------------------------------------------------------------------------------------


def _environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PYTHONDONTWRITEBYTECODE": "1"}


def tsprune(*arguments):
    """The command line in this process: exit code."""
    from tsprune.cli import main

    return main([str(argument) for argument in arguments])


def test_exit_codes_are_those_that_schedulers_know(world, capsys, tmp_path):
    job = world.folder / "job.toml"

    assert tsprune("job", "check", job) == 0
    assert tsprune("run", job, "--as-of", iso(world.day(11))) == 0
    assert tsprune("run", job, "--as-of", iso(world.day(11)), "--fail-on-anomaly") == 0  # nothing new
    (tmp_path / "b").mkdir()
    other = World.make(tmp_path / "b" / "w")
    assert tsprune("run", other.folder / "job.toml", "--as-of", iso(other.day(11)), "--fail-on-anomaly") == 1
    assert tsprune("run", world.folder / "nosuch.toml") == 2
    assert tsprune("run", job, "--as-of", "yesterday") == 2
    assert tsprune("run", job, "--as-of", iso(world.day(50))) == 3
    (world.folder / "m.tsp").write_bytes(b"?")
    assert tsprune("run", job, "--as-of", iso(world.day(12))) == 4
    capsys.readouterr()


def test_init_check_status_silence_ack_and_rollback_work_from_the_shell(world, tmp_path, capsys):
    job = world.folder / "job.toml"
    assert tsprune("job", "init", tmp_path / "my job.toml") == 0
    assert Job.load(tmp_path / "my job.toml").config.name == "my-job"
    assert tsprune("job", "init", tmp_path / "my job.toml") == 2
    tsprune("run", job, "--as-of", iso(world.day(11)))
    capsys.readouterr()

    assert tsprune("status", job) == 0
    assert "last success" in capsys.readouterr().out
    assert tsprune("status", job, "--json") == 0
    assert json.loads(capsys.readouterr().out)["job"] == "job"
    assert tsprune("status", job, "--html", tmp_path / "s.html") == 0
    assert tsprune("silence", job, "--series", "host-*", "--for", "2h") == 0
    assert tsprune("silence", job, "--series", "host-*", "--end") == 0
    key = world.told()[0]["alerts"][0]["key"]
    assert tsprune("ack", job, key) == 0
    assert tsprune("rollback", job) == 2
    assert "it is the first" in capsys.readouterr().err


def test_an_error_of_our_own_is_no_alarm(world, capsys):
    with patch("tsprune.monitor.run.Stepper.step", side_effect=ZeroDivisionError("oops")):
        code = tsprune("run", world.folder / "job.toml", "--as-of", iso(world.day(3)))

    assert code == 75
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert world.ask("SELECT exit_code, note FROM runs") == [(75, "oops")]


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.06])
def test_a_signal_ends_a_run_within_two_seconds_and_the_next_goes_on(tmp_path, moment):
    world = World.make(tmp_path / "w")
    undisturbed = World.make(tmp_path / "u")
    code = (
        "import sys; from tsprune.monitor import sweep; sweep._FEWEST, sweep._ROWS = 12, 0\n"
        "from tsprune.cli import main; import tsprune.monitor.job; print('ready', flush=True); sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["run", str(world.folder / "job.toml"), "--as-of", iso(world.day(11))]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment())
    process.stdout.readline()
    while process.poll() is None and b'"run begins"' not in process.stderr.readline():
        pass
    time.sleep(moment)
    began = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)

    busy = os.getloadavg()[0] > 2 * (os.cpu_count() or 1)  # then nothing comes in time
    assert time.perf_counter() - began < (10.0 if busy else 2.0)
    assert process.returncode in (0, 75)
    if process.returncode == 75:
        assert world.ask("SELECT exit_code, note FROM runs") == [(75, "stopped by SIGTERM")]
    world.run(world.day(11))
    undisturbed.run(undisturbed.day(11))
    assert world.ledger() == undisturbed.ledger()


def test_a_scheduled_run_loads_neither_pandas_nor_scikit_learn(world):
    code = "import sys; from tsprune.cli import main; main(sys.argv[1:]); print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    arguments = ["run", str(world.folder / "job.toml"), "--as-of", iso(world.day(11))]

    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=_environment(), check=True)

    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"numpy", "sqlite3"} <= loaded
    assert not loaded & {"pandas", "sklearn", "scipy", "statsmodels", "pyod", "numba", "sqlalchemy", "http", "ssl"}
