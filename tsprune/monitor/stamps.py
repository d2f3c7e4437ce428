"""How times stand in a source, as numbers, texts or timestamps, and how to ask the source for some of them.

Everything behind this module works on nanoseconds since 1970 in UTC.  Texts and timestamps without a zone are read as the
wall clock of the source's zone, where an hour of autumn comes twice and one of spring never.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from tsprune.errors import BadSeries
from tsprune.monitor.errors import BadJob
from tsprune.monitor.moments import DAY, HOUR, SECOND, nanoseconds
from tsprune.monitor.wall import WallClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.types import Ints

#: Numbers below each bound are of that unit: 1e11 s would be the year 5138.
_EPOCH = ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3), (np.inf, 1))

#: What stands for a time that cannot be read.
UNREADABLE = np.iinfo(np.int64).min

#: How texts say that they are UTC.
_UTC_TAILS = ("Z", "+00:00", "+0000", "+00")
_OFFSET = re.compile(r"[+-]\d\d(?::?\d\d)*$")


@dataclass(frozen=True)
class Stamps:
    """The style of a column of times, learned from one of its values."""

    kind: str  # "number", "text", "stamp" (with a zone), "naive" (without one)
    unit: int = 1  # nanoseconds of one, for numbers
    wall: WallClock | None = None  # of texts and timestamps without a zone; None for UTC
    offsets: bool = False  # whether texts carry offsets: then their letters are not in the order of time

    @classmethod
    def like(cls, value: Any, zone: str) -> Stamps:
        """The style of a value.

        Raises
        ------
        BadSeries
            If it is no number, text or timestamp.
        """
        wall = None if zone.upper() == "UTC" else WallClock(zone_of(zone))
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return cls("number", next(unit for bound, unit in _EPOCH if abs(float(value)) < bound))
        if isinstance(value, str):
            offset = _OFFSET.search(value.strip(), 11)
            return cls("text", wall=wall, offsets=offset is not None and offset[0] not in _UTC_TAILS)
        if isinstance(value, datetime):
            return cls("stamp") if value.tzinfo else cls("naive", wall=wall)
        if isinstance(value, date):
            return cls("naive", wall=wall)
        raise BadSeries(
            f"a time of the source is {value!r}, a {type(value).__name__}; it is a number since 1970, an ISO text, or a timestamp."
        )

    def parse(self, values: Sequence[Any], code: Ints, step: int, origin: int) -> Ints:
        """Nanoseconds of the values, shape (n,); UNREADABLE where one cannot be read.

        Parameters
        ----------
        values : sequence
            As the source gave them.
        code : ndarray of int, shape (n,)
            The series of each row: an hour that a clock shows twice is resolved within one series.
        step, origin : int
            The model's clock: it tells which pass of the hour fits.
        """
        if self.kind == "number":
            return _numbers(values, self.unit)
        stamps, naive = _texts(values) if self.kind == "text" else _datetimes(values)
        if self.wall is not None and naive.any():
            stamps[naive] = self.wall.to_utc(stamps[naive], code[naive], step, origin)
        return stamps

    def bounds(self, since: int, until: int) -> tuple[Any, Any]:
        """Two values in the source's own style that no row of the span lies outside of; some rows of others may lie inside."""
        if self.kind == "number":
            return since // self.unit, -(-until // self.unit)
        if self.kind == "stamp":
            return _datetime(since), _datetime(until + 1000)
        slack = self._slack
        if self.kind == "naive":
            return self._local(since - slack), self._local(until + slack + 1000)
        # Texts are compared letter by letter: ' ' sorts before 'T', and '~' behind every digit and letter.
        low, high = self._local(since - slack), self._local(until + slack)
        start = low.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00").removesuffix(" 00:00")  # the shortest way to write it
        return start, high.strftime("%Y-%m-%dT%H:%M:%S") + "~"

    def hole(self, since: int) -> tuple[str, str] | None:
        """Texts between two, the second one left out, are too early as well: those with a T, of the day on which a span begins."""
        if self.kind != "text":
            return None
        low = self._local(since - self._slack)
        return low.strftime("%Y-%m-%dT"), low.strftime("%Y-%m-%dT%H:%M:%S").removesuffix(":00").removesuffix("00:00")

    @property
    def _slack(self) -> int:
        """How far a text or a timestamp without a zone may be from its place in time."""
        return DAY if self.offsets else 0 if self.wall is None else 3 * HOUR

    def _local(self, moment: int) -> datetime:
        stamp = _datetime(moment)
        return stamp.replace(tzinfo=None) if self.wall is None else stamp.astimezone(self.wall.zone).replace(tzinfo=None)


