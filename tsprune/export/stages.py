"""What stands before a detector as operators: the season by the time of a row, windows over the rows before it, columns.

Rows stand one step apart: a graph knows no gaps but rows whose values are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import NotPrunable
from tsprune.kernels.windows import PIECES, n_pieces

if TYPE_CHECKING:
    from tsprune.export.graph import Graph
    from tsprune.model.clock import Clock
    from tsprune.model.columns import Columns
    from tsprune.model.difference import Difference
    from tsprune.model.season import SeasonProfile
    from tsprune.model.windows import WindowMatrix


def columns(part: Columns, graph: Graph, rows: str, clock: Clock) -> str:
    """Some of the columns."""
    return graph.columns(rows, part.kept)


def difference(part: Difference, graph: Graph, rows: str, clock: Clock) -> str:
    """Each value minus the last one before that is there; where none is, the last one before, which is missing."""
    changes = []
    for j in range(part.n_features):
        taps = windows(graph, graph.columns(rows, j), part.reach + 1)
        before = graph.columns(taps, np.arange(part.reach))
        there = graph.cast(graph.add("Not", graph.add("IsNaN", before)), np.int32)
        last = graph.add("ArgMax", there, axis=1, keepdims=1, select_last_index=1)
        changes.append(graph.add("Sub", graph.columns(taps, [part.reach]), graph.add("GatherElements", before, last, axis=1)))
    return graph.add("Concat", *changes, axis=1)


def season(part: SeasonProfile, graph: Graph, rows: str, clock: Clock) -> str:
    """Values minus the profiles at the time of their rows."""
    slots = slots_of(graph, clock, wall=part.wall)
    own: dict[int, str] = {}
    starts = np.cumsum((0, *part.bins))
    for column, period, start, bins in zip(part.columns, part.periods.tolist(), starts, part.bins, strict=False):
        profile = graph.constant(part.profiles[start : start + bins])
        term = graph.add("Gather", profile, _phase(graph, slots, period, bins))
        own[column] = graph.add("Add", own[column], term) if column in own else term
    if not own:
        return rows
    left = []
    for j in range(part.n_features):
        values = graph.columns(rows, [j])
        left.append(graph.add("Sub", values, graph.add("Unsqueeze", own[j], graph.whole(1))) if j in own else values)
    return graph.add("Concat", *left, axis=1)


def _phase(graph: Graph, slots: str, period: float, bins: int) -> str:
    if period == bins:
        return graph.add("Mod", slots, graph.whole(bins))
    length = graph.constant(period)
    place = graph.add("Mod", graph.cast(slots, np.float64), length, fmod=1)
    place = graph.add("Where", graph.add("Less", place, graph.constant(0.0)), graph.add("Add", place, length), place)
    place = graph.add("Min", graph.add("Mul", place, graph.constant(bins / period)), graph.constant(bins - 1.0))
    return graph.cast(place, np.int64)


def slots_of(graph: Graph, clock: Clock, *, wall: bool) -> str:
    """Slot of each row from the input `time`, as `Clock.slots` counts it.

    Raises
    ------
    NotPrunable
        If steps are calendar months.
    """
    if clock.kind == "month":
        raise NotPrunable("the model counts calendar months, for which ONNX has no operator. Give detector_only=True.")
    time = graph.add("Add", "time", graph.whole(clock.step // 2 - clock.origin))
    if wall and clock.has_changes:
        seconds = _floor_divided(graph, "time", 10**9)
        later = graph.add("GreaterOrEqual", graph.add("Unsqueeze", seconds, graph.whole(1)), graph.constant(clock.changes, np.int64))
        number = graph.add("ReduceSum", graph.cast(later, np.int64), graph.whole(1), keepdims=0)
        offset = graph.add("Gather", graph.constant(clock.offsets, np.int64), number)
        time = graph.add("Add", time, graph.add("Mul", offset, graph.whole(10**9)))
    return _floor_divided(graph, time, clock.step)


def _floor_divided(graph: Graph, numbers: str, by: int) -> str:
    """ONNX divides whole numbers towards zero, but its remainder is never negative."""
    divisor = graph.whole(by)
    return graph.add("Div", graph.add("Sub", numbers, graph.add("Mod", numbers, divisor)), divisor)


def windows(graph: Graph, column: str, length: int) -> str:
    """The trailing window of each row, shape (n, length), the row's own value last; missing before the first row."""
    padded = graph.add("Concat", graph.constant(np.full(length - 1, np.nan)), column, axis=0)
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    rows = graph.add("Range", zero, graph.add("Squeeze", graph.count(column)), one)
    return graph.add("Gather", padded, graph.add("Add", graph.add("Unsqueeze", rows, graph.whole(1)), graph.whole(*range(length))))


