"""Where the shared data and golden values lie, if they lie anywhere: tests that need them skip by name without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(os.environ.get("TSPRUNE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared(relative: str) -> Path:
    """The path of a shared file, or a skip that names it."""
    path = _ROOT / relative
    if not path.exists():
        pytest.skip(f"needs the shared file {relative} (set TSPRUNE_SHARED to the folder that holds it)")
    return path
