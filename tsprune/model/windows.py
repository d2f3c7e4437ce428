"""Trailing windows as features: raw values and statistics, on the row where the window ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.windows import STATISTICS, bridged, coarse, n_pieces, normalised
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats

#: Values of windows that are copied at a time.
CELLS = 1 << 20

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
        widths = [width_of(name, length) for name, length in zip(self.features, self.lengths, strict=True)]
        ends = np.cumsum(widths).tolist()
        for j in range(self.n_features):
            own = out[:, j * ends[-1] : (j + 1) * ends[-1]]
            for length in dict.fromkeys(self.lengths):
                places = [
                    (name, slice(end - width, end))
                    for name, of, width, end in zip(self.features, self.lengths, widths, ends, strict=True)
                    if of == length
                ]
                self._fill(own, clock.windows(values[:, j], length), places, j)
        return out

    def _fill(self, out: Floats, windows: Floats, places: list[tuple[str, slice]], column: int) -> None:
        """Features of windows of one length, each into its place; those with a gap that is bridged in blocks, since they are copied."""
        missing = np.isnan(windows).any(axis=1)
        for name, place in places:
            out[:, place] = self._feature(name, windows, column)
            out[missing, place] = np.nan
        rows = np.flatnonzero(missing & ~np.isnan(windows[:, -1])) if self.bridge else np.empty(0, np.int64)
        size = max(1, CELLS // windows.shape[1])
        for start in range(0, len(rows), size):
            filled, refused = bridged(windows[rows[start : start + size]], self.bridge)
            some, filled = rows[start : start + size][~refused], filled[~refused]
            for name, place in places if len(some) else ():
                out[some, place] = self._feature(name, filled, column)

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
