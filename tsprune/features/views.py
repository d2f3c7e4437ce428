"""Views: ways of looking at a series that see different anomalies.

A view is a `Windows` stage by name.  Which ones are worth a vote was measured without labels at hand (docs/choosing.md): what
counts is that they differ, not which detector stands behind them.
"""

from __future__ import annotations

from tsprune.features.catalogue import resolve
from tsprune.features.windows import Windows
from tsprune.model.windows import width_of
from tsprune.params import check_choice

#: View -> length of its windows, and their features.
VIEWS: dict[str, tuple[int, str]] = {
    "long window": (125, "coarse"),
    "point": (32, "point"),
    "shape": (32, "shape"),
    "short window": (16, "raw"),
    "wide window": (64, "coarse"),
    "window": (50, "raw"),
}

#: A window whose standard deviation is below this share of the series' is flat: its noise is no shape.
FLAT = 0.05


def view(name: str) -> Windows:
    """The windows of a view.

    "point" is the last value against statistics of 8 and 32 rows, "shape" 32 rows z-normed, "short window" 16 rows, "window" 50,
    "wide window" 64 and "long window" 125 rows, both reduced to means.
    Gaps that are usual in the training rows silence no window.

    >>> from tsprune.features.views import view
    >>> view("shape").length
    32
    """
    check_choice(VIEWS, view=name)
    length, features = VIEWS[name]
    return Windows(length, features, scale="none", floor=FLAT)


def view_width(name: str) -> int:
    """Features that a view makes of one column.

    >>> from tsprune.features.views import view_width
    >>> view_width("point"), view_width("wide window")
    (9, 32)
    """
    length, features = VIEWS[name]
    return sum(width_of(feature, rows) for feature, rows in zip(*resolve(features, length), strict=True))
