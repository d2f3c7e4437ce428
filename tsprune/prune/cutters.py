"""One face for the cuts of every kind of detector: how far each can go, and what it looks like there.

A new kind of detector is one class here, in its own file, and one line in `CUTTERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from sklearn.base import clone

from tsprune.detect import to_part
from tsprune.errors import NotPrunable
from tsprune.kernels.agreement import spearman, split_half, top_overlap
from tsprune.model.boundary import Boundary
from tsprune.model.density import Density
from tsprune.model.forest import Forest
from tsprune.prune.nodes import Collapse
from tsprune.prune.reduce import Reduction
from tsprune.prune.reference import condense

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.types import Floats

Fidelity = Callable[["Floats", "Floats"], float]

#: Shares of a forest's nodes that "auto" tries, from gentle to hard.
SHARES = (0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.0625, 0.045, 0.03, 0.02, 0.01)

#: Numbers of centres that "auto" tries, from hard to gentle.
CENTRES = (8, 16, 32, 64, 128, 256)


class Cutter(Protocol):
    """Prepared once on the rows a cut may see; then asked for cuts of several sizes."""

    #: How the scores before and after are compared.
    fidelity: Fidelity

    def at(self, n_parts: int) -> Detector:
        """The detector with that many parts."""
        ...

    def farthest(self, accepts: Callable[[Any], bool]) -> Detector | None:
        """The hardest cut that is accepted, among the sizes tried."""
        ...


class ForestCutter:
    """Nodes of a forest, collapsed with their leaves refitted."""

    fidelity = staticmethod(spearman)

    def __init__(self, whole: Forest, X: Floats, random_state: int | None):
        self.path = Collapse(whole, X, random_state=random_state)

    def at(self, n_parts: int) -> Forest:
        return self.path.to(n_parts)

    def farthest(self, accepts: Callable[[Any], bool]) -> Forest | None:
        """From gentle to hard while accepted: a harder cut goes on from a gentler one."""
        best = None
        for share in SHARES:
            cut = self.at(max(1, round(share * self.path.forest.n_parts)))
            if not accepts(cut):
                break
            best = cut
        return best


class BoundaryCutter:
    """A one-class SVM rewritten with few centres."""

    fidelity = staticmethod(spearman)

    def __init__(self, whole: Boundary, X: Floats, random_state: int | None):
        self.reduction = Reduction(whole, X, random_state=random_state)

    def at(self, n_parts: int) -> Boundary:
        return self.reduction.at(n_parts)

    def farthest(self, accepts: Callable[[Any], bool]) -> Boundary | None:
        """From hard to gentle until accepted: few centres are quickly tried, and mostly enough."""
        sizes = [size for size in CENTRES if size < self.reduction.boundary.n_parts]
        return next((cut for cut in map(self.at, sizes) if accepts(cut)), None)


class DensityCutter:
    """Reference points of LOF, condensed; "auto" leaves them as cleaning left them.

    Most rows have a factor near 1 whose order is noise: what counts is whether the top rows stay the top rows.
    """

    @staticmethod
    def fidelity(whole: Floats, cut: Floats) -> float:
        """Share of the top twentieth that stays the top twentieth."""
        return top_overlap(whole, cut, share=0.05)

    def __init__(self, whole: Density, X: Floats, random_state: int | None):
        self.whole, self.random_state = whole, random_state

    def at(self, n_parts: int) -> Density:
        return condense(self.whole, min(n_parts, self.whole.n_parts), random_state=self.random_state)

    def farthest(self, accepts: Callable[[Any], bool]) -> None:
        """LOF barely condenses: not without being asked."""


#: Kind of model part -> its cutter.
CUTTERS: dict[type, Callable[..., Any]] = {Boundary: BoundaryCutter, Density: DensityCutter, Forest: ForestCutter}


def cutter_for(whole: Detector, X: Floats, random_state: int | None) -> Cutter:
    """The cutter of a detector, prepared on rows of shape (n, d).

    Raises
    ------
    NotPrunable
        If the detector has no parts of a kind that we can cut.
    """
    for kind, make in CUTTERS.items():
        if isinstance(whole, kind):
            cutter: Cutter = make(whole, X, random_state)
            return cutter
    raise NotPrunable(
        f"{type(whole).__name__} has no parts that can be cut; prune an isolation forest, a one-class SVM with an RBF kernel, or LOF."
    )


def ceiling(fitted: Any, whole: Detector, X: Floats, held: Floats, fidelity: Fidelity, random_state: int | None) -> float:
    """How far two halves of a detector agree with each other: no cut need follow it more closely.

    Halves of the trees of a forest; for other detectors, two fits on random halves of the training rows.
    """
    if isinstance(whole, Forest):
        return split_half(whole.part_scores(held), random_state)
    order = np.random.default_rng(random_state).permutation(len(X))
    halves = [X[np.sort(half)] for half in (order[: len(X) // 2], order[len(X) // 2 :])]
    first, second = (to_part(clone(fitted).fit(half)).anomaly_score(held) for half in halves)
    return fidelity(first, second)
