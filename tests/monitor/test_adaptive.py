"""A model that has become stale is noticed, a better one takes its place, a worse one does not, and the old one stays at hand."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from monitor.world import START, World, daily, model_bytes

from tsprune.monitor.drift import REFERENCE
from tsprune.monitor.models import loaded
from tsprune.monitor.moments import DAY, HOUR, SECOND
from tsprune.monitor.refit import held_back, judge
from tsprune.monitor.sections import Refit

STEPS = ["deseason", {"use": "windows", "length": 3}, {"use": "iforest", "keep": 0.2}]


def make(tmp_path, change, *, days=60, **sections):
    """One series whose values are changed from day 30 on; run weekly up to the end."""
    world = World.make(tmp_path / "w", n_series=1, schedule={"every": "1d", "start": "5d"}, **sections)
    world.time = START + HOUR * np.arange(24 * days)
    values = daily(world.time, 3)
    world.values = np.where(world.time < START + 30 * DAY, values, change(world.time, values))[:, None]
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DELETE FROM metrics")
    source.close()
    world.fill()
    return world


def evidence(world, day):
    return {drift.measure: drift.evidence for drift in world.job.status(world.day(day)).drift}


def run_to(world, day, every=3):
    for moment in range(3, day + 1, every):
        world.run(world.day(moment))


def test_usual_days_are_no_drift(tmp_path):
    world = make(tmp_path, lambda time, values: values)

    run_to(world, 57)

    assert set(evidence(world, 57)) == {"inputs", "spread", "scores", "alarms"}
    assert max(evidence(world, 57).values()) < 1.0


def test_nothing_is_judged_before_two_weeks_at_work(tmp_path):
    world = make(tmp_path, lambda time, values: values + 100.0)

    run_to(world, REFERENCE - 2)

    assert evidence(world, REFERENCE - 2) == {}


@pytest.mark.parametrize(
    ("change", "measure"),
    [
        (lambda time, values: values + 8.0, "inputs"),
        (lambda time, values: 50.0 + 3.0 * (values - 50.0), "spread"),
        (lambda time, values: values + 3.0 * np.random.default_rng(1).normal(size=len(values)), "scores"),
    ],
)
def test_a_level_an_amplitude_or_a_noise_that_has_changed_is_a_drift(tmp_path, change, measure):
    world = make(tmp_path, change)
    run_to(world, 57)

    found = {drift.measure: drift for drift in world.job.status(world.day(57)).drift}

    assert found[measure].found
    assert abs(found[measure].since - (START + 30 * DAY)) <= 3 * DAY
    assert f"{measure}: " in str(world.job.status(world.day(57)))


def test_a_day_of_outliers_is_no_drift(tmp_path):
    world = make(tmp_path, lambda time, values: values + 500.0 * (time < START + 31 * DAY))

    run_to(world, 57)

    assert max(evidence(world, 57).values()) < 1.0


@pytest.mark.parametrize("direction", ["spring", "autumn"])
def test_a_seasonal_pattern_that_moves_with_the_clocks_is_no_drift(tmp_path, direction):
    """The pattern follows people, the model learned it in UTC: one hour off, half of the year."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 2, 26, tzinfo=zone) if direction == "spring" else datetime(2026, 9, 22, tzinfo=zone)
    begin = int(start.timestamp()) // 86400 * 86400 * SECOND
    world = World.make(tmp_path / "w", n_series=1, schedule={"every": "1d", "start": "5d"})
    world.time = begin + HOUR * np.arange(24 * 60)
    offset = np.array([datetime.fromtimestamp(t // SECOND, zone).utcoffset().total_seconds() for t in world.time.tolist()])
    moved = (world.time + (offset - offset[0]) * SECOND).astype(np.int64)
    rng = np.random.default_rng(5)
    world.values = (50.0 + 20.0 * np.sin(2 * np.pi * (moved % DAY) / DAY) + rng.normal(size=len(moved)))[:, None]
    assert offset[0] != offset[-1]
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DELETE FROM metrics")
    source.close()
    world.fill()
    for day in range(3, 60, 3):
        world.run(begin + day * DAY + HOUR // 2)

    found = {drift.measure: drift for drift in world.job.status(begin + 58 * DAY).drift}

    assert not found["inputs"].found


def refitting(policy, **more):
    return {
        "model": {"file": "m.tsp", "steps": STEPS, "history": "40d"},
        "refit": {"policy": policy, "every": "7d", "recent": "14d", **more},
    }


def test_after_a_drift_a_new_model_is_learned_judged_beside_the_old_one_and_put_to_work(tmp_path):
    world = make(tmp_path, lambda time, values: values + 8.0, days=75, **refitting("drift"))
    (world.folder / "m.tsp").write_bytes(model_bytes())
    run_to(world, 72)

    models = world.ask("SELECT origin, verdict, previous FROM models ORDER BY id")
    assert models[0][0] == "file"
    assert models[-1][0] == "refit"
    assert models[-1][1].startswith("accepted: alarm rows")
    alarms = world.ask(
        "SELECT SUM(n_alarms) * 1.0 / SUM(n_rows) FROM days WHERE day > ? GROUP BY model ORDER BY model", (START // DAY + 30,)
    )
    assert alarms[-1][0] < 0.3 * alarms[0][0]
    old = world.ask("SELECT model FROM jobs")[0][0]
    assert "gives way to" in world.job.rollback()
    assert world.ask("SELECT model FROM jobs")[0][0] == world.ask(f"SELECT previous FROM models WHERE id = {old}")[0][0]


def test_a_worse_model_is_refused_and_the_old_one_stays(tmp_path):
    world = make(tmp_path, lambda time, values: values, **refitting("every", quality_loss=0.0, every="30d"))
    world.configure(
        **{
            **world.tables,
            "model": {
                **world.tables["model"],
                "steps": [{"use": "windows", "length": 2}, {"use": "iforest", "keep": 0.01}],
            },
        }
    )
    run_to(world, 54)

    status = world.job.status(world.day(54))

    assert world.ask("SELECT COUNT(*) FROM models") == [(1,)]
    assert status.model_origin == "file"
    assert world.ask("SELECT tried FROM jobs")[0][0] is not None


def test_without_a_model_file_the_first_run_learns_one(tmp_path):
    source = {"kind": "sql", "url": "sqlite:///data.db", "table": "metrics", "values": ["load"]}
    world = make(tmp_path, lambda time, values: values, source=source, model={"steps": STEPS, "history": "30d"})

    result = world.run(world.day(40))

    assert result.n_scored > 100
    assert world.ask("SELECT origin, verdict FROM models")[0] == ("refit", "the first, learned from 720 rows")


def test_the_evidence_falls_again_when_what_was_strange_has_passed(tmp_path):
    world = make(tmp_path, lambda time, values: values + 8.0 * (time < START + 33 * DAY), days=75)
    run_to(world, 36)
    high = evidence(world, 36)["inputs"]

    run_to(world, 72)

    assert high > 0.2
    assert evidence(world, 72)["inputs"] < high


def test_a_refit_is_judged_by_the_alarms_that_the_job_would_raise():
    time = START + HOUR * np.arange(24 * 40)
    frame = pd.DataFrame({"load": daily(time, 0) + 8.0 * (time > START + 20 * DAY)}, index=pd.DatetimeIndex(time, tz="UTC"))
    held = held_back(time, int(time[-1]), 14 * DAY)
    model = loaded(model_bytes(recalibrate=120), since=0, origin="file")
    whole = model.model.detect(frame.to_numpy(), time)

    verdict = judge(model, model, frame, held, Refit())

    assert f"alarm rows {whole[held].mean():.3%} -> {whole[held].mean():.3%}" in verdict.why
    assert whole[held].mean() < 0.2
