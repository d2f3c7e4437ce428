"""A fair sample of the rows of many series, the same whoever draws it, in whatever order.

Each row has a priority, a random number made of the seed, the name of its series and its slot.  The sample is the rows of the
lowest priorities: a reservoir that can be filled in any order, in parts, on any machine, and merged.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Ints


def key_of(name: str, seed: int) -> int:
    """A random number for a series: 64 bits of its name and the seed.

    >>> from tsprune.panel.sample import key_of
    >>> key_of("a", 0) != key_of("a", 1) != key_of("b", 1)
    True
    """
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "backslashreplace"), digest_size=8).digest(), "little")


def priorities(name: str, slots: Ints, seed: int) -> NDArray[np.uint64]:
    """A random number for each slot of a series, shape (n,).

    Source: the finaliser of splitmix64, Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.

    >>> import numpy as np
    >>> from tsprune.panel.sample import priorities
    >>> bool((priorities("a", np.arange(9), 0)[3:] == priorities("a", np.arange(3, 9), 0)).all())
    True
    """
    mixed = slots.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key_of(name, seed))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def lowest(priority: NDArray[np.uint64], count: int) -> Ints:
    """Places of the `count` lowest priorities, in order of priority; equal ones in order of place."""
    return np.argsort(priority, kind="stable")[:count]
