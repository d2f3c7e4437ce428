"""What a fleet knows of one series (hundreds of bytes), and what all series share (one detector, or a few)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tsprune.errors import BadModelFile, BadParameter
from tsprune.model.adapted import AdaptedSeason
from tsprune.model.chain import Detector, Model
from tsprune.model.clock import Clock
from tsprune.model.columns import Columns
from tsprune.model.difference import Difference
from tsprune.model.level import Level
from tsprune.model.part import Part, Spec, read
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother
from tsprune.model.trend import BlockTrend
from tsprune.model.windows import WindowMatrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsprune.types import AnyArray, Floats, Json, Matrix

#: Clocks of a fleet at the most: each takes 24 bytes of a file, and some 300 in memory.
MOST_CLOCKS = 1 << 16
#: Parts that a series may have of its own: each treats columns independently.
OWN = (SeasonProfile, AdaptedSeason, BlockTrend, Smoother, Difference)


@dataclass(frozen=True)
class Member(Part):
    """The facts of one series: its season and trend, its level and scale, its threshold.

    Parameters
    ----------
    clock : int
        Which of the fleet's clocks gives its rows their slots.
    detector : int
        Which of the fleet's detectors scores it.
    rows : int
        Values that were learned from.
    threshold : float
        A score above it is an alarm.
    centre, scale : ndarray, shape (channels,)
        Subtracted from, then dividing, what comes out of the stages: behind it all series look alike.
    stages : tuple of Part
        Signal parts of this series alone.
    """

    clock: int
    detector: int
    rows: int
    threshold: float
    centre: Floats
    scale: Floats
    stages: tuple[Part, ...]

    @property
    def n_features(self) -> int:
        return 1

    @property
    def n_out(self) -> int:
        """Number of channels."""
        return len(self.centre)

    @property
    def lookback(self) -> int:
        return sum(part.lookback for part in self.stages)

    @property
    def min_lookback(self) -> int:
        return sum(part.min_lookback for part in self.stages)

    def check(self) -> None:
        if min(self.clock, self.detector, self.rows) < 0 or not len(self.centre) == len(self.scale) > 0 or self.scale.min() <= 0.0:
            raise ValueError("the scale of a series is out of range")
        width = 1
        for part in self.stages:
            if not isinstance(part, OWN) or part.n_features != width:
                raise ValueError(f"a series has {type(part).__name__} where {width} column(s) come in")
            width = part.n_out
        if width != len(self.centre) or self.lookback > 2**40:
            raise ValueError("the stages of a series do not fit its scale")

    def to_spec(self) -> Spec:
        facts: dict[str, Json] = {name: getattr(self, name) for name in _FACTS}
        return Spec("Member", facts, {"centre": self.centre, "scale": self.scale}, tuple(part.to_spec() for part in self.stages))

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        if set(facts) != set(_FACTS) or set(arrays) != {"centre", "scale"}:
            raise BadModelFile("the facts of a series are not of the known form.")
        own = {name: read(kind, facts[name], f"Member.{name}") for name, kind in _FACTS.items()}
        member = cls(**own, **{name: read("Floats", array, f"Member.{name}") for name, array in arrays.items()}, stages=parts)
        member.check()
        return member


_FACTS = {"clock": "int", "detector": "int", "rows": "int", "threshold": "float"}


@dataclass(frozen=True)
class Fleet(Part):
    """What all series share: clocks, window features, detectors, and the typical series that a new one starts from.

    Parameters
    ----------
    clocks : tuple of Clock
    windows : tuple of Part
        A `WindowMatrix`, `Columns`, both, or nothing.
    detectors : tuple of Detector
        One, or one for each cluster of similar series.
    thresholds : ndarray, shape (n_detectors,)
        For a series without enough scores of its own.
    centroids : ndarray, shape (n_detectors, n_descriptors)
        The typical descriptor of each cluster; a new series joins the nearest.
    typical : tuple of Member
        For some clocks: season of the median series, in units of its scale.
    """

    clocks: tuple[Clock, ...]
    windows: tuple[Part, ...]
    detectors: tuple[Detector, ...]
    thresholds: Floats
    centroids: Matrix
    typical: tuple[Member, ...]

    @property
    def channels(self) -> int:
        """Columns that each series brings."""
        first = self.windows[0] if self.windows else self.detectors[0]
        return first.n_features

    @property
    def n_features(self) -> int:
        return self.channels

    @property
    def lookback(self) -> int:
        return sum(part.lookback for part in self.windows)

    @property
    def min_lookback(self) -> int:
        return sum(part.min_lookback for part in self.windows)

    def model(self, name: str, member: Member) -> Model:
        """One series with its detector as a model of its own: the same scores, ready for a job."""
        m = member.n_out
        scaler = WindowMatrix(m, ("value",), (1,), np.ones(m), member.centre, member.scale)
        parts = (*member.stages, scaler, *self.windows)
        return Model(self.clocks[member.clock], (name,), parts, self.detectors[member.detector], Level(member.threshold))

    def check(self) -> None:
        if not self.clocks or not self.detectors or not len(self.detectors) == len(self.thresholds) == len(self.centroids):
            raise ValueError("the fleet lacks a clock or a detector")
        width = self.channels
        for part in self.windows:
            if not isinstance(part, WindowMatrix | Columns) or part.n_features != width:
                raise ValueError(f"the fleet has {type(part).__name__} where {width} column(s) come in")
            width = part.n_out
        if [type(part) for part in self.windows[1:]].count(WindowMatrix) or self.lookback > 2**40:
            raise ValueError("the window features of the fleet are out of order")
        if any(not isinstance(part, Detector) or part.n_features != width for part in self.detectors):
            raise ValueError(f"a detector of the fleet does not take {width} column(s)")
        for member in self.typical:
            if member.clock >= len(self.clocks) or [type(part) for part in member.stages] != [SeasonProfile]:
                raise ValueError("a typical series of the fleet is not a season")

    def check_member(self, member: Member) -> None:
        """Raise ValueError if the facts of a series do not fit the fleet."""
        if member.clock >= len(self.clocks) or member.detector >= len(self.detectors) or member.n_out != self.channels:
            raise ValueError("the facts of a series do not fit the fleet")

    def to_spec(self) -> Spec:
        """Return the part as data; of clocks that differ in step and origin only, the first, and the numbers of the others.

        Raises
        ------
        BadParameter
            If there are more than `MOST_CLOCKS`.
        """
        if len(self.clocks) > MOST_CLOCKS:
            raise BadParameter(
                f"the series go by {len(self.clocks):,} clocks; a fleet file holds {MOST_CLOCKS:,}. "
                "Round times to the step, so that series of one step share a clock, or save them as several fleets."
            )
        calendars, arrays = _calendars(self.clocks)
        parts: tuple[Any, ...] = (*calendars, *self.windows, *self.detectors, *self.typical)
        facts: dict[str, Json] = {"clocks": len(calendars), "windows": len(self.windows), "detectors": len(self.detectors)}
        arrays |= {"thresholds": self.thresholds, "centroids": self.centroids}
        return Spec("Fleet", facts, arrays, tuple(part.to_spec() for part in parts))

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        shared = {"thresholds", "centroids"}
        if set(facts) != {"clocks", "windows", "detectors"} or set(arrays) not in (shared, shared | set(_CLOCKS)):
            raise BadModelFile("the fleet is not of the known form.")
        groups: list[tuple[Part, ...]] = []
        for name in ("clocks", "windows", "detectors"):
            count = read("int", facts[name], f"Fleet.{name}")
            if not 0 <= count <= len(parts):
                raise BadModelFile("the parts of the fleet are not those it counts.")
            groups.append(parts[:count])
            parts = parts[count:]
        clocks, windows, detectors = groups
        if any(not isinstance(part, Clock) for part in clocks) or any(not isinstance(part, Member) for part in parts):
            raise BadModelFile("the parts of the fleet are out of order.")
        thresholds, centroids = read("Floats", arrays["thresholds"], "thresholds"), read("Matrix", arrays["centroids"], "centroids")
        fleet = cls(_clocks(clocks, arrays), windows, detectors, thresholds, centroids, parts)  # type: ignore[arg-type]
        fleet.check()
        return fleet


#: Arrays of a fleet whose clocks differ in step and origin only: which calendar each has, its step, its origin.
_CLOCKS = ("calendars", "steps", "origins")


def _calendars(clocks: tuple[Clock, ...]) -> tuple[tuple[Clock, ...], dict[str, AnyArray]]:
    """The first clock of each kind and zone, and what tells the others; nothing where no two share these."""
    found: dict[Any, tuple[int, Clock]] = {}
    number = [found.setdefault((one.kind, one.changes.tobytes(), one.offsets.tobytes()), (len(found), one))[0] for one in clocks]
    if len(found) == len(clocks):
        return clocks, {}
    columns = (number, [one.step for one in clocks], [one.origin for one in clocks])
    return tuple(one for _, one in found.values()), {name: np.array(own) for name, own in zip(_CLOCKS, columns, strict=True)}


def _clocks(calendars: tuple[Clock, ...], arrays: Mapping[str, AnyArray]) -> tuple[Clock, ...]:
    """What `_calendars` was given, from data that may be damaged or hostile."""
    if _CLOCKS[0] not in arrays:
        return calendars
    columns = [read("Ints", arrays[name], f"Fleet.{name}").tolist() for name in _CLOCKS]
    if not len(columns[0]) == len(columns[1]) == len(columns[2]) <= MOST_CLOCKS:
        raise BadModelFile("the clocks of the fleet are not those it counts.")
    if any(not 0 <= number < len(calendars) for number in columns[0]):
        raise BadModelFile("a clock of the fleet has a calendar that is not there.")
    clocks = tuple(replace(calendars[number], step=step, origin=origin) for number, step, origin in zip(*columns, strict=True))
    for clock in clocks:
        clock.check()
    return clocks
