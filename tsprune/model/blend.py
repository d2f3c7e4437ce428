"""Several detectors on several views of one series, averaged as calibrated tails.

Scores of different detectors have different units, and ranks or z-scores lose what matters: how far beyond the ordinary a row
is.  So each member's score becomes u = -log(share of clean rows with a higher score), carried on beyond the rows there were
by an exponential tail; u has the same meaning for every member, and is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tsprune.errors import BadModelFile, BadParameter
from tsprune.model.clock import Slots
from tsprune.model.part import Part, Spec, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsprune.types import AnyArray, Floats, Json, Mask, Matrix

#: The quantile of clean scores from which the tail is exponential.
TAIL = 0.9
#: u at that quantile.
TAIL_U = float(-np.log(1.0 - TAIL))
#: Values that stand for the distribution below it.
KNOTS = 32
#: Above this u grows with the logarithm only: one member alone cannot say much more, and what is farther out still ranks higher.
CAP = 20.0
#: u - CAP is taken as no more than this, so that u stays finite.
LARGEST = 1e300
#: A row is scored where members with at least this share of the weight can score it.
QUORUM = 0.5


@dataclass(frozen=True)
class Tail(Part):
    """From a score to u, the negative logarithm of its tail probability among clean scores; above 20 only its logarithm grows.

    Parameters
    ----------
    knots, levels : ndarray, shape (n_knots,)
        Scores in rising order, and their u; linear in between.  The last knot is the 90 % quantile.
    excess : float
        Mean of what clean scores beyond the last knot exceed it by.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.model.blend import Tail
    >>> tail = Tail.of(np.random.default_rng(0).exponential(size=2000))
    >>> tail.u(np.array([0.5, 3.0, 6.0, 1e9])).round(1)
    array([ 0.5,  2.9,  5.7, 40.6])
    """

    knots: Floats
    levels: Floats
    excess: float

    @classmethod
    def of(cls, scores: Floats) -> Tail:
        """Learn from clean scores, shape (n,), that the detector has not learned from; NaN is left out.

        Raises
        ------
        BadParameter
            If there is none.
        """
        there = np.sort(scores[~np.isnan(scores)])
        if len(there) == 0:
            raise BadParameter("scores holds no number; a tail needs clean scores to be calibrated on.")
        shares = np.linspace(0.0, TAIL, KNOTS)
        knots, first = np.unique(np.quantile(there, shares), return_index=True)
        last = float(knots[-1])
        beyond = there[there > last] - last
        least = max(1e-3 * (last - float(np.median(there))), 1e-9 * (1.0 + abs(last)))
        excess = max(float(beyond.mean()) if len(beyond) else 0.0, least)
        levels = -np.log(1.0 - shares[first])
        levels[-1] = TAIL_U
        return cls(knots, levels, excess)

    @property
    def n_features(self) -> int:
        """One score."""
        return 1

    def apply(self, values: Floats, clock: Slots) -> Floats:
        return self.u(values[:, 0])[:, None]

    def u(self, scores: Floats) -> Floats:
        """-log of the tail probability of each score; NaN stays NaN."""
        beyond = (scores - self.knots[-1]) / self.excess
        inside = np.interp(scores, self.knots, self.levels)
        u: Floats = np.where(beyond > 0.0, TAIL_U + beyond, inside)
        return np.minimum(u, CAP) + np.log1p(np.clip(u - CAP, 0.0, LARGEST))

    def check(self) -> None:
        if not len(self.knots) or len(self.levels) != len(self.knots) or (np.diff(self.knots) <= 0.0).any() or not self.excess > 0.0:
            raise ValueError("the knots of a tail do not rise, or it has no excess")


@dataclass(frozen=True)
class Member:
    """A detector on a view: which of the blend's parts a row passes, in order, and how its score is calibrated."""

    route: tuple[int, ...]
    detector: Any
    tail: Tail
    weight: float


