"""Causal smoothing of trailing windows: Hampel, weighted sums, and the a-trous wavelet.

Taps are added in one order and nothing is estimated from the batch: a row has the same bits in one batch, in chunks and alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.smooth import MAD_TO_SIGMA
from tsprune.kernels.trend import at_lag, compiled, is_regular
from tsprune.kernels.windows import middle_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tsprune.types import Floats, Ints, Matrix

#: Share of the weight that has to be there; with less, a value stays as it is.
ENOUGH = 0.25
#: Values that are worked on at a time: what the cache holds; and values of their windows that memory holds.
TOGETHER, MOST = 1 << 14, 1 << 20
#: Windows up to which machine code, which sorts by exchanges, is the faster one.
SHORT = 32


def trailing(line: Matrix, at: Ints, last: Matrix, window: int, of: Callable[[list[Floats]], Floats], together: int = TOGETHER) -> Matrix:
    """A value for each row and column from the window that ends there, shape (n, d).

    Parameters
    ----------
    line : ndarray, shape (m, d)
        One slot after the other; NaN where missing.
    at : ndarray of int, shape (n,)
        The place of each row on the line, not decreasing, with a window before it.
    last : ndarray, shape (n, d)
        The value of each row itself.
    window : int
    of : callable
        From the values of windows as arrays of one shape, the oldest values first, to an array of that shape.
    together : int
        Values that are worked on at a time: what the cache holds.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.denoise import trailing
    >>> line = np.array([[1.0], [2.0], [4.0], [8.0]])
    >>> trailing(line, np.arange(1, 4), line[1:], 2, lambda layers: layers[0] + layers[1]).ravel()
    array([ 3.,  6., 12.])
    """
    out = np.empty_like(last)
    step = max(1, min(together, MOST // window) // last.shape[1])
    for start in range(0, len(at), step):
        here = at[start : start + step]
        first, size = int(here[0]), len(here)
        regular = int(here[-1]) - first == size - 1 and bool((np.diff(here) == 1).all())
        back = range(window - 1, 0, -1)
        layers = [line[first - lag : first - lag + size] if regular else line[here - lag] for lag in back]
        out[start : start + step] = of([*layers, last[start : start + step]])
    return out


def medians(line: Matrix, at: Ints, last: Matrix, window: int, cutoff: float | None = None) -> Matrix:
    """`hampel` of the window that ends at each row, or without a cutoff its median; arguments as in `trailing`."""
    if window > SHORT or not compiled(last.size) or (np.diff(at) == 0).any():  # of two rows in a slot each ends a window of its own
        return trailing(line, at, last, window, lambda layers: middle_of(layers)[0] if cutoff is None else hampel(layers, cutoff))
    from tsprune.kernels import compiled_smooth

    columns = line.shape[1]
    out = np.empty((len(line) - window + 1, columns))
    compiled_smooth.hampel(line.reshape(-1), columns, window, cutoff or 0.0, cutoff is None, out.reshape(-1))
    return out if len(out) == len(at) else out[at - (window - 1)]


def hampel(layers: Sequence[Floats], cutoff: float) -> Floats:
    """The last value of each window, or its median where it is more than `cutoff` sigmas away from it.

    Source: Hampel's identifier as in Pearson et al., Generalized Hampel filters, EURASIP J. 2016, with the window trailing.

    >>> import numpy as np
    >>> from tsprune.kernels.denoise import hampel
    >>> hampel(list(np.array([[1.0, 1.0], [1.1, 1.1], [0.9, 0.9], [9.0, 1.2]])), cutoff=3.0)
    array([1.05, 1.2 ])
    """
    middle, _ = middle_of(layers)
    spread, _ = middle_of([np.abs(layer - middle) for layer in layers])
    return np.where(np.abs(layers[-1] - middle) > cutoff * (MAD_TO_SIGMA * spread), middle, layers[-1])


def weighted(layers: Sequence[Floats], taps: Floats) -> Floats:
    """Sum of each window's values by weight, over the values that are there; the last value where a quarter of the weight is not.

    Weights are those of the window (window,), or of each column (d, window).

    >>> import numpy as np
    >>> from tsprune.kernels.denoise import weighted
    >>> weighted([np.array([1.0, np.nan]), np.array([3.0, 3.0])], np.array([0.5, 0.5]))
    array([2., 3.])
    """
    total, weight = np.zeros(layers[-1].shape), np.zeros(layers[-1].shape)
    whole = np.zeros(taps.shape[:-1])
    for layer, tap in zip(layers, taps.T, strict=True):
        there = ~np.isnan(layer)
        total += tap * np.where(there, layer, 0.0)
        weight += tap * there
        whole = whole + tap
    known = np.abs(weight) > ENOUGH * np.abs(whole)
    return np.where(known, total / np.where(known, weight, 1.0), layers[-1])


def details(values: Floats, slots: Ints, levels: int) -> list[Floats]:
    """The parts of a series by the a-trous Haar wavelet, finest first, the smooth rest last; they add up to the values.

    A value whose partner, 2^j slots back, is missing has no detail at level j.

    Source: Shensa, The discrete wavelet transform: wedding the a trous and Mallat algorithms, IEEE Trans. Signal Process. 40, 1992.
    """
    regular = is_regular(slots)
    parts, smooth = [], values
    for level in range(levels):
        before = at_lag(smooth, slots, 1 << level, regular, missing=np.nan)
        next_smooth = np.where(np.isnan(before), smooth, 0.5 * smooth + 0.5 * before)
        parts.append(smooth - next_smooth)
        smooth = next_smooth
    return [*parts, smooth]


def wavelet(values: Floats, slots: Ints, sigma: Floats, cutoff: float) -> Floats:
    """The smooth rest of the a-trous wavelet and those details that are larger than `cutoff` sigmas of their level.

    >>> import numpy as np
    >>> from tsprune.kernels.denoise import wavelet
    >>> wavelet(np.array([1.0, 1.2, 1.0, 9.0]), np.arange(4), sigma=np.array([0.1]), cutoff=3.0)
    array([1. , 1.1, 1.1, 9. ])
    """
    *fine, total = details(values, slots, len(sigma))
    for detail, spread in zip(reversed(fine), sigma[::-1], strict=True):
        total = total + np.where(np.abs(detail) > cutoff * spread, detail, 0.0)
    return total


def one_sided_polynomial(window: int, degree: int = 2) -> Floats:
    """Weights that give the last value of the least-squares polynomial through a window: Savitzky-Golay at its end.

    Source: Savitzky & Golay, Smoothing and Differentiation of Data by Simplified Least Squares Procedures, Anal. Chem. 36, 1964.

    >>> from tsprune.kernels.denoise import one_sided_polynomial
    >>> one_sided_polynomial(3, degree=1).round(4)
    array([-0.1667,  0.3333,  0.8333])
    """
    at = np.arange(1 - window, 1) / window
    return np.asarray(np.linalg.pinv(np.vander(at, min(degree, window - 1) + 1, increasing=True))[0])


def local_level(values: Floats, window: int, cutoff: float = 3.0) -> Floats:
    """Weights of the Kalman filter of a local level in its steady state, cut off at a window.

    The two variances follow from those of the steps: a level that walks by q and noise of variance r give steps of variance
    q + 2 r whose neighbours have covariance -r.  Steps are clipped, so that spikes do not count as noise.  A tail of the
    weights that the window cannot hold is put back in proportion, and the gain is at least 3 / window.

    Source: Durbin & Koopman, Time Series Analysis by State Space Methods, 2nd ed., section 2.11.
    """
    steps = np.diff(values)
    steps = steps[~np.isnan(steps)]
    spread = MAD_TO_SIGMA * float(np.median(np.abs(steps))) if len(steps) else 0.0
    if len(steps) < 3 or spread == 0.0:
        return _decaying(1.0, window)
    steps = np.clip(steps, -cutoff * spread, cutoff * spread)
    noise = max(0.0, -float(np.mean(steps[1:] * steps[:-1])))
    walk = max(0.0, float(np.mean(steps * steps)) - 2.0 * noise)
    predicted = 0.5 * (walk + np.sqrt(walk * walk + 4.0 * walk * noise))
    gain = predicted / (predicted + noise) if predicted > 0.0 else 0.0
    return _decaying(min(1.0, max(gain, 3.0 / window)), window)


def _decaying(gain: float, window: int) -> Floats:
    weights = (1.0 - gain) ** np.arange(window - 1, -1, -1)
    return np.asarray(weights / weights.sum())
