"""Correlate series with fixed kernels: a few taps, a matrix of shifted kernels, or blocks of a Fourier transform.

Which of the three is a matter of length only; their results agree to rounding.  Sums run in another
order than in a plain loop, so this belongs to learning, never to the run path of a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tsprune.types import Floats, Matrix

#: Longest kernels that pay off as shifted additions, and as a banded matrix (measured on two x86 machines).
FEW_TAPS, BAND_TAPS = 9, 96
#: Longest kernel that machine code sums term by term; transforms are faster beyond.
DIRECT_TAPS = 160
#: Samples in the transforms of one call (256 kB of doubles), and in the temporary arrays of one pass (1 MB).
BATCH, CHUNK = 1 << 15, 1 << 17


def correlate(x: Matrix, kernels: Sequence[Floats], stride: int = 1) -> list[Matrix]:
    """Sum `kernel[r] * x[:, t + r * stride]` over r, at every t where all taps lie inside the series.

    Parameters
    ----------
    x : ndarray, shape (n_series, n)
    kernels : sequence of ndarray, shape (q,)
        All of one length, with (q - 1) * stride < n.
    stride : int
        Samples from one tap to the next; a period where the values of one phase are smoothed.

    Returns
    -------
    list of ndarray, shape (n_series, n - (q - 1) * stride)
    """
    taps = np.flatnonzero(np.any([kernel != 0.0 for kernel in kernels], axis=0))
    first, last = (int(taps[0]), int(taps[-1])) if len(taps) else (0, 0)
    q = len(kernels[0])
    x = x[:, first * stride : x.shape[1] - (q - 1 - last) * stride]
    stack = np.array([kernel[first : last + 1] for kernel in kernels])
    if stack.shape[1] <= FEW_TAPS:
        return [_shifted(x, kernel, stride) for kernel in stack]
    if stride > 1:
        return _by_phase(x, stack, stride)
    return _banded(x, stack) if stack.shape[1] <= BAND_TAPS else _overlap_save(x, stack)


def smooth_into(out: Matrix, at: int, x: Matrix, kernel: Floats, stride: int = 1, *, compiled: bool = False) -> None:
    """Correlate with one symmetric kernel, and write the result to `out` from column `at` on.

    `compiled` runs short kernels as machine code.
    """
    if compiled and len(kernel) <= DIRECT_TAPS:
        from tsprune.kernels.compiled_loess import smooth

        half = kernel[len(kernel) // 2 :]
        smooth(x, half[:-1] if half[-1] == 0.0 else half, len(kernel) // 2, stride, out, at)
        return
    span = (len(kernel) - 1) * stride
    for begin, end in chunks(x.shape[1] - span, span, len(x)):
        out[:, at + begin : at + end] = correlate(x[:, begin : end + span], [kernel], stride)[0]


def chunks(length: int, span: int, n_series: int) -> Iterator[tuple[int, int]]:
    """Cut `length` outputs, which need `span` more inputs, into ranges whose temporary arrays stay small."""
    step = max(CHUNK // n_series, 16 * span)
    for begin in range(0, length, step):
        yield begin, min(begin + step, length)


def _shifted(x: Matrix, kernel: Floats, stride: int) -> Matrix:
    n = x.shape[1] - (len(kernel) - 1) * stride
    out = np.zeros((len(x), n))
    part = np.empty_like(out)
    for r in np.flatnonzero(kernel):
        np.multiply(x[:, r * stride : r * stride + n], kernel[r], out=part)
        out += part
    return out


def _by_phase(x: Matrix, kernels: Matrix, stride: int) -> list[Matrix]:
    """Gather the samples of each phase into a row of its own, correlate there, and put them back."""
    d, n = x.shape
    cycles = -(-n // stride)
    padded = np.zeros((d, cycles * stride))
    padded[:, :n] = x
    rows = padded.reshape(d, cycles, stride).swapaxes(1, 2).reshape(d * stride, cycles)
    length = n - (kernels.shape[1] - 1) * stride
    return [part.reshape(d, stride, -1).swapaxes(1, 2).reshape(d, -1)[:, :length] for part in correlate(rows, list(kernels))]


def _banded(x: Matrix, kernels: Matrix) -> list[Matrix]:
    """Each block of outputs is one matrix product: the kernel, shifted along the columns of a band."""
    r, q = kernels.shape
    length = x.shape[1] - q + 1
    block = max(32, q)
    band = sliding_window_view(np.pad(kernels, ((0, 0), (block - 1, block - 1))), block, axis=1)[:, :, ::-1]
    blocks = np.ascontiguousarray(_blocks(x, block + q - 1, block))
    out = (blocks @ band.swapaxes(0, 1).reshape(block + q - 1, r * block)).reshape(len(x), -1, r, block)
    return [out[:, :, i].reshape(len(x), -1)[:, :length] for i in range(r)]


def _overlap_save(x: Matrix, kernels: Matrix) -> list[Matrix]:
    """Blocks of a fixed transform length, so that the work grows with n and not with n log n."""
    r, q = kernels.shape
    length = x.shape[1] - q + 1
    size = 1 << max(9, (4 * q - 1).bit_length())
    hop = size - q + 1
    spectra = np.fft.rfft(kernels, size).conj()
    blocks = _blocks(x, size, hop)
    out = np.empty((r, len(x), blocks.shape[1], hop))
    step = max(1, BATCH // (size * len(x)))
    for b in range(0, blocks.shape[1], step):
        spectrum = np.fft.rfft(blocks[:, b : b + step])
        for i in range(r):
            out[i, :, b : b + step] = np.fft.irfft(spectrum * spectra[i], size)[..., :hop]
    return [part.reshape(len(x), -1)[:, :length] for part in out]


def _blocks(x: Matrix, size: int, hop: int) -> Floats:
    """Windows of `size` samples that start every `hop` samples and cover all complete ones, shape (n_series, n_blocks, size)."""
    d, n = x.shape
    count = -(-(n - (size - hop)) // hop)
    padded = np.zeros((d, (count - 1) * hop + size))
    padded[:, :n] = x
    return sliding_window_view(padded, size, axis=1)[:, ::hop]