@dataclass(frozen=True)
class Blend(Part):
    """The weighted mean of calibrated tails; parts that several members pass are applied once.

    A row is scored where members with at least half of the weight can score it: behind a gap the short windows speak first.

    Parameters
    ----------
    n_features : int
        Columns that go in.
    parts : tuple of Part
        Of all the views; the first `len(route)` of a member name its own.
    members : tuple of Member
    """

    n_features: int
    parts: tuple[Part, ...]
    members: tuple[Member, ...]

    @classmethod
    def of(cls, n_features: int, chains: list[tuple[tuple[Part, ...], Any, Tail, float]]) -> Blend:
        """Blend chains, each (parts, detector, tail, weight); a part that stands in several chains (the same object) is kept once."""
        parts: list[Part] = []
        members = []
        for chain, detector, tail, weight in chains:
            route = []
            for part in chain:
                at = next((k for k, known in enumerate(parts) if known is part), len(parts))
                if at == len(parts):
                    parts.append(part)
                route.append(at)
            members.append(Member(tuple(route), detector, tail, float(weight)))
        return cls(n_features, tuple(parts), tuple(members))

    @property
    def n_out(self) -> int:
        return 1

    @property
    def n_parts(self) -> int:
        """Number of members."""
        return len(self.members)

    @property
    def lookback(self) -> int:
        return max(sum(part.lookback for part in self.chain(k)) for k in range(self.n_parts))

    @property
    def min_lookback(self) -> int:
        """Rows at the start of a record until the members that see enough carry half of the weight."""
        needed = [sum(part.min_lookback for part in self.chain(k)) for k in range(self.n_parts)]
        order = np.argsort(needed, kind="stable")
        enough = int(np.argmax(np.cumsum(self.weights[order]) >= QUORUM * self.weights.sum()))
        return needed[int(order[enough])]

    @property
    def uses_clock(self) -> bool:
        return any(part.uses_clock for part in self.parts)

    @cached_property
    def weights(self) -> Floats:
        """Of the members."""
        return np.array([member.weight for member in self.members])

    def chain(self, member: int) -> tuple[Part, ...]:
        """The parts that a member's rows pass."""
        return tuple(self.parts[k] for k in self.members[member].route)

    def apply(self, values: Floats, clock: Slots) -> Floats:
        return self.blended(self.part_scores(values, clock))[:, None]

    def anomaly_score(self, X: Floats) -> Floats:
        """Scores of rows that need no context, such as features: a blend may stand behind a view, as the detector of a member."""
        return self.apply(X, Slots.counted(len(X)))[:, 0]

    def part_scores(self, values: Floats, clock: Slots) -> Matrix:
        """The calibrated tail of each member, shape (n, n_members); NaN where it has no score."""
        known: dict[tuple[int, ...], Floats] = {(): values}
        out = np.full((len(values), self.n_parts), np.nan)
        for k, member in enumerate(self.members):
            for end in range(1, len(member.route) + 1):
                path = member.route[:end]
                if path not in known:
                    known[path] = self.parts[path[-1]].apply(known[path[:-1]], clock)
            out[:, k] = member.tail.u(score_complete(member.detector, known[member.route]))
        return out

    def blended(self, tails: Matrix) -> Floats:
        """The weighted mean of calibrated tails, shape (n, n_members), over the members that have one."""
        total, weight = np.zeros(len(tails)), np.zeros(len(tails))
        for k, member in enumerate(self.members):
            there = ~np.isnan(tails[:, k])
            total[there] += member.weight * tails[there, k]
            weight[there] += member.weight
        enough = weight >= QUORUM * self.weights.sum()
        return np.where(enough, total / np.where(enough, weight, 1.0), np.nan)

    def keep(self, mask: Mask) -> Self:
        """The blend of some of its members; parts that no other one passes go with them.

        Raises
        ------
        BadParameter
            If the mask keeps none, or is not one value per member.
        """
        if np.shape(mask) != (self.n_parts,) or not np.any(mask):
            raise BadParameter(f"mask has shape {np.shape(mask)}; it has a bool for each of {self.n_parts} members, one of them True.")
        stay = [member for member, kept in zip(self.members, mask, strict=True) if kept]
        used = sorted({k for member in stay for k in member.route})
        members = tuple(replace(member, route=tuple(used.index(k) for k in member.route)) for member in stay)
        return replace(self, parts=tuple(self.parts[k] for k in used), members=members)

    def check(self) -> None:
        """Raise ValueError where widths along a route do not agree, or no member has a weight."""
        if not self.members or any(not 0.0 <= member.weight <= 1e6 for member in self.members) or not self.weights.sum() > 0.0:
            raise ValueError("the members of the blend or their weights are out of range")
        for member in self.members:
            if any(not 0 <= k < len(self.parts) for k in member.route):
                raise ValueError(f"a member passes the parts {member.route} of {len(self.parts)}")
            width = self.n_features
            for part in (*(self.parts[k] for k in member.route), member.detector):
                if part.n_features != width:
                    raise ValueError(f"{type(part).__name__} takes {part.n_features} columns and is given {width}")
                width = part.n_out

    def to_spec(self) -> Spec:
        """Return the part as data: first the parts, then the detectors, then their tails."""
        facts: dict[str, Json] = {"n_features": self.n_features, "routes": [list(member.route) for member in self.members]}
        behind = [member.detector for member in self.members] + [member.tail for member in self.members]
        return Spec("Blend", facts, {"weights": self.weights}, tuple(part.to_spec() for part in (*self.parts, *behind)))

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        """Build the part from data that may be damaged or hostile; see `Part.from_spec`."""
        if set(facts) != {"n_features", "routes"} or set(arrays) != {"weights"} or not isinstance(facts["routes"], list):
            raise BadModelFile("the blend is not of the known form.")
        routes = [read("tuple[int, ...]", route, "Blend.routes") for route in facts["routes"]]
        weights = read("Floats", arrays["weights"], "Blend.weights")
        n, first = len(routes), len(parts) - 2 * len(routes)
        if len(weights) != n or first < 0 or not all(isinstance(tail, Tail) for tail in parts[first + n :]):
            raise BadModelFile(f"the blend has {n} members, {len(weights)} weights and {len(parts)} parts, which do not agree.")
        if not all(hasattr(detector, "anomaly_score") and detector.n_out == 1 for detector in parts[first : first + n]):
            raise BadModelFile("a member of the blend has no detector.")
        members = zip(routes, parts[first : first + n], parts[first + n :], weights, strict=True)
        n_features = read("int", facts["n_features"], "Blend.n_features")
        part = cls(n_features, parts[:first], tuple(Member(route, d, t, float(w)) for route, d, t, w in members))  # type: ignore[arg-type]
        part.check()
        return part


@dataclass(frozen=True)
class Score(Part):
    """The one column that comes in is the score: what stands behind a blend in a model."""

    n_features: int

    @property
    def n_parts(self) -> int:
        """One."""
        return 1

    def anomaly_score(self, X: Floats) -> Floats:
        """The column as it is."""
        return np.array(X[:, 0], dtype=np.float64)

    def check(self) -> None:
        if self.n_features != 1:
            raise ValueError(f"a score of {self.n_features} columns")


def score_complete(detector: Any, rows: Matrix) -> Floats:
    """Scores of the rows that miss nothing; NaN for the others."""
    complete = ~np.isnan(rows).any(axis=1)
    scores = np.full(len(rows), np.nan)
    if complete.any():
        scores[complete] = detector.anomaly_score(rows if complete.all() else rows[complete])
    return scores
