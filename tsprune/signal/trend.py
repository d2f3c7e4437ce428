"""Detrend: a slow trend that spikes cannot pull and slow failures cannot hide in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter
from tsprune.kernels.smooth import autoregression, block_trend, innovation, mad, scale_of
from tsprune.model.clock import NANOSECONDS
from tsprune.model.trend import BlockTrend
from tsprune.params import check_choice, check_count
from tsprune.series.stage import Stage, kept_share

if TYPE_CHECKING:
    from tsprune.model.clock import Clock
    from tsprune.series.table import Table
    from tsprune.types import Floats

#: Blocks of a trend; the median of so many medians moves only when 13 of them do.
BLOCKS = 25

#: Order of the autoregression: 12 instead of 3 gained one percent of explained variance.
ORDER = 3

#: Sigmas at which the autoregression's past values are cut off, so that a spike leaves no echo.
CLIP = 3.0

#: The length of the trend where none is given: shorter ones cost detection of faults that last for days.
AUTO_DAYS, AUTO_ROWS = 28, 2000


class Detrend(Stage):
    """Split each column into what stands above a slow trend, and what its recent past does not foresee.

    The trend is the median of the medians of the last 25 whole blocks of time before the current one.  The current block is
    never used: a spike of any height is kept whole.  Faults shorter than half the length stay visible; longer
    ones become the trend.

    Parameters
    ----------
    length : "auto", int or duration
        How far the trend looks back: rows, or a duration such as "14D".  "auto" takes 28 days, or 2000 rows on an integer
        index, and no more than half of the history.
    channels : tuple of "level" and "innovation"
        The columns that come out for each column: the value minus the trend, and what an autoregression of order 3 on
        that does not foresee.
    scale : bool
        Divide each channel by its training MAD.  Without, "level" alone is additive.

    Attributes
    ----------
    part_ : BlockTrend
    length_ : int
        Slots that the trend looks back.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal import Detrend
    >>> x = np.full((200, 1), 5.0)
    >>> x[150] = 9.0
    >>> Detrend(length=50, channels=("level",), scale=False).fit(x).transform(x)[148:152, 0]
    array([0., 0., 4., 0.])
    """

    causal: ClassVar[bool] = True

    def __init__(
        self,
        length: int | str | pd.Timedelta = "auto",
        channels: tuple[Literal["level", "innovation"], ...] = ("level", "innovation"),
        scale: bool = True,
    ):
        self.length = length
        self.channels = channels
        self.scale = scale

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return tuple(self.channels) == ("level",) and not self.scale

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        if self.additive:
            return columns
        return tuple(f"{column}__{channel}" for column in columns for channel in self.channels)

    def facts(self) -> dict[str, float]:
        """The length of the trend in slots, and the share of the variance it takes away, at the median column."""
        return {"length": float(self.length_), "variance_removed": float(np.median(self.variance_removed_))}

    def energy_kept(self, clean: Table, changed: Table) -> float:
        """What the level, before scaling, keeps of an anomaly."""
        part = self.part_
        assert isinstance(part, BlockTrend)
        return kept_share(clean, changed, *(table.values - part.trend(table.values, table.slots) for table in (clean, changed)))

    def _learn(self, table: Table) -> BlockTrend:
        for channel in self._channels():
            check_choice(("level", "innovation"), channels=channel)
        self.length_ = self._slots(table.clock, len(table))
        block = max(1, self.length_ // BLOCKS)
        blocks = max(1, self.length_ // block)
        learned = [self._column(table.values[:, j], table, block, blocks) for j in range(table.values.shape[1])]
        start, weights, clip, scale = (np.array(values) for values in zip(*learned, strict=True))
        part = BlockTrend(block, blocks, start, self._channels(), weights, clip, scale)
        self.variance_removed_ = _removed(table.values, part.trend(table.values, table.slots))
        return part

    def _channels(self) -> tuple[str, ...]:
        channels = tuple(self.channels)
        if not channels or len(set(channels)) < len(channels) or isinstance(self.channels, str):
            raise BadParameter(f"channels is {self.channels!r}; it is a tuple of 'level', 'innovation', or both.")
        return channels

    def _slots(self, clock: Clock, n: int) -> int:
        if self.length == "auto":
            whole = AUTO_ROWS if clock.kind != "time" else AUTO_DAYS * NANOSECONDS["D"] // clock.step
            return int(max(2, min(whole, n // 2)))
        if isinstance(self.length, str | pd.Timedelta):
            return _rows_of(self.length, clock)
        return check_count(length=self.length, low=2, high=2**30)

    def _column(self, values: Floats, table: Table, block: int, blocks: int) -> tuple[float, Floats, float, Floats]:
        slots = table.slots.absolute
        there = values[~np.isnan(values)]
        start = float(np.median(there)) if len(there) else 0.0
        level = values - block_trend(values, slots, block, blocks, start)
        spread = scale_of(level)
        weights = autoregression(level, ORDER, CLIP * spread)
        scales = {"level": spread, "innovation": scale_of(innovation(level, slots, weights, CLIP * spread))}
        scale = np.array([scales[channel] if self.scale else 1.0 for channel in self.channels])
        return start, weights, CLIP * spread, scale


def _rows_of(duration: Any, clock: Clock) -> int:
    try:
        span = pd.Timedelta(duration)
    except ValueError as error:
        raise BadParameter(f"length is {duration!r}; it is 'auto', a number of rows, or a duration such as '14D'.") from error
    if clock.kind == "index":
        raise BadParameter(f"length is {duration!r}, a duration, but the index is of whole numbers: give a number of rows.")
    return max(2, round(span.value / clock.duration(1)))


def _removed(values: Floats, trend: Floats) -> Floats:
    """Share of the spread of each column that goes with the trend, robustly; in [0, 1]."""
    shares = []
    for j in range(values.shape[1]):
        before, after = mad(values[:, j]), mad(values[:, j] - trend[:, j])
        shares.append(max(0.0, 1.0 - (after / before) ** 2) if before > 0.0 else 0.0)
    return np.array(shares)
