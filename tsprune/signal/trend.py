"""Detrend: a slow trend that spikes cannot pull and slow failures cannot hide in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter
from tsprune.kernels.smooth import autoregression, mad, scale_of
from tsprune.kernels.trend import difference, innovation
from tsprune.model.clock import NANOSECONDS
from tsprune.model.trend import CHANNELS, BlockTrend
from tsprune.params import check_choice, check_count
from tsprune.series.stage import Stage, kept_share
from tsprune.signal.grid import on_grid
from tsprune.signal.period import find_on_grid
from tsprune.signal.two_sided import METHODS, TwoSidedTrend

if TYPE_CHECKING:
    from tsprune.model.clock import Clock
    from tsprune.model.part import Part
    from tsprune.series.table import Cycle, Table
    from tsprune.types import Floats, Ints

#: Blocks of a trend; the median of so many medians moves only when 13 of them do.
BLOCKS = 25

#: Order of the autoregression: 12 instead of 3 gained one percent of explained variance.
ORDER = 3

#: Sigmas at which the autoregression's past values are cut off, so that a spike leaves no echo.
CLIP = 3.0

#: The length of the trend where none is given: shorter ones cost detection of faults that last for days.
AUTO_DAYS, AUTO_ROWS = 28, 2000
#: The same in cycles of the season before it: of the calendar, and of one that was only found.
AUTO_CYCLES, AUTO_FOUND = 28, 7


class Detrend(Stage):
    """Split each column into what stands above a slow trend, and what its recent past does not foresee.

    The trend is the median of the medians of the last 25 whole blocks of time before the current one.  The current block is
    never used: a spike of any height is kept whole.  Faults shorter than half the length stay visible; longer
    ones become the trend.

    Parameters
    ----------
    method : "blocks", "none", "stl", "hp" or "piecewise"
        "blocks" is the trend above; "none" takes the median of the history for a trend, for ever.  The others look at the whole
        record that is handed over, past and future, and are for analysis: `causal` is False, and a pipeline that holds one
        refuses to be frozen.  "stl" is the trend of robust STL (without a period a loess), "hp" the filter of Hodrick and
        Prescott, "piecewise" the medians of pieces of constant level, cut by PELT.
    length : "auto", int or duration
        How far the trend looks back: rows, or a duration such as "14D".  "auto", for blocks in a pipeline behind a `Deseason`
        that has found a season, takes 28 of its cycles, or 7 where they are not the calendar's, and no more than the history.
        Elsewhere, and where a stage is fitted alone, it takes 28 days, or 2000 rows on an integer index, and no more than
        half of the history.  For "stl" the width of the trend's window, for "hp" the wave that is halved, for
        "piecewise" the shortest piece.
    channels : tuple of "level", "innovation" and "difference"
        The columns that come out for each column: the value minus the trend, what an autoregression of order 3 on
        that does not foresee, and its step from the slot before.
    scale : bool
        Divide each channel by its training MAD.  Without, "level" alone is additive.

    Attributes
    ----------
    part_ : BlockTrend, or TwoSidedTrend
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

    def __init__(
        self,
        method: Literal["blocks", "none", "stl", "hp", "piecewise"] = "blocks",
        length: int | str | pd.Timedelta = "auto",
        channels: tuple[Literal["level", "innovation", "difference"], ...] = ("level", "innovation"),
        scale: bool = True,
    ):
        self.method = method
        self.length = length
        self.channels = channels
        self.scale = scale

    @property
    def causal(self) -> bool:  # type: ignore[override]
        return self.method not in METHODS

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return tuple(self.channels) == ("level",) and not self.scale

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        if self.additive:
            return columns
        return tuple(f"{column}__{channel}" for column in columns for channel in self.channels)

    def facts(self) -> dict[str, float]:
        """The length of the trend in slots, the share of the variance it takes away at the median column, and whether it lags.

        `level_moved` is the share of the history's latest rows (four blocks) that stand far from the trend, in the column where
        it is largest.  Near 1 the level has gone where the trend has not followed: learn again.
        """
        return {
            "length": float(self.length_),
            "variance_removed": float(np.median(self.variance_removed_)),
            "level_moved": self.level_moved_,
        }

    def energy_kept(self, clean: Table, changed: Table) -> float:
        """What the level, before scaling, keeps of an anomaly."""
        part = self.part_
        assert isinstance(part, BlockTrend | TwoSidedTrend)
        return kept_share(clean, changed, *(table.values - part.trend(table.values, table.slots) for table in (clean, changed)))

    def _learn(self, table: Table) -> Part:
        check_choice(("blocks", "none", *METHODS), method=self.method)
        for channel in self._channels():
            check_choice(CHANNELS, channels=channel)
        self.length_ = self._slots(table)
        block = max(1, self.length_ // BLOCKS)
        start = np.array([_middle(column) for column in table.values.T])
        trend = BlockTrend(block, max(1, self.length_ // block), start, *_unscaled(len(start)))
        if self.method in METHODS:
            part = self._two_sided(table)
            level = table.values - part.trend(table.values, table.slots)
            learned: BlockTrend | TwoSidedTrend = replace(part, channels=self._on_top(level, table, 1, 0, np.zeros(len(start))))
            self.level_moved_ = 0.0
        else:
            trend = trend if self.method == "blocks" else replace(trend, block=1, blocks=0)
            learned = self._on_top(trend.apply(table.values, table.slots), table, trend.block, trend.blocks, start)
            self.level_moved_ = float(learned.moved(table.values, table.slots).max())
        self.variance_removed_ = _removed(table.values, learned.trend(table.values, table.slots))
        return learned

    def _two_sided(self, table: Table) -> TwoSidedTrend:
        slots = table.slots.absolute
        d = table.values.shape[1]
        periods = (0,) * d
        if self.method == "stl":
            found = [find_on_grid(on_grid(column, slots), table.clock, max_periods=1) for column in table.values.T]
            periods = tuple(own[0].whole if own else 0 for own in found)
        nothing = BlockTrend(1, 0, np.zeros(d), *_unscaled(d))
        return TwoSidedTrend(self.method, self.length_, periods, int(slots[-1] - slots[0]) + 1, nothing)

    def _on_top(self, level: Floats, table: Table, block: int, blocks: int, start: Floats) -> BlockTrend:
        """The channels of a level: its autoregression and its scales, learned."""
        learned = [self._column(column, table.slots.absolute) for column in level.T]
        weights, clip, scale = (np.array(values) for values in zip(*learned, strict=True))
        return BlockTrend(block, blocks, start, self._channels(), weights, clip, scale)

    def _channels(self) -> tuple[str, ...]:
        channels = tuple(self.channels)
        if not channels or len(set(channels)) < len(channels) or isinstance(self.channels, str):
            raise BadParameter(f"channels is {self.channels!r}; it is a tuple of some of {', '.join(map(repr, CHANNELS))}.")
        return channels

    def _slots(self, table: Table) -> int:
        if self.length == "auto":
            return max(2, _usual_length(table, table.cycle if self.method == "blocks" else None))
        if isinstance(self.length, str | pd.Timedelta):
            return _rows_of(self.length, table.clock)
        return check_count(length=self.length, low=2, high=2**30)

    def _column(self, level: Floats, slots: Ints) -> tuple[Floats, float, Floats]:
        spread = scale_of(level)
        weights = autoregression(level, ORDER, CLIP * spread)
        seen = {"level": level, "innovation": innovation(level, slots, weights, CLIP * spread), "difference": difference(level, slots)}
        scale = np.array([scale_of(seen[channel]) if self.scale else 1.0 for channel in self.channels])
        return weights, CLIP * spread, scale


def _usual_length(table: Table, cycle: Cycle | None) -> int:
    """Slots that a trend looks back where nothing is said."""
    clock, slots = table.clock, table.slots.absolute
    there = int(slots[-1] - slots[0]) + 1
    if cycle is not None:
        return min(round((AUTO_CYCLES if cycle.calendar else AUTO_FOUND) * cycle.samples), there)
    return min(AUTO_ROWS if clock.kind != "time" else AUTO_DAYS * NANOSECONDS["D"] // clock.step, there // 2)


def _middle(values: Floats) -> float:
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else 0.0


def _unscaled(d: int) -> tuple[tuple[str, ...], Floats, Floats, Floats]:
    """Arguments of a trend whose only channel is the level as it is."""
    return ("level",), np.zeros((d, 0)), np.zeros(d), np.ones((d, 1))


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
