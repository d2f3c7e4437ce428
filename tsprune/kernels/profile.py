"""The seasonal pattern of a record as one value per phase: what a causal stage may subtract from new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.stl import Settings, default_trend, stl, with_gaps

if TYPE_CHECKING:
    from tsprune.types import Floats


def seasonal_profile(values: Floats, period: int, *, outer_iter: int = 6) -> Floats:
    """Learn a pattern that repeats unchanged, by periodic robust STL.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
        At least two periods on a grid without gaps; NaN marks a missing sample.
    period : int
        Samples per cycle.
    outer_iter : int
        Rounds of robustness; 0 lets a spike leave its share in the pattern.

    Returns
    -------
    ndarray, shape (period,) or (period, d)
        In the unit of the values; entry i belongs to the rows i, i + period, ...; about zero on average.

    Source
    ------
    R's stl(s.window = "periodic"): local constants over a window of ten times the record, here robust, and with windows that
    widen where all weights vanish, so that no spike gets in.
    """
    seasonal_window = 10 * (len(values) // period) + 1
    settings = Settings(
        period,
        seasonal_window,
        default_trend(period, seasonal_window),
        period + 1 + period % 2,
        seasonal_deg=0,
        inner_iter=1,
        outer_iter=outer_iter,
        widen=True,
    )
    seasonal = with_gaps(values, period, lambda finite: stl(finite, settings)).seasonal
    cycles = len(values) // period
    return np.asarray(seasonal[: cycles * period].reshape(cycles, period, *values.shape[1:]).mean(axis=0))
