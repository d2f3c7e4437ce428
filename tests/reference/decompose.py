"""STL, one function per step of the paper, slow and obvious.

R. B. Cleveland, W. S. Cleveland, J. E. McRae & I. Terpenning (1990), STL: A Seasonal-Trend Decomposition Procedure
Based on Loess, Journal of Official Statistics 6, 3-73.  Section numbers are those of the paper.
"""

from __future__ import annotations

import numpy as np


def loess(x, y, q, degree, at, robustness):
    """Section 2: a local polynomial through the q nearest points, under tricube weights."""
    distance = np.abs(x - at)
    order = np.argsort(distance, kind="stable")
    # where q exceeds n, the paper stretches the reach by q / n and its NETLIB code by half the excess: this is the code's
    reach = distance[order[q - 1]] if q <= len(x) else distance[order[-1]] + (q - len(x)) // 2
    weight = np.where(distance < reach, (1 - (distance / reach) ** 3) ** 3, 0.0) * robustness
    basis = np.vander(x - at, degree + 1, increasing=True)
    root = np.sqrt(weight)[:, None]
    coefficients, *_ = np.linalg.lstsq(root * basis, root[:, 0] * y, rcond=None)
    return coefficients[0]


def cycle_subseries(detrended, period, q, degree, robustness):
    """Section 3.2, step 2: smooth the values of each phase, and predict one cycle before and one after."""
    n = len(detrended)
    smoothed = np.empty(n + 2 * period)
    for phase in range(period):
        rows = np.arange(phase, n, period)
        cycle = np.arange(len(rows), dtype=float)
        for k in range(-1, len(rows) + 1):
            smoothed[phase + (k + 1) * period] = loess(cycle, detrended[rows], q, degree, float(k), robustness[rows])
    return smoothed


def moving_average(x, length):
    return np.array([x[i : i + length].mean() for i in range(len(x) - length + 1)])


def smooth(y, q, degree, robustness):
    x = np.arange(len(y), dtype=float)
    return np.array([loess(x, y, q, degree, at, robustness) for at in x])


def stl(y, period, seasonal, trend, low_pass, seasonal_deg=1, trend_deg=1, low_pass_deg=1, inner_iter=2, outer_iter=0):
    """Sections 3.2 and 3.3: returns trend, seasonal, weights."""
    y = np.asarray(y, float)
    robustness = np.ones(len(y))
    T = np.zeros(len(y))
    for outer in range(outer_iter + 1):
        for _ in range(inner_iter):
            C = cycle_subseries(y - T, period, seasonal, seasonal_deg, robustness)
            L = moving_average(moving_average(moving_average(C, period), period), 3)
            L = smooth(L, low_pass, low_pass_deg, np.ones(len(y)))
            S = C[period:-period] - L
            T = smooth(y - S, trend, trend_deg, robustness)
        if outer < outer_iter:
            R = np.abs(y - T - S)
            u = R / (6 * np.median(R))
            robustness = np.where(u < 1, (1 - u**2) ** 2, 0.0)
    return T, S, robustness


def foreseen(cycles):
    """The share of squares that the mean of the other cycles foresees, and the t statistic of its parts."""
    gains = []
    for i, cycle in enumerate(cycles):
        others = np.delete(cycles, i, axis=0).mean(axis=0)
        gains.append((cycle**2).sum() - ((cycle - others) ** 2).sum())
    gains = np.array(gains)
    return gains.sum() / (cycles**2).sum(), gains.mean() / (gains.std(ddof=1) / np.sqrt(len(gains)))
