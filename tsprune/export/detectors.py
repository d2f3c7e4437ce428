"""Detectors as operators: rows in, scores out, in double precision and mostly bit by bit as the parts of a model score."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.export.graph import Graph
from tsprune.kernels.density import FAR, TINY

if TYPE_CHECKING:
    from tsprune.model.blend import Score
    from tsprune.model.boundary import Boundary
    from tsprune.model.cascade import Cascade
    from tsprune.model.density import Density, Neighbours
    from tsprune.model.forest import Forest
    from tsprune.model.nearest import Nearest
    from tsprune.model.subspace import Subspace
    from tsprune.types import Floats, Matrix

#: Bits of a whole number that float32 holds, less one.
EXACT = 23


def forest(part: Forest, graph: Graph, rows: str) -> str:
    """Sums of path lengths by the operator for trees: in float32, as are our thresholds, so that every row ends in the same leaves.

    Each length is two numbers, one whose sums are exact in float32 and the rest.
    """
    sums = graph.add("TreeEnsembleRegressor", graph.cast(rows, np.float32), domain="ai.onnx.ml", **_trees(part))
    exponent = graph.add("Add", graph.add("ReduceSum", graph.cast(sums, np.float64), graph.whole(1), keepdims=0), graph.constant(part.base))
    exponent = graph.add("Div", exponent, graph.constant(-part.mean_of * part.normal))
    return graph.add("Add", graph.add("Pow", graph.constant(2.0), exponent), graph.constant(part.shift))


def _trees(part: Forest) -> dict[str, Any]:
    """Attributes of the operator: nodes go by their place within their tree, and a row goes left where it is at or below."""
    inner, places = part.feature >= 0, np.arange(part.n_parts)
    tree = np.searchsorted(part.roots, places, side="right") - 1
    number = places - part.roots[tree]
    right = part.ends[np.minimum(places + 1, part.n_parts - 1)] - part.roots[tree]
    lengths = part.lengths[~inner]
    unit = 2.0 ** np.ceil(np.log2(max(np.abs(lengths).max(), 1e-9) * part.n_trees)) / 2**EXACT
    exact = np.rint(lengths / unit) * unit
    return {
        "n_targets": 2,
        "nodes_treeids": tree.tolist(),
        "nodes_nodeids": number.tolist(),
        "nodes_featureids": np.maximum(part.feature, 0).tolist(),
        "nodes_modes": np.where(inner, "BRANCH_LEQ", "LEAF").tolist(),
        "nodes_values": part.threshold.tolist(),
        "nodes_truenodeids": np.where(inner, number + 1, 0).tolist(),
        "nodes_falsenodeids": np.where(inner, right, 0).tolist(),
        "target_treeids": tree[~inner].repeat(2).tolist(),
        "target_nodeids": number[~inner].repeat(2).tolist(),
        "target_ids": [0, 1] * len(lengths),
        "target_weights": np.column_stack([exact, lengths - exact]).ravel().tolist(),
    }


def boundary(part: Boundary, graph: Graph, rows: str) -> str:
    """The offset minus a weighted sum of Gaussian bumps."""
    heights = graph.add("Exp", graph.add("Mul", squared_distances(graph, rows, part.vectors), graph.constant(-part.gamma)))
    return graph.add("Sub", graph.constant(part.offset), graph.weighted_sum(heights, part.weights))


def density(part: Density, graph: Graph, rows: str) -> str:
    """The local outlier factor; of points at equal distances the one with the smaller index comes first, as in ours."""
    distances, places = nearest(graph, rows, part.points, part.n_neighbors)
    reach = graph.add("Max", distances, graph.add("Gather", graph.constant(part.k_distance), places))
    sparseness = graph.add("Add", _mean(graph, reach), graph.constant(TINY))
    factor = graph.add("Mul", _mean(graph, graph.add("Gather", graph.constant(part.density), places)), sparseness)
    return graph.add("Mul", factor, graph.add("Gather", graph.constant(part.correction), graph.columns(places, 0)))


def neighbours(part: Neighbours, graph: Graph, rows: str) -> str:
    """The largest, mean or median distance to the nearest points."""
    distances, _ = nearest(graph, rows, part.points, part.n_neighbors)
    if part.summary == "mean":
        return _mean(graph, distances)
    last = part.n_neighbors - 1
    middle = [last // 2, part.n_neighbors // 2]
    return graph.columns(distances, last) if part.summary == "largest" else _mean(graph, graph.columns(distances, middle))


def nearest_rows(part: Nearest, graph: Graph, rows: str) -> str:
    """The distance to the k-th nearest of standardised rows, which stay in two bytes a number."""
    distances, _ = nearest(graph, _standard(graph, rows, part.centre, part.scale), part.reference.points, part.n_neighbors)
    return graph.columns(distances, part.n_neighbors - 1)


def subspace(part: Subspace, graph: Graph, rows: str) -> str:
    """Weighted sum of squares along some directions."""
    along = graph.add("MatMul", _standard(graph, rows, part.centre, part.scale), graph.constant(part.directions))
    return graph.weighted_sum(graph.add("Mul", along, along), part.weights)


def score(part: Score, graph: Graph, rows: str) -> str:
    """The one column: what stands behind a blend."""
    return graph.columns(rows, 0)


def cascade(part: Cascade, graph: Graph, rows: str) -> str:
    """Both factors of every row, and the whole one where the coarse one is suspicious: the same scores, no work saved."""
    coarse, whole = density(part.filter, graph, rows), density(part.whole, graph, rows)
    suspicious = graph.add("Greater", coarse, graph.constant(part.level))
    return graph.add("Where", suspicious, whole, graph.add("Min", coarse, graph.constant(part.ceiling)))


def squared_distances(graph: Graph, rows: str, points: Matrix) -> str:
    """Shape (n, n_points), summed feature by feature in our order: the same bits, so the same order of points at equal distances."""
    from onnx import TensorProto, helper

    step = Graph("step_")
    difference = step.add("Sub", step.add("Unsqueeze", "x", step.whole(1)), "points")
    total = step.add("Add", "total", step.add("Mul", difference, difference))
    shapes = {"total": ["n", "m"], "x": ["n"], "points": ["m"]}
    infos = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape) for name, shape in shapes.items()]
    out = helper.make_tensor_value_info(total, TensorProto.DOUBLE, ["n", "m"])
    body = helper.make_graph(step.nodes, "one_feature", infos, [out], step.constants)
    bounded = graph.add("Clip", rows, graph.constant(-FAR), graph.constant(FAR))
    shape = graph.add("Concat", graph.count(rows), graph.whole(len(points)), axis=0)
    zeros = graph.add("Expand", graph.constant(0.0), shape)
    return graph.add("Scan", zeros, graph.add("Transpose", bounded, perm=[1, 0]), graph.constant(points.T), body=body, num_scan_inputs=2)


def nearest(graph: Graph, rows: str, points: Matrix, k: int) -> tuple[str, str]:
    """Distances and places of the `k` nearest points of each row, from the nearest on, shape (n, k) both."""
    squares, places = graph.several(2, "TopK", squared_distances(graph, rows, points), graph.whole(k), axis=1, largest=0, sorted=1)
    return graph.add("Sqrt", squares), places


def _standard(graph: Graph, rows: str, centre: Floats, scale: Floats) -> str:
    """As `model.nearest` and `model.subspace` do: beyond 20 standard deviations nothing is farther."""
    scaled = graph.add("Div", graph.add("Sub", rows, graph.constant(centre)), graph.constant(scale))
    return graph.add("Clip", scaled, graph.constant(-20.0), graph.constant(20.0))


def _mean(graph: Graph, values: str) -> str:
    return graph.add("ReduceMean", values, graph.whole(1), keepdims=0)


#: Class of a detector -> how its score is written.
DETECTORS: dict[str, Callable[[Any, Graph, str], str]] = {
    "Boundary": boundary,
    "Cascade": cascade,
    "Density": density,
    "Forest": forest,
    "Nearest": nearest_rows,
    "Neighbours": neighbours,
    "Score": score,
    "Subspace": subspace,
}
