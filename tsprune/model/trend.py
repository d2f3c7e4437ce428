"""The slow trend as medians of past blocks, and the two channels that remain: level and innovation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.smooth import block_trend, innovation
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Matrix


@dataclass(frozen=True)
class BlockTrend(Part):
    """Each column becomes its channels: what stands above the trend, and what an autoregression does not foresee.

    They see different anomalies: a fault of hours is in the level and soon foreseen by the autoregression, a
    small jump in a wandering level is in the innovation only.
    """

    block: int  # slots of a block
    blocks: int  # how many are looked back
    start: Floats  # the trend before there are enough blocks, per column
    channels: tuple[str, ...]  # of "level", "innovation", in the order of the output
    weights: Matrix  # of the autoregression, (d, order)
    clip: Floats  # bound on the past values the autoregression sees, per column
    scale: Matrix  # divisor of each channel, (d, channels)

    def check(self) -> None:
        d = len(self.start)
        if self.block < 1 or self.blocks < 1 or self.block * self.blocks > 2**31:
            raise ValueError("the blocks of the trend are out of range")
        if not self.channels or not set(self.channels) <= {"level", "innovation"}:
            raise ValueError(f"the channels are {self.channels}")
        if len(self.weights) != d or len(self.clip) != d or self.scale.shape != (d, len(self.channels)):
            raise ValueError("the columns of the trend do not agree")
        if d == 0 or self.scale.min() <= 0.0 or self.clip.min() < 0.0:
            raise ValueError("a scale of the trend is not positive")

    @property
    def n_features(self) -> int:
        return len(self.start)

    @property
    def n_out(self) -> int:
        return self.n_features * len(self.channels)

    @property
    def lookback(self) -> int:
        return (self.blocks + 1) * self.block + (self.weights.shape[1] if "innovation" in self.channels else 0)

    @property
    def uses_clock(self) -> bool:
        return True  # the blocks are anchored at absolute slots

    def trend(self, values: Floats, clock: Slots) -> Floats:
        """The trend at each row, shape (n, d), in the unit of the series."""
        columns = [block_trend(values[:, j], clock.absolute, self.block, self.blocks, self.start[j]) for j in range(len(self.start))]
        return np.column_stack(columns)

    def apply(self, values: Floats, clock: Slots) -> Floats:
        level = values - self.trend(values, clock)
        out = []
        for j in range(len(self.start)):
            for k, channel in enumerate(self.channels):
                column = level[:, j]
                if channel == "innovation":
                    column = innovation(column, clock.absolute, self.weights[j], self.clip[j])
                out.append(column / self.scale[j, k])
        return np.column_stack(out)
