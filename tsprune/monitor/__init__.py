"""Scheduled monitoring that loses nothing: a job file, a store, alerts that arrive.

A run of a saved model loads numpy and the standard library; pandas, SQLAlchemy and scikit-learn are loaded by the sources,
stores and refits that need them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsprune.monitor.errors import BadJob, Locked, Temporary
    from tsprune.monitor.job import Job
    from tsprune.monitor.run import RunResult
    from tsprune.monitor.status import Status

__all__ = ["BadJob", "Job", "Locked", "RunResult", "Status", "Temporary"]

_HOMES = {"BadJob": "errors", "Job": "job", "Locked": "errors", "RunResult": "run", "Status": "status", "Temporary": "errors"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tsprune.monitor' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tsprune.monitor.{_HOMES[name]}"), name)
