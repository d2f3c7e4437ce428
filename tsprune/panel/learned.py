"""What series learned alone, as columns and as bytes, and the sample of their rows: there may be millions of series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tsprune.model import file
from tsprune.model.roster import Roster
from tsprune.panel.sample import lowest
from tsprune.panel.wire import blobs, pack, unblob, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tsprune.model.clock import Clock
    from tsprune.model.member import Member
    from tsprune.types import Floats, Ints, Mask, Matrix


@dataclass(frozen=True)
class Learned:
    """What series know alone."""

    names: tuple[str, ...]  # in order
    clock: Ints  # (n_series,) which of the clocks
    clocks: tuple[Clock, ...]
    members: Roster  # those that learned; the others are too short
    described: Matrix  # (n_members, n_descriptors), what kind each member is
    reason: str  # why the first of the others could not

    @classmethod
    def joined(cls, parts: list[Learned]) -> tuple[Self, Ints]:
        """What all pieces know, in order of name, clocks in the order of their first series; and where each member went."""
        known: dict[Any, tuple[int, Clock]] = {}
        numbers = [np.array([known.setdefault(clock_key(one), (len(known), one))[0] for one in part.clocks], np.int64) for part in parts]
        clock = np.concatenate([number[part.clock] for number, part in zip(numbers, parts, strict=True)])
        names, _, order = _sorted(part.names for part in parts)
        _, first, clock = np.unique(clock[order], return_index=True, return_inverse=True)
        clock = np.argsort(np.argsort(first))[clock]
        clocks = [one for _, one in known.values()]
        _, rank, order = _sorted(part.members.names for part in parts)
        members = Roster.joined([part.members for part in parts])
        members = members.assigned(clock=clock[np.array([name in members for name in names], bool)])
        told = np.concatenate([part.described for part in parts if len(part.members)] or [np.empty((0, 0))])
        reason = next((part.reason for part in parts if part.reason), "")
        return cls(names, clock, tuple(clocks[k] for k in np.argsort(first)), members, told[order], reason), rank


@dataclass(frozen=True)
class Sample:
    """Rows of window features, not yet scaled, of several series."""

    series: Ints  # (n,) number of the series
    priority: NDArray[np.uint64]
    early: Mask
    rows: Floats  # (n, width)

    def lowest(self, count: int) -> Sample:
        """The rows that a reservoir of this size keeps, in order of priority."""
        return self.taken(lowest(self.priority, count))

    def taken(self, which: Any) -> Sample:
        """Some of the rows."""
        return Sample(self.series[which], self.priority[which], self.early[which], self.rows[which])

    @classmethod
    def joined(cls, parts: list[Sample]) -> Sample:
        """Several samples, one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def _sorted(parts: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], Ints, Ints]:
    """Names in order, where each one went, and where each came from."""
    names = [name for part in parts for name in part]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return tuple(names[k] for k in order), rank, order


class Gathered:
    """What the series of a piece know, one after the other in order of name."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.clock: list[int] = []
        self.clocks: list[bytes] = []
        self.known: dict[Any, int] = {}  # the number of each clock
        self.able: list[str] = []
        self.records: list[bytes] = []
        self.described: list[Floats] = []
        self.reason = ""

    def meet(self, name: str, clock: Clock) -> None:
        """A series, by its name and clock."""
        number = self.known.setdefault(clock_key(clock), len(self.clocks))
        if number == len(self.clocks):
            self.clocks.append(file.to_bytes(clock))
        self.names.append(name)
        self.clock.append(number)

    def take(self, member: Member, described: Floats) -> int:
        """What the series met last has learned; its number among those that learned."""
        self.able.append(self.names[-1])
        self.records.append(file.to_bytes(member))
        self.described.append(described)
        return len(self.able) - 1


def packed(learned: Gathered, sample: Sample | None) -> bytes:
    """What `unpacked` reads."""
    arrays: dict[str, Any] = {f"members_{key}": array for key, array in blobs(learned.records).items()}
    arrays |= {f"clocks_{key}": array for key, array in blobs(learned.clocks).items()}
    arrays |= {"clock": np.array(learned.clock, np.int64), "described": np.array(learned.described or np.empty((0, 0)))}
    if sample is not None:
        arrays |= {f"sample_{name}": getattr(sample, name) for name in Sample.__dataclass_fields__}
    return pack(arrays, names=learned.names, able=learned.able, reason=learned.reason)


def unpacked(content: bytes) -> tuple[Learned, Sample | None]:
    """What `packed` was given; series of the sample are numbers of members."""
    arrays, facts = unpack(content)
    records, clocks = (unblob({key: arrays[f"{kind}_{key}"] for key in ("sizes", "bytes")}) for kind in ("members", "clocks"))
    found: Any = map(file.from_bytes, records)
    members = Roster.of(zip(facts["able"], found, strict=True))
    known: Any = tuple(map(file.from_bytes, clocks))
    learned = Learned(tuple(facts["names"]), arrays["clock"].copy(), known, members, arrays["described"].copy(), facts["reason"])
    if "sample_rows" not in arrays:
        return learned, None
    return learned, Sample(*(arrays[f"sample_{name}"] for name in Sample.__dataclass_fields__))


def clock_key(clock: Clock) -> Any:
    """Equal for equal clocks."""
    return (clock.kind, clock.step, clock.origin, clock.changes.tobytes(), clock.offsets.tobytes())
