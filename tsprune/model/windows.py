"""Trailing windows as features: raw values and statistics, on the row where the window ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.windows import STATISTICS, normalised
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats

#: Features that are a value per slot of the window, not one number.
WIDE = ("raw", "shape")


@dataclass(frozen=True)
class WindowMatrix(Part):
    """For each column the same features, each over its own length; then centred and scaled.

    A window with a missing value gives NaN: half a window is another feature.
    """

    n_features: int
    features: tuple[str, ...]  # names of STATISTICS, or "raw" (the values), or "shape" (the z-normed values)
    lengths: tuple[int, ...]  # rows of each feature's window
    floor: Floats  # smallest standard deviation a "shape" is divided by, per column
    centre: Floats  # subtracted from each output column
    scale: Floats  # then divides it

    def check(self) -> None:
        if len(self.features) != len(self.lengths) or not self.features or self.n_features < 1:
            raise ValueError("the features and their lengths do not agree")
        if any(name not in STATISTICS and name not in WIDE for name in self.features):
            raise ValueError(f"an unknown feature among {self.features}")
        if any(not 1 <= length <= 2**20 for length in self.lengths):
            raise ValueError("a window length is out of range")
        if not len(self.centre) == len(self.scale) == self.n_out or len(self.floor) != self.n_features:
            raise ValueError("the columns of the windows do not agree")
        if self.scale.min() <= 0.0 or self.floor.min() <= 0.0:
            raise ValueError("a scale of the windows is not positive")

    @property
    def n_out(self) -> int:
        return self.n_features * sum(_width(name, length) for name, length in zip(self.features, self.lengths, strict=True))

    @property
    def lookback(self) -> int:
        return max(self.lengths) - 1

    @property
    def min_lookback(self) -> int:
        return max(self.lengths) - 1

    def apply(self, values: Floats, clock: Slots) -> Floats:
        raw = self.raw(values, clock)
        raw -= self.centre
        raw /= self.scale
        return raw

    def raw(self, values: Floats, clock: Slots) -> Floats:
        """The features before they are centred and scaled, shape (n, n_out)."""
        out = np.empty((len(values), self.n_out))
        at = 0
        for j in range(self.n_features):
            windows = {length: clock.windows(values[:, j], length) for length in set(self.lengths)}
            missing = {length: np.isnan(w).any(axis=1) for length, w in windows.items()}
            for name, length in zip(self.features, self.lengths, strict=True):
                width = _width(name, length)
                block = out[:, at : at + width]
                block[...] = self._feature(name, windows[length], j)
                block[missing[length]] = np.nan
                at += width
        return out

    def _feature(self, name: str, windows: Floats, column: int) -> Floats:
        if name == "raw":
            return windows
        return normalised(windows, self.floor[column]) if name == "shape" else STATISTICS[name](windows)[:, None]

    def labels(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the output columns: `column__mean_24`, or `column__raw_24[-3]` for the value three slots back."""
        names = []
        for column in columns:
            for name, length in zip(self.features, self.lengths, strict=True):
                if name in WIDE:
                    names += [f"{column}__{name}_{length}[{back}]" for back in range(1 - length, 1)]
                else:
                    names.append(f"{column}__{name}" if name == "value" else f"{column}__{name}_{length}")
        return tuple(names)


def _width(name: str, length: int) -> int:
    return length if name in WIDE else 1
