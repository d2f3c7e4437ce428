"""What a detector may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsprune.model.blend import Blend
from tsprune.model.columns import Columns
from tsprune.model.nearest import Nearest
from tsprune.model.subspace import Subspace
from tsprune.model.windows import WindowMatrix
from tsprune.params import check_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsprune.model.part import Part

#: Microseconds per row of a view of one column, and of a search of the nearest point: at rest, per point, per point and feature.
#: Measured on one core of a server of 2022 with noise as data, which no search tree shortens: most series take half of it.
VIEW_US, SEARCH_US, POINT_US, FEATURE_US = 0.5, 0.5, 1.4e-3, 1.0e-4
#: The same of a subspace, per direction and feature; of a calibrated tail; of a copied number.
PRODUCT_US, TAIL_US, COPY_US = 8e-4, 0.2, 0.02


@dataclass(frozen=True)
class Budget:
    """Limits for `choose`; None is no limit.

    Parameters
    ----------
    seconds : float or None
        Of search: what has not been tried by then is left out, and the reasons say so.
    bytes : float or None
        Of the model file.
    us_per_row : float or None
        Microseconds to score a row of a batch on one core, by a formula (`estimated_us`), so that the answer is the same on every
        machine.

    Examples
    --------
    >>> from tsprune.choose import Budget
    >>> Budget.small()
    Budget(seconds=60.0, bytes=60000.0, us_per_row=10.0)
    """

    seconds: float | None = 60.0
    bytes: float | None = 1e6
    us_per_row: float | None = 50.0

    def __post_init__(self) -> None:
        for name in ("seconds", "bytes", "us_per_row"):
            if getattr(self, name) is not None:
                check_number(low=0.0, open_low=True, **{name: getattr(self, name)})

    @classmethod
    def small(cls) -> Budget:
        """60 kB and 10 microseconds per row: for thousands of series, or a device at the edge."""
        return cls(bytes=6e4, us_per_row=10.0)

    def allows(self, nbytes: float, us_per_row: float) -> bool:
        """Whether a detector of this size and speed is within the limits."""
        return self.excess(nbytes, us_per_row) <= 1.0

    def excess(self, nbytes: float, us_per_row: float) -> float:
        """The larger of both as a multiple of its limit."""
        return max(nbytes / (self.bytes or math.inf), us_per_row / (self.us_per_row or math.inf))


def estimated_us(parts: Iterable[Part], detector: Any) -> float:
    """Microseconds that a member takes per row, by the numbers of its columns, points, directions and features."""
    views = sum(_view_us(part) for part in parts)
    if isinstance(detector, Nearest):
        return views + SEARCH_US + detector.n_parts * (POINT_US + FEATURE_US * detector.n_features)
    if isinstance(detector, Subspace):
        return views + PRODUCT_US * detector.n_parts * detector.n_features
    if isinstance(detector, Blend):
        return views + sum(TAIL_US + estimated_us(detector.chain(k), member.detector) for k, member in enumerate(detector.members))
    return views + PRODUCT_US * detector.nbytes


def _view_us(part: Part) -> float:
    """Taking columns, or the values alone, costs next to nothing."""
    if isinstance(part, Columns) or (isinstance(part, WindowMatrix) and part.lookback == 0):
        return COPY_US * part.n_out
    return VIEW_US * part.n_features
