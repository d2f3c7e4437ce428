"""How far two scores of the same rows agree, and how sure that is.

Scores before and after a cut are compared by their order, since a threshold on the training scores is all that is made of
them.  None of this needs labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tsprune.errors import BadParameter
from tsprune.params import check_count, check_same_length, check_share

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints, Matrix

Measure = Callable[["Floats", "Floats"], float]


def ranks(values: ArrayLike) -> Floats:
    """Rank of each value from 1, equal values sharing their mean rank.

    Examples
    --------
    >>> from tsprune.kernels.agreement import ranks
    >>> ranks([0.3, 0.1, 0.3, 0.9])
    array([2.5, 1. , 2.5, 4. ])
    """
    row = np.asarray(values, dtype=np.float64)
    order = np.argsort(row, kind="stable")
    ordered = row[order]
    new = np.append(True, ordered[1:] != ordered[:-1])
    group = np.cumsum(new) - 1
    first = np.append(np.flatnonzero(new), len(row))
    out = np.empty(len(row))
    out[order] = (first[group] + first[group + 1] + 1) / 2
    return out


def spearman(whole: ArrayLike, cut: ArrayLike) -> float:
    """Rank correlation of two scores, ties sharing their mean rank.

    Parameters
    ----------
    whole, cut : array_like, shape (n_samples,)

    Returns
    -------
    float
        In [-1, 1].  Two constant scores agree, 1; one constant score says nothing of the other, 0.

    Raises
    ------
    BadParameter
        If the lengths differ, there is no row, or a score is missing.

    Source
    ------
    ``scipy.stats.spearmanr`` (equal values; it gives NaN for a constant score).

    Examples
    --------
    >>> from tsprune.kernels.agreement import spearman
    >>> spearman([0.1, 0.4, 0.35, 0.8], [1, 3, 2, 9])
    1.0
    """
    return _correlation(*_ranked(whole, cut))


def top_overlap(whole: ArrayLike, cut: ArrayLike, share: float = 0.01) -> float:
    """Share of the top rows of one score that are top rows of the other.

    Parameters
    ----------
    whole, cut : array_like, shape (n_samples,)
    share : float
        Of the rows that count as top, in (0, 1]; one row at the least.  Ties at the border: the earlier row is in.

    Returns
    -------
    float
        In [0, 1].  Unrelated scores get about `share`.

    Examples
    --------
    >>> from tsprune.kernels.agreement import top_overlap
    >>> top_overlap([0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.2, 0.8], share=0.5)
    0.5
    """
    first, second = _pair(whole, cut)
    n_top = max(1, round(check_share(share=share) * len(first)))
    top, other = (np.argsort(-scores, kind="stable")[:n_top] for scores in (first, second))
    return len(np.intersect1d(top, other)) / n_top


def split_half(part_scores: Matrix, random_state: int | None = 0) -> float:
    """How far two random halves of an ensemble's members agree with each other: no cut need follow it more closely.

    Parameters
    ----------
    part_scores : ndarray, shape (n_samples, n_members)
        What each member adds to the score.
    random_state : int or None

    Returns
    -------
    float
        Spearman correlation of the two sums; NaN for a single member.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.agreement import split_half
    >>> split_half(np.repeat(np.arange(5.0)[:, None], 4, axis=1))
    1.0
    """
    n = part_scores.shape[1]
    if n < 2:
        return float("nan")
    order = np.random.default_rng(random_state).permutation(n)
    first, second = (part_scores[:, half].sum(axis=1) for half in (order[: n // 2], order[n // 2 : n // 2 * 2]))
    return spearman(first, second)


def lower_bound(
    measure: Measure,
    whole: ArrayLike,
    cut: ArrayLike,
    *,
    confidence: float = 0.95,
    n_boot: int = 200,
    block: int = 1,
    random_state: int | None = None,
) -> float:
    """Lower confidence bound of a measure of agreement, by bootstrap over the rows.

    Parameters
    ----------
    measure : callable
        `measure(whole, cut) -> float`.  For `spearman` the rows keep the ranks that they have among all rows.
    whole, cut : array_like, shape (n_samples,)
    confidence : float
        In (0, 1]: so often the bound lies below the truth.
    n_boot : int
    block : int
        Rows that are drawn together: neighbours in time err alike.  1 draws single rows.
    random_state : int or None

    Source
    ------
    Percentile bootstrap, Efron 1979; blocks that may begin anywhere, Kuensch 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.kernels.agreement import lower_bound, spearman
    >>> whole = np.arange(500.0)
    >>> cut = whole + np.random.default_rng(0).normal(size=500) * 20
    >>> 0.98 < lower_bound(spearman, whole, cut, random_state=0) < spearman(whole, cut)
    True
    """
    check_share(confidence=confidence, way_out="For 95 %, give 0.95.")
    check_count(n_boot=n_boot)
    check_count(block=block)
    first, second = _pair(whole, cut)
    draws = _draws(len(first), min(block, len(first)), n_boot, np.random.default_rng(random_state))
    if measure is spearman:
        first, second, measure = ranks(first), ranks(second), _correlation
    return float(np.quantile([measure(first[rows], second[rows]) for rows in draws], 1.0 - confidence))


def _draws(n: int, block: int, n_boot: int, rng: np.random.Generator) -> Ints:
    """Row numbers of each bootstrap sample, shape (n_boot, n)."""
    starts = rng.integers(n - block + 1, size=(n_boot, -(-n // block)))
    return (starts[:, :, None] + np.arange(block)).reshape(n_boot, -1)[:, :n]


def _correlation(first: Floats, second: Floats) -> float:
    a, b = first - first.mean(), second - second.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    if size == 0.0:
        return float(not a.any() and not b.any())
    return float(np.clip(a @ b / size, -1.0, 1.0))


def _ranked(whole: ArrayLike, cut: ArrayLike) -> tuple[Floats, Floats]:
    first, second = _pair(whole, cut)
    return ranks(first), ranks(second)


def _pair(whole: ArrayLike, cut: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(whole, dtype=np.float64), np.asarray(cut, dtype=np.float64)
    check_same_length(whole=first, cut=second)
    if len(first) == 0 or np.isnan(first).any() or np.isnan(second).any():
        raise BadParameter(f"whole has {len(first)} scores, {np.isnan(first).sum()} of them missing; compare rows that both have scored.")
    return first, second
