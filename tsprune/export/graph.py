"""A graph of ONNX operators that grows node by node; a value in it goes by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

#: Versions of the operators and of those for trees: what runtimes of 2023 and later read.
OPSET, TREES, IR = 18, 3, 8


class Graph:
    """Nodes and constants, in the order in which they were added.

    Parameters
    ----------
    prefix : str
        Of all names; a graph within another one needs its own.
    """

    def __init__(self, prefix: str = ""):
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The result of an operator."""
        return self.several(1, operator, *inputs, domain=domain, **attributes)[0]

    def several(self, n_out: int, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """All results of an operator that has several."""
        from onnx import helper

        outputs = [f"{self.prefix}{operator}_{len(self.nodes)}_{k}" for k in range(n_out)]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def add_named(self, name: str, operator: str, *inputs: str) -> None:
        """The result of an operator under a name of its own: an output of the graph."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, list(inputs), [name]))

    def constant(self, value: ArrayLike, dtype: DTypeLike = np.float64) -> str:
        """Numbers that are part of the graph."""
        from onnx import numpy_helper

        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, dtype=dtype)).reshape(np.shape(value)), name))
        return name

    def whole(self, *numbers: int) -> str:
        """A list of whole numbers, such as axes or a shape."""
        return self.constant(np.array(numbers), np.int64)

    def cast(self, value: str, dtype: DTypeLike) -> str:
        """The numbers in another type."""
        from onnx import helper

        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def columns(self, value: str, places: ArrayLike) -> str:
        """Some columns of a matrix; one column for a single place."""
        return self.add("Gather", value, self.constant(places, np.int64), axis=1)

    def count(self, value: str) -> str:
        """Number of rows, shape (1,)."""
        return self.add("Shape", value, start=0, end=1)

    def weighted_sum(self, value: str, weights: ArrayLike) -> str:
        """Sum of each row of a matrix by weight, shape (n,); as a product of matrices, which runtimes also take where there is no row."""
        product = self.add("MatMul", value, self.constant(np.asarray(weights)[:, None]))
        return self.add("Squeeze", product, self.whole(1))

    def misses(self, value: str) -> str:
        """Whether each row of a matrix misses a number, shape (n,)."""
        gaps = self.cast(self.add("IsNaN", value), np.int32)
        return self.cast(self.add("ReduceMax", gaps, self.whole(1), keepdims=0), np.bool_)

    def without_gaps(self, value: str) -> str:
        """Zero where a number is missing: operators do not agree on what they make of NaN."""
        return self.add("Where", self.add("IsNaN", value), self.constant(0.0), value)
