"""What can go wrong in a run, and what its exit code tells a scheduler.

    TsPruneError
    ├── BadJob      (also BadParameter)   the job file, or what it names                  2
    ├── Locked      (also RuntimeError)   another run of the same job is at work          5
    └── Temporary   (also RuntimeError)   a disk, a server, a signal: the next run heals  75

Besides: 3 for data that are empty or stale (BadSeries), 4 for a model that cannot be loaded (BadModelFile).
"""

from __future__ import annotations

from tsprune.errors import BadModelFile, BadParameter, BadSeries, TsPruneError

OK, FOUND, USAGE, UNFIT, INVALID, LOCKED, RETRY = 0, 1, 2, 3, 4, 5, 75


class BadJob(BadParameter):
    """The job file is wrong, or names something that is not there."""


class Locked(TsPruneError, RuntimeError):
    """Another run of the same job is at work."""


class Temporary(TsPruneError, RuntimeError):
    """Nothing is wrong with the job: a disk is full, a server is down, a signal came.  The next run goes on from here."""


class Refused(Temporary):
    """A server understood the request and will not take it (4xx): trying again changes nothing."""


class Stopped(BaseException):
    """SIGTERM came; not an Exception, so that nothing on the way up takes it for a failure of its own."""


def exit_code(error: BaseException) -> int:
    """The exit code of a run that ended with this error.

    >>> from tsprune.monitor.errors import Locked, exit_code
    >>> exit_code(Locked("another run is at work")), exit_code(OSError("disk full"))
    (5, 75)
    """
    codes = ((BadModelFile, INVALID), (BadSeries, UNFIT), (Locked, LOCKED), (Temporary, RETRY), (TsPruneError, USAGE))
    known = next((code for kind, code in codes if isinstance(error, kind)), None)
    return RETRY if known is None else known
