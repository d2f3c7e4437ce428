"""Names for the arrays that travel through the package."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]  #: of two axes; Floats elsewhere may have one or two
Ints: TypeAlias = NDArray[np.int64]
Codes: TypeAlias = NDArray[np.int16]  #: of two axes: numbers on a grid
Singles: TypeAlias = NDArray[np.float32]  #: of two axes
Mask: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[np.generic]

#: What a JSON document can hold; the facts of a model part are of this kind.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
