"""Checks of arguments: each refusal names the parameter, the value, the range and the way out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadParameter

if TYPE_CHECKING:
    from tsprune.types import Floats


def check_share(way_out: str = "To keep a tenth, give 0.1.", **named: float) -> float:
    """Return the one named value if it is a number in (0, 1].

    >>> from tsprune.params import check_share
    >>> check_share(keep=0.5)
    0.5
    """
    ((name, value),) = named.items()
    if not _is_number(value) or not 0.0 < value <= 1.0:
        raise BadParameter(f"{name} is {value!r}; it is a share in (0, 1]. {way_out}")
    return float(value)


def check_number(*, low: float = -math.inf, high: float = math.inf, open_low: bool = False, **named: float) -> float:
    """Return the one named value if it is a finite number within [low, high] (or above `low` when `open_low`).

    >>> from tsprune.params import check_number
    >>> check_number(tolerance=0.25, low=0)
    0.25
    """
    ((name, value),) = named.items()
    below = _is_number(value) and (value <= low if open_low else value < low)
    if not _is_number(value) or not math.isfinite(value) or below or value > high:
        left = "(" if open_low or low == -math.inf else "["
        right = ")" if high == math.inf else "]"
        raise BadParameter(f"{name} is {value!r}; it is a number in {left}{low:g}, {high:g}{right}.")
    return float(value)


def check_count(*, low: int = 1, high: int | None = None, **named: int) -> int:
    """Return the one named value if it is a whole number of at least `low` (and at most `high`).

    >>> from tsprune.params import check_count
    >>> check_count(length=12)
    12
    """
    ((name, value),) = named.items()
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    if not whole or value < low or (high is not None and value > high):
        upper = "" if high is None else f" and at most {high}"
        raise BadParameter(f"{name} is {value!r}; it is a whole number of at least {low}{upper}.")
    return int(value)


def check_choice(allowed: Iterable[str], **named: str) -> str:
    """Return the one named value if it is among the allowed words.

    >>> from tsprune.params import check_choice
    >>> check_choice(("add", "replace"), output="add")
    'add'
    """
    ((name, value),) = named.items()
    words = tuple(allowed)
    if not isinstance(value, str) or value not in words:
        raise BadParameter(f"{name} is {value!r}; it is one of {', '.join(repr(w) for w in words)}.")
    return value


def check_same_length(**arrays: Floats) -> int:
    """Return the common length of the named arrays.

    >>> import numpy as np
    >>> from tsprune.params import check_same_length
    >>> check_same_length(labels=np.zeros(3), scores=np.ones(3))
    3
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise BadParameter(f"{told}; they must have the same length, one value per row.")
    return next(iter(lengths.values()))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def n_threads(n_jobs: int | None) -> int:
    """How many threads `n_jobs` asks for, as in scikit-learn: None is 1, -1 all cores, -2 all but one.

    >>> from tsprune.params import n_threads
    >>> n_threads(None), n_threads(3), n_threads(-1) >= 1
    (1, 3, True)
    """
    if n_jobs is None:
        return 1
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer) or n_jobs == 0:
        raise BadParameter(f"n_jobs is {n_jobs!r}; it is a whole number other than 0, or None for 1; -1 takes all cores.")
    return int(n_jobs) if n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + int(n_jobs))
