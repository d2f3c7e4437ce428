"""Causal smoothing as operators: sums, medians and Hampel's rule over the window that ends at each row, and the wavelet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.export.graph import Graph
from tsprune.export.stages import windows
from tsprune.kernels.denoise import ENOUGH
from tsprune.kernels.smooth import MAD_TO_SIGMA

if TYPE_CHECKING:
    from tsprune.model.clock import Clock
    from tsprune.model.smooth import Smoother
    from tsprune.types import Floats


def smoother(part: Smoother, graph: Graph, rows: str, clock: Clock) -> str:
    """A smoothed copy of each column, missing where the value is, behind the columns or instead of them."""
    copies = [_smoothed(part, graph, graph.columns(rows, j), j) for j in range(part.n_features)]
    smooth = graph.add("Concat", *(graph.add("Unsqueeze", copy, graph.whole(1)) for copy in copies), axis=1)
    smooth = graph.add("Where", graph.add("IsNaN", rows), graph.constant(np.nan), smooth)
    return graph.add("Concat", rows, smooth, axis=1) if part.add else smooth


def _smoothed(part: Smoother, graph: Graph, column: str, j: int) -> str:
    if part.method == "wavelet":
        return _wavelet(graph, column, part.sigma[j], part.cutoff)
    taps = windows(graph, column, part.window)
    if part.taps.size:
        return _weighted(graph, taps, column, part.taps[j])
    centre = middle(graph, taps, part.window)
    if part.method == "median":
        return centre
    off = graph.add("Abs", graph.add("Sub", taps, graph.add("Unsqueeze", centre, graph.whole(1))))
    limit = graph.add("Mul", middle(graph, off, part.window), graph.constant(part.cutoff * MAD_TO_SIGMA))
    away = graph.add("Abs", graph.add("Sub", column, centre))
    return graph.add("Where", graph.add("Greater", away, limit), centre, column)


def _weighted(graph: Graph, taps: str, last: str, weights: Floats) -> str:
    """Sum by weight over the values that are there, from the oldest on as ours is: so that as much of the weight is there or is not."""
    from onnx import TensorProto, helper

    step = Graph("step_")
    gap = step.add("IsNaN", "x")
    sums = [
        step.add("Add", total, step.add("Where", gap, step.constant(0.0), own))
        for total, own in (("total", step.add("Mul", "x", "tap")), ("weight", "tap"))
    ]
    shapes: dict[str, list[str]] = {"total": ["n"], "weight": ["n"], "x": ["n"], "tap": []}
    infos = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape) for name, shape in shapes.items()]
    outs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n"]) for name in sums]
    body = helper.make_graph(step.nodes, "one_tap", infos, outs, step.constants)
    zeros = graph.add("Expand", graph.constant(0.0), graph.count(last))
    layers = graph.add("Transpose", taps, perm=[1, 0])
    total, weight = graph.several(2, "Scan", zeros, zeros, layers, graph.constant(weights), body=body, num_scan_inputs=2)
    whole = np.add.accumulate(weights)[-1]
    known = graph.add("Greater", graph.add("Abs", weight), graph.constant(ENOUGH * abs(whole)))
    return graph.add("Where", known, graph.add("Div", total, weight), last)


def middle(graph: Graph, taps: str, length: int) -> str:
    """Median of the values of each window that are there, shape (n,); NaN where none is."""
    gaps = graph.add("IsNaN", taps)
    ranked, _ = graph.several(
        2, "TopK", graph.add("Where", gaps, graph.constant(np.inf), taps), graph.whole(length), axis=1, largest=0, sorted=1
    )
    count = graph.add("ReduceSum", graph.cast(graph.add("Not", gaps), np.int64), graph.whole(1), keepdims=1)
    two = graph.whole(2)
    low = graph.add("Div", graph.add("Max", graph.add("Sub", count, graph.whole(1)), graph.whole(0)), two)
    high = graph.add("Min", graph.add("Div", count, two), graph.whole(length - 1))
    ends = (graph.add("Mul", graph.add("GatherElements", ranked, place, axis=1), graph.constant(0.5)) for place in (low, high))
    none = graph.add("Equal", count, graph.whole(0))
    return graph.add("Squeeze", graph.add("Where", none, graph.constant(np.nan), graph.add("Add", *ends)), graph.whole(1))


def _wavelet(graph: Graph, column: str, sigma: Floats, cutoff: float) -> str:
    """Details that are larger than so many sigmas of their level, and the smooth rest."""
    fine, smooth = [], column
    half = graph.constant(0.5)
    for level in range(len(sigma)):
        padded = graph.add("Concat", graph.constant(np.full(1 << level, np.nan)), smooth, axis=0)
        before = graph.add("Slice", padded, graph.whole(0), graph.count(column))
        mean = graph.add("Add", graph.add("Mul", smooth, half), graph.add("Mul", before, half))
        smoother_still = graph.add("Where", graph.add("IsNaN", before), smooth, mean)
        fine.append(graph.add("Sub", smooth, smoother_still))
        smooth = smoother_still
    for detail, spread in zip(reversed(fine), sigma[::-1].tolist(), strict=True):
        large = graph.add("Greater", graph.add("Abs", detail), graph.constant(cutoff * spread))
        smooth = graph.add("Add", smooth, graph.add("Where", large, detail, graph.constant(0.0)))
    return smooth
