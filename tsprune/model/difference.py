"""The first difference: what a row adds to the value before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats


@dataclass(frozen=True)
class Difference(Part):
    """Each column minus the last value before, which lies at most `reach` slots back; NaN where there is none."""

    n_features: int
    reach: int

    def check(self) -> None:
        if self.n_features < 1 or not 1 <= self.reach <= 2**20:
            raise ValueError(f"a difference of {self.n_features} columns over {self.reach} slots")

    @property
    def lookback(self) -> int:
        return self.reach

    @property
    def min_lookback(self) -> int:
        return 1

    def apply(self, values: Floats, clock: Slots) -> Floats:
        return np.column_stack([self._steps(clock.windows(values[:, j], self.reach + 1)) for j in range(self.n_features)])

    def _steps(self, windows: Floats) -> Floats:
        before = windows[:, -2::-1]  # the newest first
        newest = np.argmax(~np.isnan(before), axis=1)  # where none is there: a missing one
        steps: Floats = windows[:, -1] - np.take_along_axis(before, newest[:, None], axis=1)[:, 0]
        return steps
