"""The facts of many series as columns: hundreds of bytes for each, where objects take kilobytes.

Members that differ in their numbers only (the same stages, with arrays of the same shapes) are rows of one table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from tsprune.model.alike import NUMBERS, Kind, pattern_of
from tsprune.model.member import Member

if TYPE_CHECKING:
    from collections.abc import Hashable

    from tsprune.types import AnyArray, Ints

#: Members that stand as objects at a time while a roster is made.
TOGETHER = 1024


class Roster(Mapping[str, Member]):
    """Members by name, in order of name; each is built from its row when it is asked for.

    Parameters
    ----------
    names : tuple of str
        In order.
    kind, place : ndarray of int, shape (n,)
        Which table a member is in, and which row of it.
    kinds : tuple of Kind

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.member import Member
    >>> from tsprune.model.roster import Roster
    >>> one = Member(0, 0, 100, 0.5, np.zeros(1), np.ones(1), ())
    >>> roster = Roster.of([("b", one), ("a", one)])
    >>> list(roster), roster["a"].threshold
    (['a', 'b'], 0.5)
    >>> roster.assigned(threshold=np.array([0.1, 0.2])).column("threshold").tolist()
    [0.1, 0.2]
    """

    def __init__(self, names: tuple[str, ...], kind: Ints, place: Ints, kinds: tuple[Kind, ...]):
        self.names, self.kind, self.place, self.kinds = names, kind, place, kinds

    @classmethod
    def of(cls, items: Iterable[tuple[str, Member]]) -> Self:
        """Of names and members in any order; of one name the last counts."""
        rest = iter(items)
        return cls.joined([cls._stacked(some) for some in iter(lambda: list(islice(rest, TOGETHER)), [])])

    @classmethod
    def _stacked(cls, items: list[tuple[str, Member]]) -> Self:
        found: dict[Hashable, list[int]] = {}
        for k, (_, member) in enumerate(items):
            found.setdefault(pattern_of(member), []).append(k)
        kind, place = np.empty((2, len(items)), np.int64)
        for number, own in enumerate(found.values()):
            kind[own], place[own] = number, np.arange(len(own))
        kinds = tuple(Kind.of([items[k][1] for k in own]) for own in found.values())
        return cls(tuple(name for name, _ in items), kind, place, kinds)

    @classmethod
    def joined(cls, rosters: Sequence[Roster]) -> Self:
        """The members of several; of one name the last counts."""
        found: dict[Hashable, list[Kind]] = {}
        number: dict[Hashable, int] = {}
        length: Counter[Hashable] = Counter()
        kind, place = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for roster in rosters:
            numbers, before = [], []
            for own in roster.kinds:
                pattern = own.pattern
                found.setdefault(pattern, []).append(own)
                numbers.append(number.setdefault(pattern, len(number)))
                before.append(length[pattern])
                length[pattern] += len(own.table)
            kind.append(np.array(numbers, np.int64)[roster.kind])
            place.append(np.array(before, np.int64)[roster.kind] + roster.place)
        at = {name: k for k, name in enumerate(name for roster in rosters for name in roster.names)}
        names = tuple(sorted(at))
        kinds = tuple(Kind(known[0].first, np.concatenate([own.table for own in known])) for known in found.values())
        order = np.fromiter((at[name] for name in names), np.int64, len(names))
        return cls(names, np.concatenate(kind)[order], np.concatenate(place)[order], kinds)._compact()

    def _compact(self) -> Self:
        """The same without rows that no name has."""
        place = np.empty_like(self.place)
        kinds = []
        for number in np.unique(self.kind):
            own = np.flatnonzero(self.kind == number)
            place[own] = np.arange(len(own))
            kinds.append(Kind(self.kinds[number].first, self.kinds[number].table[self.place[own]]))
        _, kind = np.unique(self.kind, return_inverse=True)
        return type(self)(self.names, kind, place, tuple(kinds))

    # -- a mapping ------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Member:
        return self._built(self._at[name])

    def __contains__(self, name: object) -> bool:
        return name in self._at

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def _built(self, at: int) -> Member:
        return self.kinds[self.kind[at]].member(int(self.place[at]))

    @cached_property
    def _at(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.names)}

    def __reduce__(self) -> Any:
        return type(self), (self.names, self.kind, self.place, self.kinds)

    # -- columns ----------------------------------------------------------------------------------------------------

    def places(self, names: Sequence[str]) -> Ints:
        """The numbers of some members, shape (len(names),)."""
        return np.fromiter((self._at[name] for name in names), np.int64, len(names))

    def only(self, names: Iterable[str]) -> Self:
        """Some of the members."""
        own = tuple(sorted(set(names)))
        at = self.places(own)
        return type(self)(own, self.kind[at], self.place[at], self.kinds)._compact()

    def taken(self, at: Ints) -> Taken:
        """Some of the members by their numbers, in that order."""
        return Taken(self, at)

    def column(self, fact: str) -> Any:
        """A fact of each member, one of `NUMBERS`: shape (n,)."""
        values: Any = np.empty(len(self), NUMBERS[fact])
        for number, kind in enumerate(self.kinds):
            own = self.kind == number
            values[own] = kind.table[fact][self.place[own]]
        return values

    def assigned(self, **columns: AnyArray) -> Self:
        """The same members with other values of some facts, each of shape (n,)."""
        kinds = []
        for number, kind in enumerate(self.kinds):
            own = self.kind == number
            table = kind.table.copy()
            for fact, values in columns.items():
                table[fact][self.place[own]] = values[own]
            kinds.append(Kind(kind.first, table))
        return type(self)(self.names, self.kind, self.place, tuple(kinds))


class Taken(Sequence[Member]):
    """Some members of a roster, each built when it is asked for."""

    def __init__(self, roster: Roster, at: Ints):
        self.roster, self.at = roster, at

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, which: int) -> Member: ...
    @overload
    def __getitem__(self, which: slice) -> Taken: ...
    def __getitem__(self, which: int | slice) -> Member | Taken:
        return Taken(self.roster, self.at[which]) if isinstance(which, slice) else self.roster._built(int(self.at[which]))
