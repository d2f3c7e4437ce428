"""Windows: what a detector of rows needs to see of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tsprune.errors import BadSeries
from tsprune.features.catalogue import resolve
from tsprune.kernels.smooth import scale_of
from tsprune.model.windows import WindowMatrix
from tsprune.params import check_choice, check_count, check_number
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from tsprune.series.table import Table
    from tsprune.types import Floats, Ints, Mask


#: Gaps that are bridged where it is left to us: at least, and at the most so many slots.
SHORTEST, LONGEST = 3, 32


class Windows(Stage):
    """Turn each row into features of the trailing window that ends there.

    Parameters
    ----------
    length : int or "auto"
        Rows of the window.  "auto" takes 16, and never more than a quarter of the training rows.
    features : str or tuple of str
        "raw" (the values), "shape" (the values minus their mean, divided by their standard deviation), "coarse" (the values as at
        most 32 means of neighbours), a statistic
        ("value", "step", "mean", "std", "min", "max", "median", "range", "roughness", "deviation", "slope"), or a group:
        "statistics" (eight of them) or "point" (the row against its last quarter and whole window).
    scale : "robust" or "none"
        "robust" subtracts the median of each feature and divides by its MAD, both of the training rows.
    floor : float
        "shape" divides by no less than this share of the standard deviation of the training rows: with a higher floor a
        flat window stays flat, with a lower one its noise counts as a shape.
    bridge : int or "auto"
        The longest gap, in slots, that does not silence the windows it lies in: it counts as the value before it.  0: every missing
        value does.  "auto": as long as gaps usually are in the training rows, at least 3 slots and at most 32, and never so long that it
        counts for much: at most half a window, and a quarter of one where no such gaps were seen.
        Windows that reach before the first row of a history are scored alike, and teach a `Pipeline` nothing.

    Attributes
    ----------
    part_ : WindowMatrix
    lookback_ : int
        Slots before a row that its features depend on.
    min_lookback_ : int
        Rows at the start of a record that have no complete window, and so no score.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.features import Windows
    >>> Windows(length=3, features="raw", scale="none").fit_transform(np.arange(5.0)[:, None])
    array([[nan, nan, nan],
           [nan, nan, nan],
           [ 0.,  1.,  2.],
           [ 1.,  2.,  3.],
           [ 2.,  3.,  4.]])
    """

    def __init__(
        self,
        length: int | Literal["auto"] = "auto",
        features: str | tuple[str, ...] = ("raw", "statistics"),
        scale: Literal["robust", "none"] = "robust",
        floor: float = 1e-3,
        bridge: int | Literal["auto"] = "auto",
    ):
        self.length = length
        self.features = features
        self.scale = scale
        self.floor = floor
        self.bridge = bridge

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        part = self.part_
        assert isinstance(part, WindowMatrix)
        return part.labels(columns)

    def facts(self) -> dict[str, float]:
        """The window in rows, and the number of features."""
        return {"length": float(self.length_), "features": float(self.part_.n_out)}

    def taught(self, table: Table) -> Table:
        """The features without those of windows that reach before the first row: bridged, they would be of values never seen."""
        behind = super().taught(table)
        return behind.with_values(
            np.where(whole(table.slots.absolute, table.values, self.part_.lookback)[:, None], behind.values, np.nan), behind.columns
        )

    def _learn(self, table: Table) -> WindowMatrix:
        check_choice(("robust", "none"), scale=self.scale)
        n, d = table.values.shape
        self.length_ = max(1, min(16, n // 4)) if self.length == "auto" else check_count(length=self.length, high=2**20)
        names, lengths = resolve(self.features, self.length_)
        share = check_number(floor=self.floor, low=0.0, open_low=True)
        floor = np.array([max(share * _spread(table.values[:, j]), 1e-300) for j in range(d)])
        bridge = self._bridge(table)
        plain = WindowMatrix(d, names, lengths, floor, np.zeros(0), np.ones(0), bridge)
        raw = np.where(whole(table.slots.absolute, table.values, plain.lookback)[:, None], plain.raw(table.values, table.slots), np.nan)
        if np.isnan(raw).any(axis=1).all() and self.length != "auto":
            raise BadSeries(
                f"Windows(length={self.length}) finds no complete window in {n} rows: too short, or a value is missing in each. "
                f"Give a longer history, a shorter length, or fill the gaps."
            )
        centre, scale = self._scaling(raw)
        part = WindowMatrix(d, names, lengths, floor, centre, scale, bridge)
        self.min_lookback_ = part.min_lookback
        return part

    def _bridge(self, table: Table) -> int:
        if self.bridge != "auto":
            return check_count(bridge=self.bridge, low=0, high=2**20)
        return bridge_over(usual_gap(gaps_of(table)), self.length_)

    def _scaling(self, raw: Floats) -> tuple[Floats, Floats]:
        width = raw.shape[1]
        if self.scale == "none":
            return np.zeros(width), np.ones(width)
        columns = [raw[~np.isnan(raw[:, k]), k] for k in range(width)]
        centre = np.array([float(np.median(column)) if len(column) else 0.0 for column in columns])
        return centre, np.array([scale_of(column) for column in columns])


def _spread(column: Floats) -> float:
    """Standard deviation of the values that are there; 0 without any."""
    there = column[~np.isnan(column)]
    return float(np.std(there)) if len(there) else 0.0


def whole(slots: Ints, values: Floats, lookback: int) -> Mask:
    """Which rows have a lookback that begins at the first complete row or later; `values` has shape (n, d).

    >>> import numpy as np
    >>> from tsprune.features.windows import whole
    >>> whole(np.arange(5), np.array([[np.nan], [2.0], [3.0], [2.0], [np.nan]]), lookback=2)
    array([False, False, False,  True,  True])
    """
    known: Mask = np.logical_not(np.isnan(values).any(axis=1), dtype=bool)
    return slots >= slots[int(np.argmax(known))] + lookback if len(slots) else known


def gaps_of(table: Table) -> Ints:
    """The gaps between the complete rows of a table, as `count_gaps` counts them."""
    return count_gaps(table.slots.absolute[~np.isnan(table.values).any(axis=1)])


def count_gaps(slots: Ints) -> Ints:
    """How many gaps of 0, 1, ... 32 or more missing slots lie between neighbouring rows, shape (33,).

    >>> import numpy as np
    >>> from tsprune.features.windows import count_gaps
    >>> count_gaps(np.array([0, 1, 2, 5]))[:4]
    array([2, 0, 1, 0])
    """
    return np.bincount(np.clip(np.diff(slots) - 1, 0, LONGEST), minlength=LONGEST + 1)


def usual_gap(counts: Ints) -> int:
    """Missing slots in a row that a series usually has: all but one in a hundred of its gaps are no longer.

    >>> import numpy as np
    >>> from tsprune.features.windows import usual_gap
    >>> usual_gap(np.array([90, 0, 0, 0, 10])), usual_gap(np.array([999, 1]))
    (4, 0)
    """
    ranked = np.cumsum(counts)
    return int(np.searchsorted(ranked, 0.99 * (ranked[-1] - 1), side="right")) if ranked[-1] else 0


def bridge_over(gap: int, length: int) -> int:
    """The longest gap that windows of some length are to bridge where gaps are usually so long.

    >>> from tsprune.features.windows import bridge_over
    >>> bridge_over(0, length=16), bridge_over(5, length=16), bridge_over(20, length=16), bridge_over(0, length=3)
    (3, 5, 8, 0)
    """
    return min(max(gap, min(SHORTEST, length // 4)), length // 2)
