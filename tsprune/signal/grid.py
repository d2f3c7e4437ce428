"""Rows on a grid without gaps, one sample per slot, as decompositions and spectra need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints


def on_grid(values: Floats, slots: Ints) -> Floats:
    """Values by slot, from the first slot to the last; NaN where there is no row.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, d)
    slots : ndarray of int, shape (n,)
        Of several rows in one slot the last one counts.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal.grid import on_grid
    >>> on_grid(np.array([1.0, 2.0, 4.0]), np.array([7, 8, 10]))
    array([ 1.,  2., nan,  4.])
    """
    first = int(slots.min())
    grid = np.full((int(slots.max()) - first + 1, *values.shape[1:]), np.nan)
    grid[slots - first] = values
    return grid
