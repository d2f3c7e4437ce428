"""One face for the cuts of every kind of detector: how far each can go, and what it looks like there.

A new kind of detector is one class here, and one line in `CUTTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from sklearn.base import clone

from tsprune.detect import to_part
from tsprune.detect.opaque import Opaque
from tsprune.errors import BadParameter, NotPrunable
from tsprune.kernels.agreement import spearman, split_half, top_overlap
from tsprune.model.boundary import Boundary
from tsprune.model.density import Density
from tsprune.model.forest import Forest
from tsprune.prune.criteria import Criterion, Nodes, Suspicion
from tsprune.prune.distil import Student, students
from tsprune.prune.nodes import Collapse
from tsprune.prune.queries import pushed_outwards, spread
from tsprune.prune.reduce import Reduction
from tsprune.prune.reference import Condensation, cascade

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.types import Floats

Fidelity = Callable[["Floats", "Floats"], float]
Accepts = Callable[["Detector"], bool]

#: Shares of a forest's nodes that "auto" tries, from gentle to hard.
SHARES = (0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.0625, 0.045, 0.03, 0.02, 0.01)

#: Numbers of centres that "auto" tries, from hard to gentle.
CENTRES = (8, 16, 32, 64, 128, 256)

#: Of a forest of more trees than this some are chosen first, where the criterion does not say: this share of them at the most, and
#: so few that each keeps about so many nodes.  On nine series a cut of 1,000 trees to 1 % of the nodes kept its average precision with 100
#: chosen ones, and lost 0.010 with 200; a cut to 2.4 % lost nothing with either, and its order was kept better with 200.
MANY_TREES, CHOSEN, NODES_OF_CHOSEN = 500, 0.2, 14

#: A student must follow its teacher so far on rows pushed outwards, which tell what it makes of rows unlike any seen; number of these.
BEYOND, BEYOND_ROWS = 0.9, 1000

#: Rows of both halves together that the ceiling of a detector is measured with: fits take time.
HALVES = 10_000


class Cutter(Protocol):
    """Prepared once on the rows a cut may see; then asked for cuts of several sizes."""

    #: How the scores before and after are compared.
    fidelity: Fidelity

    def at(self, n_parts: int) -> Detector:
        """The detector with that many parts."""
        ...

    def farthest(self, accepts: Accepts) -> Detector | None:
        """The hardest cut that is accepted, among the sizes tried."""
        ...

    def path(self) -> Iterator[Detector]:
        """The cuts that "auto" would try, all of them."""
        ...


class ForestCutter:
    """Nodes of a forest, collapsed with their leaves refitted."""

    fidelity = staticmethod(spearman)
    criteria = (Nodes,)

    def __init__(self, whole: Forest, X: Floats, random_state: int | None, criterion: Nodes | None = None):
        self.whole, self.how = whole, criterion or Nodes()
        make = partial(Collapse, whole, X, tail_weight=self.how.tail_weight, random_state=random_state)
        self.descent = lru_cache(maxsize=1)(lambda trees: make(trees=trees))  # one after the other goes on from where it stood

    def at(self, n_parts: int) -> Forest:
        return self.descent(self._trees(n_parts)).to(n_parts)

    def _trees(self, n_parts: int) -> int | None:
        """How many trees are chosen first for a forest of so many nodes; None: all."""
        if self.how.trees or self.whole.n_trees <= MANY_TREES:
            return self.how.trees
        return max(1, min(round(CHOSEN * self.whole.n_trees), round(n_parts / NODES_OF_CHOSEN)))

    def path(self) -> Iterator[Forest]:
        """From gentle to hard: a harder cut goes on from a gentler one."""
        return (self.at(max(1, round(share * self.whole.n_parts))) for share in SHARES)

    def farthest(self, accepts: Accepts) -> Forest | None:
        """From gentle to hard while accepted."""
        best = None
        for cut in self.path():
            if not accepts(cut):
                break
            best = cut
        return best


class BoundaryCutter:
    """A one-class SVM rewritten with few centres."""

    fidelity = staticmethod(spearman)
    criteria = ()

    def __init__(self, whole: Boundary, X: Floats, random_state: int | None, criterion: None = None):
        self.whole, self.reduction = whole, Reduction(whole, X, random_state=random_state)

    def at(self, n_parts: int) -> Boundary:
        return self.reduction.at(n_parts)

    def path(self) -> Iterator[Boundary]:
        """From hard to gentle: few centres are quickly tried, and mostly enough.  The last one merges vectors that coincide."""
        n_distinct = self.reduction.boundary.n_parts
        sizes = [size for size in CENTRES if size < n_distinct]
        return (self.at(size) for size in (*sizes, *([n_distinct] if n_distinct < self.whole.n_parts else [])))

    def farthest(self, accepts: Accepts) -> Boundary | None:
        """From hard to gentle until accepted."""
        return next(filter(accepts, self.path()), None)


class DensityCutter:
    """Reference points of LOF, condensed; "auto" leaves them as cleaning left them.

    Most rows have a factor near 1 whose order is noise: what counts is whether the top rows stay the top rows; the top twentieth of
    them, or, where a criterion asks for a cascade, the top hundredth.
    """

    criteria = (Suspicion,)

    def __init__(self, whole: Density, X: Floats, random_state: int | None, criterion: Suspicion | None = None):
        self.whole, self.random_state, self.criterion = whole, random_state, criterion
        self.fidelity: Fidelity = partial(top_overlap, share=0.05 if criterion is None else 0.01)

    def at(self, n_parts: int) -> Density:
        return self._condensation().at(min(n_parts, self.whole.n_parts))

    def path(self) -> Iterator[Density]:
        condensation = self._condensation()
        return (condensation.at(max(1, round(share * self.whole.n_parts))) for share in SHARES if share >= 0.05)

    def farthest(self, accepts: Accepts) -> Detector | None:
        """LOF barely condenses: not without being asked.  A criterion asks for a cascade."""
        if self.criterion is None:
            return None
        quick = cascade(self.whole, share=self.criterion.share, random_state=self.random_state)
        return quick if accepts(quick) else None

    def _condensation(self) -> Condensation:
        return Condensation(self.whole, random_state=self.random_state)


class StudentCutter:
    """Any other detector: small models of ours that learn its scores."""

    fidelity = staticmethod(spearman)
    criteria = ()

    def __init__(self, whole: Detector, X: Floats, random_state: int | None, criterion: None = None):
        self.whole = whole
        self.students: tuple[Student, ...] = students(whole, X, random_state=random_state)
        self.beyond = pushed_outwards(spread(X, BEYOND_ROWS), random_state)

    def at(self, n_parts: int) -> Detector:
        raise NotPrunable(
            f"{_name(self.whole)} has no parts that a share could keep. Give keep='auto': the smallest faithful student takes its place."
        )

    def path(self) -> Iterator[Detector]:
        """From small to large."""
        return (student() for student in self.students)

    def farthest(self, accepts: Accepts) -> Detector | None:
        """The first that is faithful, also beyond the training rows, and smaller than what it stands for."""
        wanted = self.whole.anomaly_score(self.beyond)
        limit = float("inf") if isinstance(self.whole, Opaque) else self.whole.nbytes

        def follows(one: Detector) -> bool:
            return one.nbytes < limit and accepts(one) and spearman(wanted, one.anomaly_score(self.beyond)) >= BEYOND

        return next(filter(follows, self.path()), None)


#: Kind of model part -> its cutter; any other has students.
CUTTERS: dict[type, type[Any]] = {Boundary: BoundaryCutter, Density: DensityCutter, Forest: ForestCutter}


def cutter_for(whole: Detector, X: Floats, random_state: int | None, criterion: Criterion | None = None) -> Cutter:
    """The cutter of a detector, prepared on rows of shape (n, d).

    Raises
    ------
    BadParameter
        If the criterion is one of another kind of detector.
    """
    make: Any = next((make for kind, make in CUTTERS.items() if isinstance(whole, kind)), StudentCutter)
    allowed: tuple[type, ...] = make.criteria
    if criterion is not None and not isinstance(criterion, allowed):
        others = ", ".join(kind.__name__ for kind in allowed)
        raise BadParameter(f"criterion is {criterion!r}; for a {_name(whole)} it is None{f' or one of {others}' if others else ''}.")
    cutter: Cutter = make(whole, X, random_state, criterion)
    return cutter


def _name(whole: Detector) -> str:
    return type(getattr(whole, "detector", whole)).__name__


def ceiling(fitted: Any, whole: Detector, X: Floats, held: Floats, fidelity: Fidelity, random_state: int | None) -> float:
    """How far two halves of a detector agree with each other: no cut need follow it more closely.

    Halves of the trees of a forest; for other detectors, two fits on random halves of the training rows (of 10,000 at the most).
    """
    if isinstance(whole, Forest):
        return split_half(whole.part_scores(held), random_state)
    rows = whole.points if isinstance(whole, Density) else X
    order = np.random.default_rng(random_state).permutation(len(rows))[:HALVES]
    halves = [rows[np.sort(half)] for half in (order[: len(order) // 2], order[len(order) // 2 :])]
    if isinstance(whole, Density):
        fits: list[Detector] = [Density.of(half, whole.n_neighbors) for half in halves]
    else:
        fits = [to_part(clone(fitted).fit(half)) for half in halves]
    return fidelity(fits[0].anomaly_score(held), fits[1].anomaly_score(held))
