"""Where a cycle may hide: peaks above the background of a spectrum, and of the autocorrelation.

The background falls like that of red noise, so a random walk, whose largest ordinates are always the slowest,
shows no peak.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints

#: Harmonics of a period that are looked at.
HARMONICS = 8
#: The mean logarithm of an exponential variable of mean 1 is minus this (Euler's constant): a periodogram's ordinates are such.
EULER = 0.5772


class Spectrum:
    """The periodogram of a standardised series, less its straight line; `power[k]` has k cycles in `n` samples."""

    def __init__(self, x: Floats):
        self.n = _fast_length(len(x))
        y = x[len(x) - self.n :]
        time = np.linspace(-1.0, 1.0, self.n)
        y = y - y.mean() - time * (np.einsum("i,i", time, y) / np.einsum("i,i", time, time))
        low, high = np.quantile(y, [0.01, 0.99])
        if high > low:
            y = np.clip(y, low, high)
        transform = np.fft.rfft(y * (1.0 + np.cos(np.pi * time)))  # a Hann window: far frequencies do not leak in
        self.power = transform.real**2 + transform.imag**2
        self.power += 1e-12 * self.power.max() + 1e-300

    def peaks(self, slowest: int, count: int) -> Ints:
        """The `count` highest peaks of at least `slowest` cycles, by height above the background and height itself."""
        log = np.log(self.power[slowest:])
        edges = np.unique(np.concatenate([[0], np.geomspace(1, len(log), 60).astype(int)]))
        background = np.empty_like(log)
        for a, b in pairwise(edges):
            background[a:b] = np.median(log[max(0, 2 * a - b) : 2 * b - a])
        height = 1.5 * log - background
        above = log - background
        tops = np.flatnonzero((above[1:-1] > above[:-2]) & (above[1:-1] >= above[2:])) + 1
        return tops[np.argsort(-height[tops], kind="stable")[:count]] + slowest

    def line(self, period: int) -> float:
        """How far the strongest harmonic of a period stands above the red background between the harmonics."""
        best = 0.0
        for harmonic in range(1, HARMONICS + 1):
            at = self.n / period * harmonic
            k = round(at)
            if k > len(self.power) - 3:
                break
            low, high = max(1, int(at / 3)), min(len(self.power), int(1.6 * at) + 8)
            around = np.concatenate([np.arange(low, k - 2, max(1, (k - low) // 64)), np.arange(k + 3, high, max(1, (high - k) // 64))])
            cycles = around * period / self.n
            around = around[np.abs(cycles - np.round(cycles)) > 0.2]
            if len(around) >= 3:
                background = np.mean(np.log(self.power[around] * (around / at) ** 2)) + EULER
                best = max(best, float(self.power[max(1, k - 1) : k + 2].max() / np.exp(background)))
        return best


def autocorrelation(x: Floats, lags: int) -> Floats:
    """The autocorrelation at lags 0 .. `lags` of a series less its moving mean over `lags` samples."""
    width = max(3, lags | 1)
    padded = np.concatenate([np.full(width // 2, x[0]), x, np.full(width // 2, x[-1])])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    y = x - (sums[width:] - sums[:-width]) * (1.0 / width)
    transform = np.fft.rfft(y - y.mean(), 1 << (len(y) + lags).bit_length())
    product = np.fft.irfft(transform.real**2 + transform.imag**2)[: lags + 1]
    return product / max(product[0], 1e-300)


def local_maxima(values: Floats) -> Ints:
    """Where a value exceeds the one before and is not exceeded by the one after.

    >>> import numpy as np
    >>> from tsprune.kernels.spectrum import local_maxima
    >>> local_maxima(np.array([0.0, 2.0, 1.0, 3.0, 3.0, 0.0])).tolist()
    [1, 3]
    """
    if len(values) < 3:
        return np.empty(0, np.int64)
    before, here, after = sliding_window_view(values, 3).T
    return np.flatnonzero((here > before) & (here >= after)) + 1


def _fast_length(n: int) -> int:
    """The largest product of 2, 3 and 5 up to n: transforms of other lengths cost several times as much."""
    best, five = 1, 1
    while five <= n:
        three = five
        while three <= n:
            best = max(best, three << ((n // three).bit_length() - 1))
            three *= 3
        five *= 5
    return best
