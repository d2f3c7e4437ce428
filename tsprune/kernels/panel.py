"""Many series side by side: seasons by table, window features of all columns at once.

Rows are slots in time order, columns are series.  Each number is computed by the operations, in the order, of the kernels for one series:
a series scored within a fleet and a series scored alone give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tsprune.kernels.windows import STATISTICS, bridged, carried, coarse, n_pieces, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.types import Floats, Ints, Mask, Matrix

#: Values of windows from which machine code repays its loading.
COMPILE_FROM = 1 << 16


@dataclass(frozen=True)
class SeasonTable:
    """Profiles of one period for some of the columns."""

    columns: Ints | None  # None: all of them, in order
    period: float
    bins: int
    wall: bool
    profiles: Matrix  # (bins, columns)


def subtract_seasons(values: Matrix, tables: Sequence[SeasonTable], phases: Sequence[Ints]) -> Matrix:
    """Values (n, d) without their seasons.

    Parameters
    ----------
    values : ndarray, shape (n, d)
    tables : sequence of SeasonTable
        A column's first terms come in earlier tables than its second ones.
    phases : sequence of ndarray of int, shape (n,)
        The bin of each row, for each table.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.panel import SeasonTable, subtract_seasons
    >>> table = SeasonTable(None, 2.0, 2, False, np.array([[1.0, 10.0], [2.0, 20.0]]))
    >>> subtract_seasons(np.zeros((3, 2)), [table], [np.array([0, 1, 0])]).tolist()
    [[-1.0, -10.0], [-2.0, -20.0], [-1.0, -10.0]]
    """
    if not tables:
        return values - 0.0
    season = np.zeros_like(values)
    for table, phase in zip(tables, phases, strict=True):
        if table.columns is None:
            season += table.profiles.take(phase, axis=0)
        else:
            season[:, table.columns] += table.profiles.take(phase, axis=0)
    return np.subtract(values, season, out=season)


def feature_widths(names: Sequence[str], lengths: Sequence[int]) -> list[int]:
    """How many columns each feature gives.

    >>> from tsprune.kernels.panel import feature_widths
    >>> feature_widths(("mean", "raw"), (8, 4))
    [1, 4]
    """
    return [
        n_pieces(length) if name == "coarse" else length if name in ("raw", "shape") else 1
        for name, length in zip(names, lengths, strict=True)
    ]


def window_features(values: Matrix, ends: Ints, names: Sequence[str], lengths: Sequence[int], floor: Floats, bridge: int = 0) -> Floats:
    """Features of the trailing windows of every column that end at some rows.

    Parameters
    ----------
    values : ndarray, shape (n, d)
        One slot after the other; NaN where missing.
    ends : ndarray of int, shape (r,)
        Rows with the longest window before them, in order.
    names, lengths : sequences
        As in a `WindowMatrix`.
    floor : ndarray, shape (d,)
        The smallest standard deviation that a "shape" is divided by.
    bridge : int
        The longest gap that does not silence a window, as in a `WindowMatrix`.

    Returns
    -------
    ndarray, shape (r, d, width)
        NaN where a window misses a value.
    """
    gap = np.isnan(values) if bridge else np.zeros(0, dtype=bool)
    if not gap.any():
        return _unbridged(values, ends, names, lengths, floor)
    out = _unbridged(carried(values, bridge), ends, names, lengths, floor)
    silent = gap[ends]
    out[silent] = np.nan
    widths = feature_widths(names, lengths)
    starts = np.cumsum(widths) - widths
    for length in set(lengths):
        own = [(name, slice(at, at + width)) for name, at, width, n in zip(names, starts, widths, lengths, strict=True) if n == length]
        row, column = np.nonzero(gap[ends - (length - 1)] & ~silent)  # what came before the window is not to be seen in it
        filled, missing = bridged(sliding_window_view(values, length, axis=0)[ends[row] - (length - 1), column], bridge)
        for name, at in own:
            block = _feature(name, filled, floor[column])
            block[missing] = np.nan
            out[row, column, at] = block
    return out


def scale_in_place(features: Floats, centre: Floats, scale: Floats) -> Mask:
    """Centre and scale each feature, where it lies, and say which rows miss nothing.

    Parameters
    ----------
    features : ndarray, shape (r, d, width)
        Contiguous; changed.
    centre, scale : ndarray, shape (width,)

    Returns
    -------
    ndarray of bool, shape (r * d,)

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.panel import scale_in_place
    >>> features = np.array([[[1.0, 5.0], [np.nan, 7.0]]])
    >>> scale_in_place(features, np.array([1.0, 3.0]), np.array([2.0, 4.0])).tolist()
    [True, False]
    >>> features[0, 0].tolist()
    [0.0, 0.5]
    """
    rows = features.reshape(-1, len(centre))
    if rows.size >= COMPILE_FROM:
        from tsprune.kernels import compiled_panel

        return compiled_panel.scale_in_place(rows, centre, scale)
    rows -= centre
    rows /= scale
    return np.logical_not(np.isnan(rows).any(axis=1), dtype=bool)


def _unbridged(values: Matrix, ends: Ints, names: Sequence[str], lengths: Sequence[int], floor: Floats) -> Floats:
    widths = feature_widths(names, lengths)
    out = np.empty((len(ends), values.shape[1], sum(widths)))
    if len(ends) * values.shape[1] * max(lengths) >= COMPILE_FROM:
        from tsprune.kernels import compiled_panel

        if set(names) <= set(compiled_panel.CODES):
            compiled_panel.window_features(values, ends, names, lengths, floor, out)
            return out
    floors = np.tile(floor, len(ends))
    at = 0
    for name, length, width in zip(names, lengths, widths, strict=True):
        windows = sliding_window_view(values, length, axis=0)[ends - (length - 1)].reshape(-1, length)
        block = _feature(name, windows, floors)
        block[np.isnan(windows).any(axis=1)] = np.nan
        out[:, :, at : at + width] = block.reshape(len(ends), -1, width)
        at += width
    return out


def _feature(name: str, windows: Floats, floors: Floats) -> Floats:
    if name == "raw":
        return windows
    if name == "shape":
        return _shapes(windows, floors)
    return coarse(windows) if name == "coarse" else STATISTICS[name](windows)[:, None]


def _shapes(windows: Floats, floors: Floats) -> Floats:
    shapes = np.empty_like(windows)
    for level in np.unique(floors):
        shapes[floors == level] = normalised(windows[floors == level], float(level))
    return shapes
