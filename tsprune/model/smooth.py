"""Causal denoising as an added channel, or in place of the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.smooth import hampel
from tsprune.kernels.windows import mean, nan_median
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats

METHODS = ("hampel", "mean", "median")


@dataclass(frozen=True)
class Smoother(Part):
    """A smoothed copy of each column, after the raw ones or instead of them."""

    n_features: int
    method: str
    window: int
    cutoff: float  # sigmas beyond which Hampel replaces a value
    add: bool

    def check(self) -> None:
        if self.method not in METHODS or not 1 <= self.window <= 2**24 or self.n_features < 1 or self.cutoff < 0.0:
            raise ValueError(f"a smoother of method {self.method!r} over {self.window} rows")

    @property
    def n_out(self) -> int:
        return self.n_features * (2 if self.add else 1)

    @property
    def lookback(self) -> int:
        return self.window - 1

    def apply(self, values: Floats, clock: Slots) -> Floats:
        smooth = np.column_stack([self._smoothed(values[:, j], clock) for j in range(self.n_features)])
        smooth[np.isnan(values)] = np.nan
        return np.column_stack([values, smooth]) if self.add else smooth

    def _smoothed(self, column: Floats, clock: Slots) -> Floats:
        windows = clock.windows(column, self.window)
        if self.method == "hampel":
            return hampel(windows, self.cutoff)
        if self.method == "median":
            return nan_median(windows)
        there = ~np.isnan(windows)
        count = np.maximum(there.sum(axis=1), 1)
        return mean(np.where(there, windows, 0.0)) * (self.window / count)
