"""Blends that have a name: what their members are, measured on other series (docs/choosing.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsprune.detect import NearestRows, SubspaceDistance
from tsprune.features import Difference
from tsprune.features.views import view
from tsprune.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable


def mixed() -> list[tuple[str, Pipeline]]:
    """Seven views that see different things: five with the distance to nearest training rows, two with Mahalanobis's."""
    return [
        ("point", Pipeline([view("point"), NearestRows(1, random_state=0)])),
        ("change", Pipeline([Difference(), view("point"), NearestRows(1, random_state=0)])),
        ("long window", Pipeline([view("long window"), NearestRows(1, random_state=0)])),
        ("wide window", Pipeline([view("wide window"), SubspaceDistance()])),
        ("short window", Pipeline([view("short window"), NearestRows(1, random_state=0)])),
        ("window", Pipeline([view("window"), SubspaceDistance()])),
        ("shape", Pipeline([view("shape"), NearestRows(1, random_state=0)])),
    ]


def point() -> list[tuple[str, Pipeline]]:
    """One view of point statistics: the strongest simple detector, and better than a blend on short spikes."""
    return [("point", Pipeline([view("point"), NearestRows(1, random_state=0)]))]


PRESETS: dict[str, Callable[[], list[tuple[str, Pipeline]]]] = {"mixed": mixed, "point": point}
