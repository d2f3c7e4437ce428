"""A blend as operators: each member's parts and detector, its score as a calibrated tail, and the weighted mean of those that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tsprune.errors import NotPrunable
from tsprune.export import detectors, stages
from tsprune.export.smoothing import smoother
from tsprune.export.trend import trend

if TYPE_CHECKING:
    from tsprune.export.graph import Graph
    from tsprune.model.blend import Blend, Tail
    from tsprune.model.clock import Clock

#: As in `model.blend`: above the first u grows with its logarithm only, of no more than the second; and the share of the weight that scores.
CAP, LARGEST, QUORUM = 20.0, 1e300, 0.5


def blend(part: Blend, graph: Graph, rows: str, clock: Clock | None) -> str:
    """The weighted mean of the members' tails, shape (n, 1), over the members that have one; parts that several pass are written once."""
    known: dict[tuple[int, ...], str] = {(): rows}
    total = weight = graph.add("Expand", graph.constant(0.0), graph.count(rows))
    for member in part.members:
        for end in range(1, len(member.route) + 1):
            path = member.route[:end]
            if path not in known:
                known[path] = _passed(part.parts[path[-1]], graph, known[path[:-1]], clock)
        scores = scored(member.detector, graph, known[member.route])
        missing = graph.add("IsNaN", scores)
        own = graph.add("Mul", tail(member.tail, graph, graph.without_gaps(scores)), graph.constant(member.weight))
        total = graph.add("Add", total, graph.add("Where", missing, graph.constant(0.0), own))
        weight = graph.add("Add", weight, graph.add("Where", missing, graph.constant(0.0), graph.constant(member.weight)))
    enough = graph.add("GreaterOrEqual", weight, graph.constant(QUORUM * part.weights.sum()))
    mean = graph.add("Where", enough, graph.add("Div", total, weight), graph.constant(np.nan))
    return graph.add("Unsqueeze", mean, graph.whole(1))


def way_out(kind: str) -> str:
    """What to do about a kind of part that has no form, where something can be done."""
    return "Deseason(adapt=0) learns a frozen season, which has one. " if kind == "AdaptedSeason" else ""


def _passed(part: object, graph: Graph, rows: str, clock: Clock | None) -> str:
    kind = type(part).__name__
    if kind not in STAGES:
        raise NotPrunable(
            f"{kind}, which a member of the blend passes, has no form in ONNX; {', '.join(STAGES)} have one. {way_out(kind)}Blend members without "
            "it, or save the model and score with tsp.load, which needs numpy only."
        )
    return STAGES[kind](part, graph, rows, clock)


def scored(detector: object, graph: Graph, rows: str) -> str:
    """Scores of a detector, shape (n,); NaN for a row that misses a feature.

    Raises
    ------
    NotPrunable
        If the detector has no form in ONNX.
    """
    kind = type(detector).__name__
    if kind not in DETECTORS:
        raise NotPrunable(
            f"{kind} has no form in ONNX; {', '.join(DETECTORS)} have one. Export a chain with one of these, or save the model and score "
            f"with tsp.load, which needs numpy only."
        )
    return graph.add("Where", graph.misses(rows), graph.constant(np.nan), DETECTORS[kind](detector, graph, graph.without_gaps(rows)))


def tail(part: Tail, graph: Graph, scores: str) -> str:
    """From a score to u: linear between the knots, behind the last one a straight line, above 20 its logarithm."""
    last = graph.constant(part.knots[-1])
    beyond = graph.add("Div", graph.add("Sub", scores, last), graph.constant(part.excess))
    straight = graph.add("Add", beyond, graph.constant(part.levels[-1]))
    u = graph.add("Where", graph.add("Greater", beyond, graph.constant(0.0)), straight, _between(part, graph, scores))
    above = graph.add("Clip", graph.add("Sub", u, graph.constant(CAP)), graph.constant(0.0), graph.constant(LARGEST))
    return graph.add("Add", graph.add("Min", u, graph.constant(CAP)), graph.add("Log", graph.add("Add", above, graph.constant(1.0))))


def _between(part: Tail, graph: Graph, scores: str) -> str:
    if len(part.knots) == 1:
        return graph.constant(part.levels[0])
    x = graph.add("Clip", scores, graph.constant(part.knots[0]), graph.constant(part.knots[-1]))
    passed = graph.add("GreaterOrEqual", graph.add("Unsqueeze", x, graph.whole(1)), graph.constant(part.knots[1:-1]))
    piece = graph.add("ReduceSum", graph.cast(passed, np.int64), graph.whole(1), keepdims=0)
    slopes = np.diff(part.levels) / np.diff(part.knots)
    knot, level, slope = (graph.add("Gather", graph.constant(own), piece) for own in (part.knots, part.levels, slopes))
    return graph.add("Add", graph.add("Mul", graph.add("Sub", x, knot), slope), level)


def as_detector(part: Blend, graph: Graph, rows: str) -> str:
    """A blend of detectors of the same rows, which need no clock."""
    return graph.add("Squeeze", blend(part, graph, rows, None), graph.whole(1))


#: Class of a part -> how it is written: as a stage, and as a detector.
STAGES: dict[str, Callable[..., str]] = {**stages.STAGES, "Blend": blend, "BlockTrend": trend, "Smoother": smoother}
DETECTORS: dict[str, Callable[..., str]] = {**detectors.DETECTORS, "Blend": as_detector}
