"""A forest as a file holds it: one bit per node for the shape, and nothing for what a node does not have.

Reading takes little memory: node by node arrays as narrow as their largest number, and blocks of nodes on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadModelFile
from tsprune.kernels.forest import BLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tsprune.types import AnyArray, Ints

#: Name of each array in a file, and the kinds of its numbers.
KINDS = {"inner": "u", "feature": "u", "threshold": "f", "leaf": "iu"}


def packed(feature: Ints, threshold: NDArray[np.float32], leaf: Ints, n_features: int, *, narrow: bool) -> dict[str, AnyArray]:
    """Arrays for a file: 5 bytes per inner node of up to 256 columns, 1 or 2 per leaf.

    Parameters
    ----------
    feature, threshold, leaf : ndarray, shape (n_nodes,)
        Whole trees in pre-order; the feature is negative at a leaf.
    n_features : int
        Columns that there are.
    narrow : bool
        Whether leaves hold numbers of 16 bits with a sign, not counts.

    Examples
    --------
    >>> import numpy as np
    >>> tree = packed(np.array([0, -1, -1]), np.array([0.5, 0, 0], dtype=np.float32), np.array([0, 3, 1]), 1, narrow=False)
    >>> [(name, array.tolist()) for name, array in tree.items()]
    [('inner', [128]), ('feature', [0]), ('threshold', [0.5]), ('leaf', [3, 1])]
    """
    inner = feature >= 0
    return {
        "inner": np.packbits(inner),
        "feature": feature[inner].astype(np.min_scalar_type(n_features - 1)),
        "threshold": threshold[inner],
        "leaf": leaf[~inner].astype(np.int16 if narrow else np.min_scalar_type(leaf.max())),
    }


def unpacked(arrays: Mapping[str, AnyArray]) -> tuple[Ints, NDArray[np.float32], Ints]:
    """Feature, threshold and leaf of each node, from arrays of the right kinds that may be hostile.

    Raises
    ------
    BadModelFile
        If they do not fit together.
    """
    bits: Any = arrays["inner"]
    own = {name: arrays[name] for name in ("feature", "threshold", "leaf")}
    n_inner, n_leaves = len(own["feature"]), len(own["leaf"])
    n = n_inner + n_leaves
    if bits.dtype != np.uint8 or len(own["threshold"]) != n_inner or len(bits) != -(-n // 8):
        raise BadModelFile("the arrays of the forest do not fit together.")
    feature, threshold, leaf = np.full(n, -1, _narrowest(own["feature"])), np.zeros(n, np.float32), np.zeros(n, _narrowest(own["leaf"]))
    passed = 0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        inner = np.unpackbits(bits[start // 8 : (start + BLOCK) // 8], count=len(feature[block])).view(bool)
        splits = slice(passed, passed + int(inner.sum()))
        ends = slice(start - passed, start - passed + int((~inner).sum()))
        if splits.stop > n_inner or ends.stop > n_leaves:
            raise BadModelFile("the shape of the forest does not fit its nodes.")
        feature[block][inner], threshold[block][inner] = own["feature"][splits], own["threshold"][splits]
        leaf[block][~inner] = own["leaf"][ends]
        passed = splits.stop
    return feature, threshold, leaf


def _narrowest(numbers: AnyArray) -> np.dtype[Any]:
    """The narrowest type with a sign that holds -1 and all of the numbers; of 4 bytes at the most."""
    low, high = (int(edge) for edge in (min(-1, numbers.min(initial=0)), numbers.max(initial=0)))
    if max(high, -low) >= 2**31:
        raise BadModelFile("a number of the forest is out of range.")
    return np.result_type(np.min_scalar_type(low), np.min_scalar_type(-1 - high))
