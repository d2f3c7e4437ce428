"""Scheduled monitoring that loses nothing: a job file, a store, alerts that arrive.

A run of a saved model loads numpy and the standard library; pandas, SQLAlchemy and scikit-learn are loaded by the sources,
stores and refits that need them.
"""

from tsprune.monitor.errors import BadJob, Locked, Temporary
from tsprune.monitor.job import Job
from tsprune.monitor.run import RunResult
from tsprune.monitor.status import Status

__all__ = ["BadJob", "Job", "Locked", "RunResult", "Status", "Temporary"]
