"""Windows: what a detector of rows needs to see of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tsprune.errors import BadSeries
from tsprune.features.catalogue import resolve
from tsprune.kernels.smooth import scale_of
from tsprune.model.windows import WindowMatrix
from tsprune.params import check_choice, check_count
from tsprune.series.stage import Stage

if TYPE_CHECKING:
    from tsprune.series.table import Table
    from tsprune.types import Floats


class Windows(Stage):
    """Turn each row into features of the trailing window that ends there.

    Parameters
    ----------
    length : int or "auto"
        Rows of the window.  "auto" takes 16, and never more than a quarter of the training rows.
    features : str or tuple of str
        "raw" (the values), "shape" (the values minus their mean, divided by their standard deviation), a statistic
        ("value", "step", "mean", "std", "min", "max", "median", "range", "roughness", "deviation", "slope"), or a group:
        "statistics" (eight of them) or "point" (the row against its last quarter and whole window).
    scale : "robust" or "none"
        "robust" subtracts the median of each feature and divides by its MAD, both of the training rows.

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
    ):
        self.length = length
        self.features = features
        self.scale = scale

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        part = self.part_
        assert isinstance(part, WindowMatrix)
        return part.labels(columns)

    def facts(self) -> dict[str, float]:
        """The window in rows, and the number of features."""
        return {"length": float(self.length_), "features": float(self.part_.n_out)}

    def _learn(self, table: Table) -> WindowMatrix:
        check_choice(("robust", "none"), scale=self.scale)
        n, d = table.values.shape
        self.length_ = max(1, min(16, n // 4)) if self.length == "auto" else check_count(length=self.length, high=2**20)
        names, lengths = resolve(self.features, self.length_)
        floor = np.array([max(1e-3 * scale_of(table.values[:, j]), 1e-300) for j in range(d)])
        plain = WindowMatrix(d, names, lengths, floor, np.zeros(0), np.ones(0))
        raw = plain.raw(table.values, table.slots)
        if np.isnan(raw).any(axis=1).all() and self.length != "auto":
            raise BadSeries(
                f"Windows(length={self.length}) finds no complete window in {n} rows: too short, or a value is missing in each. "
                f"Give a longer history, a shorter length, or fill the gaps."
            )
        centre, scale = self._scaling(raw)
        self.min_lookback_ = max(lengths) - 1
        return WindowMatrix(d, names, lengths, floor, centre, scale)

    def _scaling(self, raw: Floats) -> tuple[Floats, Floats]:
        width = raw.shape[1]
        if self.scale == "none":
            return np.zeros(width), np.ones(width)
        columns = [raw[~np.isnan(raw[:, k]), k] for k in range(width)]
        centre = np.array([float(np.median(column)) if len(column) else 0.0 for column in columns])
        return centre, np.array([scale_of(column) for column in columns])
