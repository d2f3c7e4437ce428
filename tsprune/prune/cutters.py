"""One face for the cuts of every kind of detector: how far each can go, and what it looks like there.

A new kind of detector is one class here, in its own file, and one line in `CUTTERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tsprune.errors import NotPrunable
from tsprune.kernels.agreement import spearman
from tsprune.model.boundary import Boundary
from tsprune.model.forest import Forest
from tsprune.prune.nodes import Collapse

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.types import Floats

Fidelity = Callable[["Floats", "Floats"], float]

#: Shares of a forest's nodes that "auto" tries, from gentle to hard.
SHARES = (0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.0625, 0.045, 0.03, 0.02, 0.01)

#: Numbers of centres that "auto" tries, from gentle to hard.
CENTRES = (256, 128, 64, 32, 16, 8)


class Cutter(Protocol):
    """Prepared once on the rows a cut may see; then asked for cuts of several sizes."""

    #: How the scores before and after are compared.
    fidelity: Fidelity

    def sizes(self) -> list[int]:
        """Numbers of parts that "auto" tries, from gentle to hard."""
        ...

    def at(self, n_parts: int) -> Detector:
        """The detector with that many parts."""
        ...


class ForestCutter:
    """Nodes of a forest, collapsed with their leaves refitted."""

    fidelity = staticmethod(spearman)

    def __init__(self, whole: Forest, X: Floats, random_state: int | None):
        self.path = Collapse(whole, X, random_state=random_state)

    def sizes(self) -> list[int]:
        return [max(1, round(share * self.path.forest.n_parts)) for share in SHARES]

    def at(self, n_parts: int) -> Forest:
        return self.path.to(n_parts)


#: Kind of model part -> its cutter.
CUTTERS: dict[type, Callable[..., Cutter]] = {Forest: ForestCutter}


def cutter_for(whole: Detector, X: Floats, random_state: int | None) -> Cutter:
    """The cutter of a detector, prepared on rows of shape (n, d).

    Raises
    ------
    NotPrunable
        If the detector has no parts of a kind that we can cut.
    """
    for kind, make in CUTTERS.items():
        if isinstance(whole, kind):
            return make(whole, X, random_state)
    raise NotPrunable(
        f"{type(whole).__name__} has no parts that can be cut; prune an isolation forest, a one-class SVM with an RBF kernel, or LOF."
    )
