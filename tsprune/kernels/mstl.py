"""Decomposition into a trend and several seasons: STL for one period after the other, on what the others leave.

Source
------
Bandara, Hyndman & Bergmeir (2021), MSTL: A Seasonal-Trend Decomposition Algorithm for Time Series with Multiple Seasonal
Patterns, arXiv:2107.13462.  Results are those of statsmodels' MSTL, to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.stl import Parts, stl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tsprune.kernels.stl import Settings
    from tsprune.types import Floats


def mstl(values: Floats, settings: Sequence[Settings], iterate: int, engine: Callable[[Floats, Settings], Parts] = stl) -> Parts:
    """Decompose finite series.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
    settings : sequence of Settings
        One for each period, the shortest period first.
    iterate : int
        Rounds over all periods; one is enough where there is one period.
    engine : callable
        Decomposes for one period.

    Returns
    -------
    Parts
        `seasonal` has one more axis, the last, with one entry for each period.
    """
    seasons = [np.zeros_like(values) for _ in settings]
    rest = values
    for _ in range(iterate if len(settings) > 1 else 1):
        for i, own in enumerate(settings):
            rest = rest + seasons[i]
            parts = engine(rest, own)
            seasons[i] = parts.seasonal
            rest = rest - seasons[i]
    return Parts(parts.trend, np.stack(seasons, axis=-1), parts.weights)
