"""Causal denoising as an added channel, or in place of the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.denoise import medians, trailing, wavelet, weighted
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Matrix

METHODS = ("hampel", "kalman", "mean", "median", "savgol", "wavelet")

#: Those that are a weighted sum of the window.
SUMS = ("kalman", "mean", "savgol")


@dataclass(frozen=True)
class Smoother(Part):
    """A smoothed copy of each column, after the raw ones or instead of them."""

    n_features: int
    method: str
    window: int
    cutoff: float  # sigmas beyond which Hampel replaces a value, and beyond which a detail of the wavelet stays
    add: bool
    taps: Matrix  # weights of the window, oldest first, (d, window); of other methods (d, 0)
    sigma: Matrix  # spread of each level's details in the history, (d, levels); of other methods (d, 0)

    def check(self) -> None:
        if self.method not in METHODS or not 1 <= self.window <= 2**24 or self.n_features < 1 or self.cutoff < 0.0:
            raise ValueError(f"a smoother of method {self.method!r} over {self.window} rows")
        levels = levels_of(self.window) if self.method == "wavelet" else 0
        sums = self.window if self.method in SUMS else 0
        if self.taps.shape != (self.n_features, sums) or self.sigma.shape != (self.n_features, levels):
            raise ValueError("the columns of the smoother do not agree")
        if sums and (np.abs(self.taps).max() > 1e3 or np.abs(self.taps.sum(axis=1)).min() < 1e-3):
            raise ValueError("the weights of the smoother are out of range")
        if levels and self.sigma.min() < 0.0:
            raise ValueError("a spread of the smoother is negative")

    @property
    def n_out(self) -> int:
        return self.n_features * (2 if self.add else 1)

    @property
    def lookback(self) -> int:
        return self.window - 1

    def apply(self, values: Floats, clock: Slots) -> Floats:
        smooth = self._smoothed(values, clock)
        smooth[np.isnan(values)] = np.nan
        return np.column_stack([values, smooth]) if self.add else smooth

    def _smoothed(self, values: Floats, clock: Slots) -> Floats:
        if self.method == "wavelet":
            columns = range(self.n_features)
            return np.column_stack([wavelet(values[:, j], clock.absolute, self.sigma[j], self.cutoff) for j in columns])
        line, at = clock.line(values, self.window)
        if self.method in SUMS:
            return trailing(line, at, values, self.window, lambda layers: weighted(layers, self.taps))
        return medians(line, at, values, self.window, self.cutoff if self.method == "hampel" else None)


def levels_of(window: int) -> int:
    """Levels of the wavelet that look back no farther than a window."""
    return window.bit_length() - 1
