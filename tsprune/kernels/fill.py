"""Fill missing samples so that a decomposition can run: short gaps by a line, long ones by level and season.

What is filled in never counts as observed: callers mask it again.  Measured against the decomposition of
complete data, lines win for scattered samples and the season wins for gaps of a quarter of a period and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tsprune.kernels.labelled import runs

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints, Matrix

#: Above this share of missing samples a season is guesswork.
MOST_MISSING = 0.6


def fill(values: Floats, period: int) -> Floats:
    """Return one series without missing samples.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN marks a missing sample; at least one is there.
    period : int
        Samples per cycle; 1 where there is no season.

    Returns
    -------
    ndarray, shape (n,)
        Runs of up to max(3, period / 24) missing samples follow a line between their neighbours.  Longer ones follow the median
        of their phase, on a level that runs from the median before the gap to the median after it.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    row = np.arange(len(values))
    lines = np.interp(row, row[~missing], values[~missing])
    gaps = runs(missing)
    long = gaps.lengths > max(3, period // 24)
    if not long.any():
        return lines
    filled = lines.copy()
    inside = np.repeat(long, gaps.lengths)
    at = row[missing][inside]
    filled[at] = _level_and_season(values, period, at, gaps.first[long], gaps.stop[long])
    return filled


def _level_and_season(values: Floats, period: int, at: Ints, starts: Ints, ends: Ints) -> Floats:
    n = len(values)
    profile = phase_medians(values - _slow_level(values, period), period)
    rest = values - profile[np.arange(n) % period]
    width = max(5, period // 12)
    near = np.arange(width)
    padded = np.concatenate([np.full(width, np.nan), rest, np.full(width, np.nan)])
    before = row_medians(padded[starts[:, None] + near])
    after = row_medians(padded[ends[:, None] + width + near])
    overall = row_medians(rest[None])[0]
    before = np.where(np.isnan(before), np.where(np.isnan(after), overall, after), before)
    after = np.where(np.isnan(after), before, after)
    run = np.searchsorted(starts, at, side="right") - 1
    share = (at - starts[run] + 1) / (ends[run] - starts[run] + 1)
    return before[run] + (after[run] - before[run]) * share + profile[at % period]


def _slow_level(values: Floats, period: int) -> Floats:
    """Medians over two periods, taken every quarter of a period and joined by lines."""
    n = len(values)
    centres = np.arange(0, n, max(1, period // 4))
    padded = np.concatenate([np.full(period, np.nan), values, np.full(period, np.nan)])
    level = row_medians(sliding_window_view(padded, 2 * period + 1)[centres])
    known = ~np.isnan(level)
    return np.interp(np.arange(n), centres[known], level[known])


def phase_medians(values: Floats, period: int) -> Floats:
    """The median of each phase, shape (period,); a phase without samples lies on a line between its neighbours.

    >>> import numpy as np
    >>> from tsprune.kernels.fill import phase_medians
    >>> phase_medians(np.array([1.0, 5.0, 3.0, 7.0, 2.0]), 2).tolist()
    [2.0, 6.0]
    """
    cycles = -(-len(values) // period)
    padded = np.full(cycles * period, np.nan)
    padded[: len(values)] = values
    medians = row_medians(padded.reshape(cycles, period).T)
    known = np.flatnonzero(~np.isnan(medians))
    around = np.concatenate([known - period, known, known + period])
    return np.interp(np.arange(period), around, np.tile(medians[known], 3))


def row_medians(rows: Matrix) -> Floats:
    """The median of each row without its NaN; NaN for a row of nothing else."""
    ordered = np.sort(rows, axis=1)  # NaN comes last
    count = rows.shape[1] - np.isnan(rows).sum(axis=1)
    row = np.arange(len(rows))
    low, high = ordered[row, np.maximum(count - 1, 0) // 2], ordered[row, np.minimum(count // 2, rows.shape[1] - 1)]
    return np.where(count > 0, 0.5 * (low + high), np.nan)
