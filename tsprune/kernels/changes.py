"""Cut a series into pieces of constant level, at the least total of squares and a penalty for each cut: exactly, by PELT.

Source
------
Killick, Fearnhead & Eckley, Optimal Detection of Changepoints With a Linear Computational Cost, J. Amer. Statist. Assoc. 107,
2012, section 3; pieces of a shortest length as in section 2 of the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints


def changes(values: Floats, penalty: float, least: int) -> Ints:
    """Where the pieces begin.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite; n is at least `least`.
    penalty : float
        What a cut must save of the sum of squares, in the squared unit of the values.
    least : int
        Samples of the shortest piece.

    Returns
    -------
    ndarray of int
        The first is 0; ascending.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.changes import changes
    >>> changes(np.array([0.0, 0.1, 0.0, 5.0, 5.1, 5.0]), penalty=1.0, least=2)
    array([0, 3])
    """
    n = len(values)
    centred = values - values.mean()
    sums, squares = np.cumsum(centred, dtype=np.float64), np.cumsum(centred * centred)
    sums, squares = np.concatenate([[0.0], sums]), np.concatenate([[0.0], squares])
    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.int64)
    best[0] = -penalty
    starts, end = np.zeros(1, dtype=np.int64), np.full(n + 1, n + 1)  # a start is of no use from its end on
    for stop in range(least, n + 1):
        if stop >= 2 * least:
            starts = np.append(starts[end[starts] > stop], stop - least)
        cost = best[starts] + squares[stop] - squares[starts] - (sums[stop] - sums[starts]) ** 2 / (stop - starts)
        least_cost = int(np.argmin(cost))
        best[stop], before[stop] = cost[least_cost] + penalty, starts[least_cost]
        lost = starts[cost >= best[stop]]
        end[lost] = np.minimum(end[lost], stop + least)
    pieces = [n]
    while pieces[-1] > 0:
        pieces.append(int(before[pieces[-1]]))
    return np.array(pieces[:0:-1])


def levels(values: Floats, starts: Ints) -> Floats:
    """The median of each piece, at each of its samples, shape (n,).

    >>> import numpy as np
    >>> from tsprune.kernels.changes import levels
    >>> levels(np.array([1.0, 2.0, 9.0, 4.0]), np.array([0, 3]))
    array([2., 2., 2., 4.])
    """
    medians = [float(np.median(piece)) for piece in np.split(values, starts[1:])]
    return np.repeat(medians, np.diff(np.append(starts, len(values))))
