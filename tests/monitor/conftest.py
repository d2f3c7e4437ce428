"""A world per test."""

from __future__ import annotations

import pytest
from monitor.world import World


@pytest.fixture
def world(tmp_path):
    """Three hourly series, a pruned model, a job that runs daily."""
    return World.make(tmp_path / "world")
