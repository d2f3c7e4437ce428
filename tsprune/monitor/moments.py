"""Times and durations as people write them, and as nanoseconds since 1970."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import numpy as np

from tsprune.errors import BadParameter
from tsprune.model.clock import NANOSECONDS

SECOND, HOUR, DAY = NANOSECONDS["s"], NANOSECONDS["h"], NANOSECONDS["D"]

_UNITS = {"s": SECOND, "min": NANOSECONDS["min"], "h": HOUR, "d": DAY, "w": NANOSECONDS["W"]}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|h|d|w)")


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as "90s", "15min", "1.5h", "7d" or "2w".

    >>> from tsprune.monitor.moments import parse_duration
    >>> parse_duration("15min") // 10**9
    900
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise BadParameter(f"{text!r} is no duration; it is a number and one of s, min, h, d, w, such as '15min'.")
    return round(float(match[1]) * _UNITS[match[2]])


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of an ISO time; one without a zone is UTC.

    >>> from tsprune.monitor.moments import parse_time
    >>> parse_time("2026-01-01T01:00:00+01:00") == parse_time("2026-01-01")
    True
    """
    try:
        stamp = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadParameter(f"{text!r} is no time; write it as 2026-01-31T12:00:00Z.") from error
    return nanoseconds(stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC))


def nanoseconds(stamp: datetime) -> int:
    """Nanoseconds since 1970 of a datetime with a zone, exact to its microsecond."""
    since = stamp - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86400 + since.seconds) * 10**6 + since.microseconds) * 1000


def iso(moment: int) -> str:
    """A time as ISO text in UTC, without a fraction where there is none.

    >>> from tsprune.monitor.moments import iso
    >>> iso(0), iso(1_500_000_000)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.5Z')
    """
    whole, _, fraction = str(np.datetime64(int(moment), "ns")).partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def spoken(duration: int) -> str:
    """A duration for people: its two largest units.

    >>> from tsprune.monitor.moments import spoken
    >>> spoken(93_784 * 10**9), spoken(0)
    ('1 d 2 h', '0 s')
    """
    left, told = abs(int(duration)) // SECOND, []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            told.append(f"{count} {unit}")
    return ("-" if duration < 0 else "") + (" ".join(told[:2]) or "0 s")


def now() -> int:
    """The system clock."""
    return time.time_ns()
