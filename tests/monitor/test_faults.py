"""Nothing is lost: killed, started eight times at once, out of disk, and run through weeks in which things go wrong.

The same experiments with larger numbers: `python -m benchmarks faults`.
"""

from __future__ import annotations

import os

import pytest
from monitor import faults, soak
from monitor.world import model_bytes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def test_thirty_kills_at_random_moments_lose_and_double_nothing(tmp_path):
    loss = faults.kills(tmp_path, 30, days=(4, 8, 12))

    assert loss.faults >= 30
    assert loss.nothing, loss


def test_of_eight_runs_at_once_one_works_at_a_time_and_a_killed_one_blocks_nobody(tmp_path):
    seen, loss = faults.crowd(tmp_path, processes=8, rounds=5)

    assert (seen.overlaps, seen.stuck) == (0, 0), seen
    assert seen.worked + seen.locked + seen.killed == 40
    assert seen.locked > 0
    assert loss.nothing, loss


def test_every_write_may_fail_and_the_old_state_stands_the_run_says_so_and_the_next_one_heals(tmp_path):
    found = faults.disk(tmp_path, model_bytes(), stride=6)
    if found is None:
        pytest.skip("needs Linux and a C compiler, to let writes fail")
    positions, loss = found

    assert positions > 50
    assert loss.faults > positions
    assert loss.nothing, loss


def test_a_week_of_hourly_runs_with_faults_come_to_what_the_model_says(tmp_path):
    done = soak.soak(tmp_path, 168, share=0.2, keep="3d")

    assert done.faults > 20
    assert (done.wrong_scores, done.wrong_alerts, done.untold) == (0, 0, 0)
    assert done.retold <= done.faults
    assert done.bytes_end < 1.5 * done.bytes_half
    assert done.files_end <= done.files_half
