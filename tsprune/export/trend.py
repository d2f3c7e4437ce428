"""A trend of past blocks as operators: medians of blocks anchored at slots, and what an autoregression does not foresee."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.export.smoothing import middle
from tsprune.export.stages import slots_of, windows

if TYPE_CHECKING:
    from tsprune.export.graph import Graph
    from tsprune.model.clock import Clock
    from tsprune.model.trend import BlockTrend


def trend(part: BlockTrend, graph: Graph, rows: str, clock: Clock) -> str:
    """The channels of each column, side by side."""
    found = []
    for j in range(part.n_features):
        column = graph.columns(rows, j)
        start = graph.constant(part.start[j])
        level = graph.add("Sub", column, _of_blocks(part, graph, column, start, clock) if part.blocks else start)
        for k, channel in enumerate(part.channels):
            values = _difference(graph, level) if channel == "difference" else level
            if channel == "innovation" and part.weights.shape[1]:
                values = _innovation(part, graph, level, j)
            scaled = graph.add("Div", values, graph.constant(part.scale[j, k]))
            found.append(graph.add("Unsqueeze", scaled, graph.whole(1)))
    return graph.add("Concat", *found, axis=1)


def _of_blocks(part: BlockTrend, graph: Graph, column: str, start: str, clock: Clock) -> str:
    """Median of the medians of the blocks before the one of each row; `start` where too few of these have a value.

    Missing values stand before the first row, back to where its block begins, and behind the last one, so that whole blocks are seen.
    """
    length, n = graph.whole(part.block), graph.count(column)
    first = graph.add(
        "Slice", graph.add("Concat", slots_of(graph, clock, wall=False), graph.whole(0), axis=0), graph.whole(0), graph.whole(1)
    )
    passed = graph.add("Mod", first, length)
    filled = graph.add("Add", passed, n)
    rest = graph.add("Sub", length, graph.add("Mod", filled, length))
    missing = graph.constant(np.nan)
    ends = (graph.add("Expand", missing, size) for size in (passed, rest))
    line = graph.add("Concat", next(ends), column, next(ends), axis=0)
    medians = middle(graph, graph.add("Reshape", line, graph.whole(-1, part.block)), part.block)
    before = windows(graph, graph.add("Concat", graph.constant([np.nan]), medians, axis=0), part.blocks)
    there = graph.cast(graph.add("Not", graph.add("IsNaN", before)), np.int64)
    known = graph.add("GreaterOrEqual", graph.add("ReduceSum", there, graph.whole(1), keepdims=0), graph.whole((part.blocks + 1) // 2))
    of_block = graph.add("Where", known, middle(graph, before, part.blocks), start)
    ends_at = graph.add("Squeeze", filled)
    rows = graph.add("Range", graph.add("Squeeze", passed), ends_at, graph.constant(1, np.int64))
    return graph.add("Gather", of_block, graph.add("Div", rows, length))


def _difference(graph: Graph, level: str) -> str:
    """The step from the row before; 0 where that one is missing."""
    taps = windows(graph, level, 2)
    before = graph.columns(taps, 0)
    step = graph.add("Where", graph.add("IsNaN", before), graph.constant(0.0), graph.add("Sub", level, before))
    return graph.add("Where", graph.add("IsNaN", level), graph.constant(np.nan), step)


def _innovation(part: BlockTrend, graph: Graph, level: str, j: int) -> str:
    order = part.weights.shape[1]
    past = graph.add("Clip", graph.without_gaps(level), graph.constant(-part.clip[j]), graph.constant(part.clip[j]))
    before = graph.columns(windows(graph, past, order + 1), np.arange(order))
    return graph.add("Sub", level, graph.weighted_sum(graph.without_gaps(before), part.weights[j, ::-1]))
