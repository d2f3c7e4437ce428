"""Groups of window features by name.

A feature is a name of `tsprune.kernels.windows.STATISTICS` (or "coarse", "raw", "shape") with the window it looks at.  A group
is several of them; lengths are shares of the length the user gives.
"""

from __future__ import annotations

from tsprune.errors import BadParameter
from tsprune.kernels.windows import STATISTICS
from tsprune.model.windows import WIDE

#: Group -> its features, each with its window as a share of the length.
GROUPS: dict[str, tuple[tuple[str, float], ...]] = {
    "point": (
        ("value", 0.0),
        ("step", 0.0),
        *((name, share) for share in (0.25, 1.0) for name in ("mean", "deviation", "roughness")),
        ("range", 1.0),
    ),
    "statistics": tuple((name, 1.0) for name in ("mean", "std", "min", "max", "median", "roughness", "deviation", "slope")),
}

#: Rows that the features which look at one row or one step need, whatever the length.
_SHORT = {"value": 1, "step": 2}


def resolve(features: str | tuple[str, ...], length: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and window lengths of the features a user asked for, each once, in the order asked for.

    >>> from tsprune.features.catalogue import resolve
    >>> resolve(("value", "mean"), 24)
    (('value', 'mean'), (1, 24))
    """
    asked = (features,) if isinstance(features, str) else tuple(features)
    pairs: list[tuple[str, int]] = []
    for word in asked:
        if word not in GROUPS and word not in STATISTICS and word not in WIDE:
            known = [*sorted(GROUPS), *WIDE, *sorted(STATISTICS)]
            raise BadParameter(f"features holds {word!r}; it is one or more of {', '.join(known)}.")
        pairs += [(name, min(length, _SHORT.get(name, max(2, round(share * length))))) for name, share in GROUPS.get(word, ((word, 1.0),))]
    if not pairs:
        raise BadParameter("features is empty; name at least one, such as 'raw' or 'statistics'.")
    unique = list(dict.fromkeys(pairs))
    return tuple(name for name, _ in unique), tuple(length for _, length in unique)
