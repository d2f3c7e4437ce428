"""The slow trend as medians of past blocks, and the channels that remain: level, innovation, difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.trend import above_trend, block_trend, difference, innovation
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Ints, Matrix

CHANNELS = ("level", "innovation", "difference")

#: Values that are worked on together: what the cache holds.
TOGETHER = 1 << 18

#: Blocks whose rows tell whether the level has moved.
RECENT = 4


@dataclass(frozen=True)
class BlockTrend(Part):
    """Each column becomes its channels: what stands above the trend, and what the recent past does not foresee.

    They see different anomalies: a fault of hours is in the level and soon foreseen by the autoregression, a
    small jump in a wandering level is in the innovation only.
    """

    block: int  # slots of a block
    blocks: int  # how many are looked back; 0: the trend is `start`, for ever
    start: Floats  # the trend before there are enough blocks, per column
    channels: tuple[str, ...]  # of CHANNELS, in the order of the output
    weights: Matrix  # of the autoregression, (d, order)
    clip: Floats  # bound on the past values the autoregression sees, per column
    scale: Matrix  # divisor of each channel, (d, channels)

    def check(self) -> None:
        d = len(self.start)
        if self.block < 1 or self.blocks < 0 or self.block * self.blocks > 2**31:
            raise ValueError("the blocks of the trend are out of range")
        if not self.channels or not set(self.channels) <= set(CHANNELS):
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
        steps = {"level": 0, "difference": 1, "innovation": self.weights.shape[1]}
        return (self.blocks + 1) * self.block * (self.blocks > 0) + max(steps[channel] for channel in self.channels)

    @property
    def uses_clock(self) -> bool:
        return True  # the blocks are anchored at absolute slots

    def trend(self, values: Floats, clock: Slots) -> Floats:
        """The trend at each row, shape (n, d), in the unit of the series."""
        if self.blocks == 0:
            return np.broadcast_to(self.start, values.shape)
        return block_trend(values, clock.absolute, self.block, self.blocks, self.start)

    def apply(self, values: Floats, clock: Slots) -> Floats:
        out = np.empty((len(values), self.n_out))
        slots, width = clock.absolute, len(self.channels)
        together = max(1, TOGETHER // len(values))
        for low in range(0, self.n_features, together):
            own = slice(low, low + together)
            level = self._level(values[:, own], slots, own)
            for k, channel in enumerate(self.channels):
                into, scale = out[:, low * width + k : (low + together) * width : width], self.scale[own, k]
                if channel == "innovation":
                    innovation(level, slots, self.weights[own], self.clip[own], scale, into)
                else:
                    np.divide(level if channel == "level" else difference(level, slots), scale, out=into)
        return out

    def foreseen(self, values: Floats, clock: Slots) -> Floats:
        """What a row would be if nothing happened, before any scaling, shape (n, d): the trend."""
        return self.trend(values, clock)

    def moved(self, values: Floats, clock: Slots) -> Floats:
        """Share of the latest rows whose level is far out, shape (d,): near 1, the level of the history is gone.

        Looks at the last four blocks; far is where the autoregression is clipped, at three spreads of the training level.
        """
        level = values - self.trend(values, clock)
        recent = level[clock.absolute > clock.absolute[-1] - RECENT * self.block]
        there = np.maximum((~np.isnan(recent)).sum(axis=0), 1)
        return np.asarray((np.abs(recent) > self.clip).sum(axis=0) / there)

    def _level(self, values: Floats, slots: Ints, own: slice) -> Floats:
        start = self.start[own]
        return above_trend(values, slots, self.block, self.blocks, start) if self.blocks else values - start