def zone_of(name: str) -> ZoneInfo:
    """A zone by its name, or BadJob."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadJob(f"zone is {name!r}; it is a name such as 'Europe/Berlin' or 'UTC'.") from error


def _datetime(moment: int) -> datetime:
    """A time as a datetime, rounded down to its microsecond; beyond the calendar its end."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment // 1000)
    except OverflowError:
        return datetime(2, 1, 1, tzinfo=UTC) if moment < 0 else datetime(9998, 1, 1, tzinfo=UTC)


def _numbers(values: Sequence[Any], unit: int) -> Ints:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            array = np.array([float(value) if value is not None else np.nan for value in values])
    except (ValueError, TypeError):
        array = np.array([_number(value) for value in values])
    if array.dtype.kind in "iu":
        return array.astype(np.int64) * unit
    fine = np.isfinite(array) & (np.abs(array) * unit < 9.2e18)
    whole = np.floor(np.where(fine, array, 0.0))
    moments = whole.astype(np.int64) * unit + np.rint((np.where(fine, array, 0.0) - whole) * unit).astype(np.int64)
    if unit == SECOND:  # a float of seconds is good to a microsecond
        moments = (moments + 500) // 1000 * 1000
    return np.where(fine, moments, UNREADABLE)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError):
        return np.nan


def _texts(values: Sequence[Any]) -> tuple[Ints, np.ndarray]:
    """Nanoseconds, and which of them carry no zone; texts of one plain form are read all at once."""
    texts = [value if isinstance(value, str) else "" for value in values]
    place = {text: k for k, text in enumerate(dict.fromkeys(texts))}  # the series of a fleet have their times in common
    moments, naive = _distinct([text.strip() for text in place])
    at = np.fromiter(map(place.__getitem__, texts), np.int64, len(texts))
    return moments[at], naive[at]


def _distinct(texts: Sequence[str]) -> tuple[Ints, np.ndarray]:
    together, n = "".join(texts), len(texts)
    tail = next((tail for tail in _UTC_TAILS if together.count(tail) == n), "")
    if together.count("-") == 2 * n and ("+" in together) == ("+" in tail) and min(map(len, texts), default=0) >= 10:
        plain = [text.removesuffix(tail) for text in texts] if tail else texts
        try:
            return np.array(plain, dtype="datetime64[ns]").astype(np.int64), np.full(n, not tail)
        except (ValueError, Warning):
            pass  # one of them is of another form: each by itself
    read = [_text(text) for text in texts]
    return np.array([moment for moment, _ in read], dtype=np.int64), np.array([naive for _, naive in read], dtype=bool)


def _text(text: str) -> tuple[int, bool]:
    try:
        return _stamp(datetime.fromisoformat(text))
    except ValueError:
        return UNREADABLE, False


def _datetimes(values: Sequence[Any]) -> tuple[Ints, np.ndarray]:
    read = [_stamp(value) for value in values]
    return np.array([moment for moment, _ in read], dtype=np.int64), np.array([naive for _, naive in read], dtype=bool)


def _stamp(value: Any) -> tuple[int, bool]:
    if isinstance(value, datetime):
        return nanoseconds(value if value.tzinfo else value.replace(tzinfo=UTC)), value.tzinfo is None
    if isinstance(value, date):
        return nanoseconds(datetime(value.year, value.month, value.day, tzinfo=UTC)), True
    return UNREADABLE, False
