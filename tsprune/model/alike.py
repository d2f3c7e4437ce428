"""Members that differ in their numbers only, as rows of one table."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tsprune.model.member import Member
from tsprune.model.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tsprune.types import AnyArray

#: Facts of a member that are numbers of its own.
NUMBERS = {"clock": int, "detector": int, "rows": int, "threshold": float}


class Kind:
    """Members that differ in their numbers only.

    Parameters
    ----------
    first : Member
        One of them.
    table : ndarray, structured, shape (n,)
        A row for each: the numbers of `NUMBERS`, and each array of its parts.
    """

    def __init__(self, first: Member, table: Any):
        self.first, self.table = first, table

    @classmethod
    def of(cls, members: Sequence[Member]) -> Self:
        """Of members of one pattern."""
        columns = _arrays(members[0])
        table: Any = np.empty(len(members), [(name, array.dtype, array.shape) for name, array in columns.items()])
        for k, member in enumerate(members):
            for name, array in _arrays(member).items():
                table[name][k] = array
        return cls(members[0], table)

    @cached_property
    def pattern(self) -> Hashable:
        """Equal for kinds that can be joined."""
        return pattern_of(self.first)

    def member(self, row: int) -> Member:
        """The member of a row."""
        member: Member = self._build(row)
        return member

    @cached_property
    def _build(self) -> Callable[[int], Any]:
        return _builder(self.first, self.table, "")

    def __reduce__(self) -> Any:
        return type(self), (self.first, self.table)


def _fields(part: Any) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def pattern_of(value: Any) -> Hashable:
    """What members of one table agree in: all but the numbers of their arrays, and those of `NUMBERS`."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape)
    if isinstance(value, tuple):
        return tuple(pattern_of(each) for each in value)
    if not isinstance(value, Part):
        return (type(value).__name__, value)
    own = NUMBERS if isinstance(value, Member) else {}
    return (type(value).__name__, *(pattern_of(held) for name, held in _fields(value).items() if name not in own))


def _arrays(part: Part, path: str = "") -> dict[str, AnyArray]:
    """The numbers of a part and of the parts in it, by their path."""
    found: dict[str, AnyArray] = {}
    for name, held in _fields(part).items():
        if isinstance(held, np.ndarray) or (isinstance(part, Member) and name in NUMBERS):
            found[path + name] = np.asarray(held)
        for k, inner in enumerate(held if isinstance(held, tuple) else (held,)):
            if isinstance(inner, Part):
                found |= _arrays(inner, f"{path}{name}.{k}.")
    return found


def _builder(part: Part, table: Any, path: str) -> Callable[[int], Any]:
    """What builds such a part from a row of a table: the constructor's work, thousands of times."""
    kind, fixed = type(part), _fields(part)
    numbers = [(name, table[name]) for name in NUMBERS] if isinstance(part, Member) else []
    arrays = [(name, table[path + name]) for name, held in fixed.items() if isinstance(held, np.ndarray)]
    single = [(name, _builder(held, table, f"{path}{name}.0.")) for name, held in fixed.items() if isinstance(held, Part)]
    several = [
        (name, [_builder(inner, table, f"{path}{name}.{k}.") for k, inner in enumerate(held)])
        for name, held in fixed.items()
        if isinstance(held, tuple) and held and isinstance(held[0], Part)
    ]

    def build(row: int) -> Any:
        made = object.__new__(kind)
        state = made.__dict__
        state.update(fixed)
        for name, column in numbers:
            state[name] = column.item(row)
        for name, column in arrays:
            state[name] = column[row]
        for name, inner in single:
            state[name] = inner(row)
        for name, inners in several:
            state[name] = tuple([inner(row) for inner in inners])
        return made

    return build
