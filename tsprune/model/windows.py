"""Trailing windows as features: raw values and statistics, on the row where the window ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.windows import STATISTICS, bridged, coarse, n_pieces, normalised
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Ints, Mask

#: Features that are several values, not one number: one per slot of the window, or ("coarse") per piece of it.
WIDE = ("coarse", "raw", "shape")


@dataclass(frozen=True)
class WindowMatrix(Part):
    """For each column the same features, each over its own length; then centred and scaled.

    A window with a gap longer than `bridge` gives NaN.  A shorter gap counts as the value before it (at the beginning of a window,
    the one after).
    """

    n_features: int
    features: tuple[str, ...]  # names of STATISTICS, or "raw" (the values), "shape" (the z-normed values), or "coarse" (means of pieces)
    lengths: tuple[int, ...]  # rows of each feature's window
    floor: Floats  # smallest standard deviation a "shape" is divided by, per column
    centre: Floats  # subtracted from each output column
    scale: Floats  # then divides it
    bridge: int = 0  # longest run of missing values that does not silence a window

    def check(self) -> None:
        if len(self.features) != len(self.lengths) or not self.features or self.n_features < 1:
            raise ValueError("the features and their lengths do not agree")
        if any(name not in STATISTICS and name not in WIDE for name in self.features):
            raise ValueError(f"an unknown feature among {self.features}")
        if any(not 1 <= length <= 2**20 for length in self.lengths):
            raise ValueError("a window length is out of range")
        if not len(self.centre) == len(self.scale) == self.n_out or len(self.floor) != self.n_features:
            raise ValueError("the columns of the windows do not agree")
        if self.scale.min() <= 0.0 or self.floor.min() <= 0.0 or not 0 <= self.bridge <= 2**20:
            raise ValueError("a scale of the windows is not positive, or a gap is out of range")

    @property
    def n_out(self) -> int:
        return self.n_features * sum(width_of(name, length) for name, length in zip(self.features, self.lengths, strict=True))

    @property
    def lookback(self) -> int:
        return max(self.lengths) - 1

    @property
    def min_lookback(self) -> int:
        return max(0, max(self.lengths) - 1 - self.bridge)

    @property
    def covers(self) -> int:
        """Rows that a row's features stand for alike: the longest window whose values are features; statistics speak of its end."""
        return max((length for name, length in zip(self.features, self.lengths, strict=True) if name in WIDE), default=1)

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
            gaps = {length: _gaps(own, self.bridge) for length, own in windows.items()}
            for name, length in zip(self.features, self.lengths, strict=True):
                width = width_of(name, length)
                block = out[:, at : at + width]
                block[...] = self._feature(name, windows[length], j)
                missing, rows, filled = gaps[length]
                block[missing] = np.nan
                if len(rows):
                    block[rows] = self._feature(name, filled, j)
                at += width
        return out

    def _feature(self, name: str, windows: Floats, column: int) -> Floats:
        if name == "raw":
            return windows
        if name == "coarse":
            return coarse(windows)
        return normalised(windows, self.floor[column]) if name == "shape" else STATISTICS[name](windows)[:, None]

    def labels(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the output columns: `column__mean_24`, or `column__raw_24[-3]` for the value three slots back."""
        names = []
        for column in columns:
            for name, length in zip(self.features, self.lengths, strict=True):
                if name in WIDE:
                    names += [f"{column}__{name}_{length}[{back}]" for back in range(1 - width_of(name, length), 1)]
                else:
                    names.append(f"{column}__{name}" if name == "value" else f"{column}__{name}_{length}")
        return tuple(names)


def width_of(name: str, length: int) -> int:
    """Columns that a feature takes."""
    if name == "coarse":
        return n_pieces(length)
    return length if name in WIDE else 1


def _gaps(windows: Floats, bridge: int) -> tuple[Mask, Ints, Floats]:
    """Which windows miss a value; those of them whose gaps are bridged, and these as they are then."""
    missing: Mask = np.asarray(np.isnan(windows).any(axis=1))
    rows = np.flatnonzero(missing & ~np.isnan(windows[:, -1])) if bridge else np.empty(0, np.int64)
    filled, refused = bridged(windows[rows], bridge)
    return missing, rows[~refused], filled[~refused]
