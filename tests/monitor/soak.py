"""Thousands of hourly runs in simulated time, a share of which goes wrong in one way or another; and what must be true at the end."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from monitor.world import START, World, daily

from tsprune.errors import TsPruneError
from tsprune.monitor.database import Sqlite
from tsprune.monitor.errors import Stopped, Temporary
from tsprune.monitor.moments import DAY, HOUR
from tsprune.monitor.sinks import Lines
from tsprune.monitor.sql import Sql

#: What can go wrong in a run.
FAULTS = ("source", "sink", "disk", "stopped", "clock")


@dataclass
class Soak:
    """What so many runs have left."""

    runs: int = 0
    faults: int = 0
    wrong_scores: int = 0  # rows whose score is not the model's own on the whole record, or that are missing, or too many
    wrong_alerts: int = 0  # alerts that a plain pass over the record does not find, or finds besides
    untold: int = 0  # alerts that the receiver never heard of
    retold: int = 0  # messages that it got twice, with the same key
    bytes_half: int = 0  # size of the store half-way, and at the end
    bytes_end: int = 0
    memory_half: int = 0  # largest resident kB up to there
    memory_end: int = 0
    files_half: int = 0  # open files
    files_end: int = 0


def soak(folder: Path, runs: int, *, share: float = 0.05, seed: int = 0, keep: str = "30d", **sections: Any) -> Soak:
    """Run a job every hour; rows come up to three hours late."""
    rng = np.random.default_rng(seed)
    hours = runs + 48
    world = World.make(
        folder,
        n_series=2,
        days=4,
        schedule={"every": "1h", "start": "1d", "late": "4h", "missing_after": "2d"},
        store={"keep": keep, "keep_alerts": keep},
        **sections,
    )
    world.time = START + HOUR * np.arange(hours)
    world.values = np.column_stack([daily(world.time, 10 + i) for i in range(2)])
    hit = rng.random((hours, 2)) < 0.01
    world.values[hit] += rng.choice([-60.0, 60.0], size=int(hit.sum()))
    arrives = world.time[:, None] + np.where(rng.random((hours, 2)) < 0.1, rng.integers(0, 3 * HOUR, (hours, 2)), 0)
    done, heard = Soak(), {}
    source = sqlite3.connect(folder / "data.db", isolation_level=None)
    source.execute("DELETE FROM metrics")
    source.execute("CREATE INDEX by_time ON metrics (time)")
    for number in range(runs):
        as_of = START + DAY + number * HOUR + HOUR // 2
        _arrive(source, world, arrives, as_of - HOUR if number else 0, as_of)
        last = number == runs - 1
        fault = str(rng.choice(FAULTS)) if rng.random() < share and not last else ""
        with _broken(fault, int(rng.integers(1, 12))), suppress(TsPruneError, Stopped):
            world.run(as_of - HOUR if fault == "clock" else as_of)
        done.runs, done.faults = done.runs + 1, done.faults + bool(fault)
        if number % 48 == 47 or last:  # before any of them goes
            heard |= {row[0]: row for row in world.ask(_ALERTS)}
        if number == runs // 2:
            done.bytes_half, done.memory_half, done.files_half = _size(world), _memory(), _files()
    source.close()
    done.bytes_end, done.memory_end, done.files_end = _size(world), _memory(), _files()
    _judge(done, world, heard, as_of, int(keep.removesuffix("d")) * DAY)
    return done


_ALERTS = "SELECT key, name, first, last, n_rows, state FROM alerts JOIN series ON series.id = alerts.series WHERE kind = 'anomaly'"


def _arrive(source: sqlite3.Connection, world: World, arrives: Any, since: int, until: int) -> None:
    hour, series = np.nonzero((arrives > since) & (arrives <= until))
    stamps = [str(np.datetime64(int(t), "ns").astype("datetime64[s]")) for t in world.time[hour]]
    rows = zip(stamps, (world.names[i] for i in series), world.values[hour, series].tolist(), strict=True)
    source.execute("BEGIN")
    source.executemany("INSERT INTO metrics VALUES (?, ?, ?)", rows)
    source.execute("COMMIT")


def _broken(fault: str, at: int) -> AbstractContextManager[Any]:
    """One thing that does not work, or works only so often."""
    if fault == "source":
        return patch.object(Sql, "read", side_effect=Temporary("the source is away"))
    if fault == "sink":
        return patch.object(Lines, "send", side_effect=Temporary("the receiver is away"))
    if fault in ("disk", "stopped"):
        error = Temporary("the disk is full") if fault == "disk" else Stopped("stopped by SIGTERM")
        return patch.object(Sqlite, "write", _failing_at(at, error))
    return nullcontext()


def _failing_at(at: int, error: BaseException) -> Any:
    real, left = Sqlite.write, iter(range(1, 10**9))

    def write(self: Sqlite, sql: str, rows: Any = ((),)) -> None:
        if next(left) >= at:
            raise error
        real(self, sql, rows)

    return write


def _judge(done: Soak, world: World, heard: dict[str, Any], as_of: int, keep: int) -> None:
    expected = world.expected_scores(as_of - 4 * HOUR)  # what came after may not be all there yet
    first = max(as_of // DAY * DAY - keep, START + HOUR // 2 + 1)
    kept = world.ask("SELECT series, time, score FROM named_scores WHERE time <= ?", (as_of - 4 * HOUR,))
    held, wanted = {(s, t): score for s, t, score in kept}, {(s, t): score for s, t, score in expected if t >= first}
    done.wrong_scores = sum(held.get(row, "none") != score for row, score in wanted.items())
    done.wrong_scores += len([row for row in held if row not in wanted])
    found = {(name, first, last, n) for _, name, first, last, n, state in heard.values() if state != "withdrawn"}
    plain = set(_episodes(expected, world))
    done.wrong_alerts = len({alert for alert in found ^ plain if alert[2] < as_of - 8 * HOUR})
    messages = world.told()
    told = {alert["key"] for message in messages for alert in message["alerts"]}
    done.retold = len(messages) - len({message["key"] for message in messages})
    done.untold = len({key for key, *_, state in heard.values() if state != "withdrawn"} - told)


def _episodes(expected: list[tuple[str, int, float | None]], world: World) -> Iterator[tuple[str, int, int, int]]:
    """Runs of rows above the threshold, one series after the other."""
    from tsprune.model import file

    model: Any = file.from_bytes((world.folder / "m.tsp").read_bytes())
    name, alarms = "", []
    for series, time, score in [*expected, ("", 0, None)]:
        alarm = score is not None and score > model.threshold and time > START + HOUR // 2
        if alarms and (series != name or (score is not None and not alarm)):
            yield (name, alarms[0], alarms[-1], len(alarms))
            alarms = []
        name = series
        if alarm:
            alarms.append(time)


def _size(world: World) -> int:
    return sum(path.stat().st_size for path in world.folder.glob("job.db*"))


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