def window_matrix(part: WindowMatrix, graph: Graph, rows: str, clock: Clock) -> str:
    """For each column the same features, each over its own length; missing where the window misses a value."""
    found = []
    for j in range(part.n_features):
        longest = windows(graph, graph.columns(rows, j), max(part.lengths))
        taps = {length: graph.columns(longest, np.arange(max(part.lengths) - length, max(part.lengths))) for length in set(part.lengths)}
        if part.bridge:
            taps = {length: bridged(graph, own, length, part.bridge) for length, own in taps.items()}
        missing = {length: graph.add("Unsqueeze", graph.misses(own), graph.whole(1)) for length, own in taps.items()}
        filled = {length: graph.without_gaps(own) for length, own in taps.items()}
        for name, length in zip(part.features, part.lengths, strict=True):
            feature = _feature(graph, name, filled[length], length, float(part.floor[j]))
            found.append(graph.add("Where", missing[length], graph.constant(np.nan), feature))
    every = graph.add("Concat", *found, axis=1)
    return graph.add("Div", graph.add("Sub", every, graph.constant(part.centre)), graph.constant(part.scale))


def bridged(graph: Graph, taps: str, length: int, most: int) -> str:
    """Windows with gaps of at most so many values filled by the value before, at the beginning of a window by the one after.

    A step to the right, or to the left, fills one more value of each gap; what is missing then has no window.
    """
    at = np.arange(length)
    after, before = taps, taps
    for _ in range(min(most, length - 1)):
        after = graph.add("Where", graph.add("IsNaN", after), graph.columns(after, np.maximum(at - 1, 0)), after)
        before = graph.add("Where", graph.add("IsNaN", before), graph.columns(before, np.minimum(at + 1, length - 1)), before)
    there = graph.cast(graph.add("Not", graph.add("IsNaN", taps)), np.int32)
    first = graph.add("Equal", graph.add("CumSum", there, graph.constant(1, np.int64)), graph.constant(0, np.int32))
    filled = graph.add("Where", first, before, after)
    silent = graph.add("IsNaN", graph.columns(taps, [length - 1]))
    return graph.add("Where", silent, graph.constant(np.nan), filled)


def _feature(graph: Graph, name: str, taps: str, length: int, floor: float) -> str:
    """A feature of windows of one length, shape (n, width)."""
    if name == "shape":
        spread = graph.add("Max", _std(graph, taps), graph.constant(floor))
        return graph.add("Div", graph.add("Sub", taps, _over(graph, "ReduceMean", taps)), spread)
    return FEATURES[name](graph, taps, length)


def _over(graph: Graph, operator: str, taps: str) -> str:
    """One number of each window, shape (n, 1)."""
    return graph.add(operator, taps, graph.whole(1), keepdims=1)


def _std(graph: Graph, taps: str, length: int = 0) -> str:
    off = graph.add("Sub", taps, _over(graph, "ReduceMean", taps))
    return graph.add("Sqrt", _over(graph, "ReduceMean", graph.add("Mul", off, off)))


def _coarse(graph: Graph, taps: str, length: int) -> str:
    pieces, each = n_pieces(length), -(-length // PIECES)
    cut = graph.columns(taps, np.arange(length - pieces * each, length))
    parted = graph.add("Reshape", cut, graph.whole(-1, pieces, each))
    return graph.add("ReduceMean", parted, graph.whole(2), keepdims=0)


def _median(graph: Graph, taps: str, length: int) -> str:
    ranked, _ = graph.several(2, "TopK", taps, graph.whole(length // 2 + 1), axis=1, largest=0, sorted=1)
    return _over(graph, "ReduceMean", graph.columns(ranked, [(length - 1) // 2, length // 2]))


def _steps(graph: Graph, taps: str, length: int, first: int) -> str:
    """Absolute steps from value to value, from the first one looked at on; 0 for a window of one."""
    if length == 1:
        return graph.add("Sub", taps, taps)
    later, before = graph.columns(taps, np.arange(first + 1, length)), graph.columns(taps, np.arange(first, length - 1))
    return graph.add("Abs", graph.add("Sub", later, before))


def _last(graph: Graph, taps: str, length: int) -> str:
    return graph.columns(taps, [length - 1])


#: Name of a feature of `model.windows` -> what it is, from the graph, the windows, shape (n, length), and their length.
FEATURES: dict[str, Callable[[Graph, str, int], str]] = {
    "coarse": _coarse,
    "deviation": lambda graph, taps, length: graph.add("Sub", _last(graph, taps, length), _over(graph, "ReduceMean", taps)),
    "max": lambda graph, taps, length: _over(graph, "ReduceMax", taps),
    "mean": lambda graph, taps, length: _over(graph, "ReduceMean", taps),
    "median": _median,
    "min": lambda graph, taps, length: _over(graph, "ReduceMin", taps),
    "range": lambda graph, taps, length: graph.add("Sub", _over(graph, "ReduceMax", taps), _over(graph, "ReduceMin", taps)),
    "raw": lambda graph, taps, length: taps,
    "roughness": lambda graph, taps, length: _over(graph, "ReduceMean", _steps(graph, taps, length, 0)),
    "slope": lambda graph, taps, length: graph.add(
        "Div", graph.add("Sub", _last(graph, taps, length), graph.columns(taps, [0])), graph.constant(float(max(1, length - 1)))
    ),
    "std": _std,
    "step": lambda graph, taps, length: _steps(graph, taps, length, max(0, length - 2)),
    "value": _last,
}

#: Class of a part before the detector -> how it is written.
STAGES: dict[str, Callable[[Any, Graph, str, Clock], str]] = {
    "Columns": columns,
    "Difference": difference,
    "SeasonProfile": season,
    "WindowMatrix": window_matrix,
}
