"""Trends that look into the future: for the analysis of a record, never for new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.changes import changes, levels
from tsprune.kernels.fill import fill
from tsprune.kernels.loess import Loess
from tsprune.kernels.smooth import MAD_TO_SIGMA
from tsprune.kernels.stl import Settings, stl
from tsprune.model.part import Part, Spec
from tsprune.signal.grid import on_grid

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.model.trend import BlockTrend
    from tsprune.types import Floats, Json

METHODS = ("stl", "hp", "piecewise")

#: What a cut of a piecewise level must save: so many variances of the noise for each logarithm of the length.
CUT = 3.0


@dataclass(frozen=True)
class TwoSidedTrend(Part):
    """Subtract a trend of the whole record that is handed over; the channels are those of a causal trend.

    It is no part of a model file: a pipeline that holds one refuses to be frozen.
    """

    method: str
    length: int  # slots
    periods: tuple[int, ...]  # of each column, for "stl"; 0 for none
    record: int  # slots of the training record
    channels: BlockTrend  # of blocks = 0: what is made of the level

    @property
    def n_features(self) -> int:
        return self.channels.n_features

    @property
    def n_out(self) -> int:
        return self.channels.n_out

    @property
    def lookback(self) -> int:
        return self.record

    @property
    def uses_clock(self) -> bool:
        return True

    def trend(self, values: Floats, clock: Slots) -> Floats:
        """The trend at each row, shape (n, d), in the unit of the series."""
        slots = clock.absolute
        grid = on_grid(values, slots)
        columns = [two_sided(grid[:, j], self.method, self.length, self.periods[j]) for j in range(self.n_features)]
        return np.column_stack(columns)[slots - slots[0]]

    def apply(self, values: Floats, clock: Slots) -> Floats:
        return self.channels.apply(values - self.trend(values, clock), clock)

    def to_spec(self) -> Spec:
        facts: dict[str, Json] = {"method": self.method, "length": self.length, "periods": list(self.periods), "record": self.record}
        return Spec(type(self).__name__, facts, {}, (self.channels.to_spec(),))


def two_sided(values: Floats, method: str, length: int, period: int = 0) -> Floats:
    """A trend that no sample is too late for.

    Parameters
    ----------
    values : ndarray, shape (n,)
        On a grid; NaN where missing.
    method : {"stl", "hp", "piecewise"}
        Robust STL (without a period a loess), the filter of Hodrick and Prescott, or the medians of pieces of constant level.
    length : int
        Samples: of the loess window, of the wave that the filter halves, of the shortest piece.
    period : int
        For "stl"; 0 for none.

    Returns
    -------
    ndarray, shape (n,)
        In the unit of the values; 0 where the column has no value at all.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal.two_sided import two_sided
    >>> two_sided(np.array([1.0, 1.0, 1.0, 5.0, 5.0, 5.0]), "piecewise", length=2)
    array([1., 1., 1., 5., 5., 5.])
    """
    if np.isnan(values).all() or len(values) < 3:
        return np.zeros(len(values)) if np.isnan(values).all() else np.full(len(values), np.nanmedian(values))
    full = fill(values, max(period, 1))
    if method == "piecewise":
        return _pieces(full, length)
    return _hodrick_prescott(full, length) if method == "hp" else _stl_trend(full, length, period)


def _pieces(values: Floats, length: int) -> Floats:
    steps = np.diff(values)
    noise = MAD_TO_SIGMA * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2.0)
    penalty = CUT * noise**2 * np.log(len(values))
    return levels(values, changes(values, max(penalty, 1e-12 * float(np.var(values))), min(length, len(values))))


def _hodrick_prescott(values: Floats, length: int) -> Floats:
    from statsmodels.tsa.filters.hp_filter import hpfilter

    smoothness = 0.25 / (1.0 - np.cos(2.0 * np.pi / length)) ** 2  # half of a wave of this length passes
    middle = float(np.median(values))
    return np.asarray(hpfilter(values - middle, lamb=smoothness)[1]) + middle


def _stl_trend(values: Floats, length: int, period: int) -> Floats:
    window = length | 1
    if period and len(values) >= 2 * period:
        seasonal = 10 * (len(values) // period) + 1
        settings = Settings(period, seasonal, window, period + 1 + period % 2, seasonal_deg=0, inner_iter=1, outer_iter=6, widen=True)
        return stl(values, settings).trend
    return Loess(len(values), window, 1).smooth(values[None, :])[0]
