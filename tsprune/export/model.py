"""A whole chain as one graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tsprune.errors import BadParameter, NotPrunable
from tsprune.export.blend import STAGES, scored, way_out
from tsprune.export.graph import IR, OPSET, TREES, Graph
from tsprune.params import check_choice

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from tsprune.model.chain import Model

DTYPES = {"float32": np.float32, "float64": np.float64}


def to_onnx(model: Model, *, detector_only: bool = False, dtype: Literal["float32", "float64"] = "float32") -> bytes:
    """A model as the content of an ONNX file; see `Model.to_onnx`."""
    check_choice(DTYPES, dtype=dtype)
    try:
        from onnx import checker, helper
    except ImportError as error:
        raise BadParameter("to_onnx needs the package onnx, which is not here: pip install 'tsprune[onnx]'.") from error
    parts = () if detector_only else model.parts
    graph = Graph()
    outputs = _scored(model, graph, _features(model, graph, parts))
    width = model.detector.n_features if detector_only else model.n_features
    inputs = [_told("rows", DTYPES[dtype], "n", width)]
    if any(part.uses_clock for part in parts):
        inputs.append(_told("time", np.int64, "n"))
    versions = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREES)]
    made = helper.make_graph(graph.nodes, "tsprune", inputs, outputs, graph.constants)
    proto = helper.make_model(made, opset_imports=versions, ir_version=IR, producer_name="tsprune")
    checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _features(model: Model, graph: Graph, parts: tuple[Any, ...]) -> str:
    """What the detector sees, in double precision as everything that follows."""
    rows = graph.cast("rows", np.float64)
    for part in parts:
        kind = type(part).__name__
        if kind not in STAGES:
            raise NotPrunable(
                f"{kind} has no form in ONNX; {', '.join(STAGES)} have one. {way_out(kind)}Give detector_only=True: the graph then takes the columns that "
                f"the detector sees, model.features(values, model.clock.slots(time))."
            )
        rows = STAGES[kind](part, graph, rows, model.clock)
    return rows


def _scored(model: Model, graph: Graph, features: str) -> list[Any]:
    """The outputs: scores, NaN for a row that misses a feature, and which of them are alarms where one number decides that."""
    graph.add_named("score", "Identity", scored(model.detector, graph, features))
    outputs = [_told("score", np.float64, "n")]
    if not model.level.lookback:
        graph.add_named("anomaly", "Greater", "score", graph.constant(model.threshold))
        outputs.append(_told("anomaly", np.bool_, "n"))
    return outputs


def _told(name: str, dtype: DTypeLike, *shape: str | int) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
