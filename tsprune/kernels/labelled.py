"""What every metric is given: labels beside scores or predictions, checked once; their events and their sort, found once.

A label or a prediction is 0 or 1 (or False or True), a score is a number, higher = more anomalous.  A score that is NaN
belongs to a row that was not scored: it ranks below every scored row, and no threshold predicts it.  Infinite scores are
scores like others.  Values are compared row by row; an index of pandas is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tsprune.errors import BadParameter
from tsprune.params import check_same_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from tsprune.types import Floats, Ints, Mask


class PrecisionRecall(NamedTuple):
    """What the predictions are worth, what the events got, and the harmonic mean of both."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Runs:
    """Maximal runs of True in a mask, such as the events of labels: first row of each, and first row after each."""

    first: Ints
    stop: Ints

    @property
    def last(self) -> Ints:
        """Last row of each run."""
        return self.stop - 1

    @property
    def lengths(self) -> Ints:
        """Rows of each run."""
        return self.stop - self.first

    def __len__(self) -> int:
        return len(self.first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """First row, and first row after, of one run after the other."""
        return zip(self.first.tolist(), self.stop.tolist(), strict=True)

    def count(self, mask: Mask) -> Ints:
        """How many rows of each run are True in a mask."""
        if len(self) == 0:
            return np.empty(0, np.int64)
        within = mask[ranges(self.first, self.stop)]
        return np.add.reduceat(within, np.cumsum(self.lengths) - self.lengths, dtype=np.int64)


@dataclass(frozen=True)
class Labelled:
    """Labels beside one score (or prediction) per row."""

    labels: Mask
    scores: Floats

    @classmethod
    def of(cls, labels: ArrayLike, scores: ArrayLike) -> Labelled:
        """Labels and scores as a caller gave them, or BadParameter."""
        return cls(*_paired(labels=as_mask(labels, "labels"), scores=as_scores(scores, "scores")))

    @cached_property
    def events(self) -> Runs:
        """Maximal runs of label 1."""
        return runs(self.labels)

    @cached_property
    def n_positive(self) -> int:
        """Rows within events, scored or not."""
        return int(np.count_nonzero(self.labels))

    @property
    def n_negative(self) -> int:
        """Rows outside events, scored or not."""
        return len(self.labels) - self.n_positive

    @cached_property
    def ascending(self) -> Floats:
        """All scores but NaN, in ascending order: the one sort of an evaluation."""
        return _sorted_numbers(self.scores)

    @cached_property
    def positives(self) -> Floats:
        """The scores within events but NaN, in ascending order."""
        return _sorted_numbers(self.scores[self.labels])

    def n_predicted(self, thresholds: Floats) -> Ints:
        """Rows with score >= threshold, for each threshold."""
        return len(self.ascending) - np.searchsorted(self.ascending, thresholds, "left")


def paired_masks(labels: ArrayLike, predictions: ArrayLike) -> tuple[Mask, Mask]:
    """Labels and predictions as a caller gave them, or BadParameter."""
    return _paired(labels=as_mask(labels, "labels"), predictions=as_mask(predictions, "predictions"))


def as_mask(values: ArrayLike, name: str) -> Mask:
    """Labels or predictions as booleans.

    Raises
    ------
    BadParameter
        If a value is neither 0 nor 1, or there is not one axis.
    """
    array = _one_axis(values, name)
    if array.dtype == np.bool_:
        return array
    wrong = np.flatnonzero((array != 0) & (array != 1))
    if len(wrong):
        raise BadParameter(
            f"{name} is {array[wrong[0]].item()!r} at row {wrong[0]}; it is 0 (normal) or 1 (anomaly). "
            f"Of scikit-learn's +1 and -1, give {name} == -1."
        )
    return array != 0


def as_scores(values: ArrayLike, name: str) -> Floats:
    """Scores as float64; NaN and infinite ones stay.

    Raises
    ------
    BadParameter
        If they are no numbers, or there is not one axis.
    """
    return _one_axis(values, name).astype(np.float64, copy=False)


def runs(mask: Mask) -> Runs:
    """Maximal runs of True.

    >>> import numpy as np
    >>> from tsprune.kernels.labelled import runs
    >>> found = runs(np.array([True, False, True, True]))
    >>> list(found)
    [(0, 1), (2, 4)]
    """
    if len(mask) == 0:
        return Runs(np.empty(0, np.int64), np.empty(0, np.int64))
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    edges = np.concatenate([[0] if mask[0] else [], edges, [len(mask)] if mask[-1] else []]).astype(np.int64)
    return Runs(edges[::2], edges[1::2])


def ranges(first: Ints, stop: Ints) -> Ints:
    """The numbers first, ..., stop - 1 of every pair, one after the other; nothing where stop <= first."""
    lengths = np.maximum(stop - first, 0)
    return np.arange(lengths.sum()) + np.repeat(first - (np.cumsum(lengths) - lengths), lengths)


def steps(scores: Floats, thresholds: Floats, *, strict: bool) -> Ints:
    """At which of the descending thresholds each row is first predicted; `len(thresholds)` where at none, as for NaN.

    A row is predicted when its score is >= the threshold, or > when `strict`.
    """
    return np.searchsorted(-thresholds, -scores, "right" if strict else "left")


def harmonic(precision: Floats | float, recall: Floats | float) -> Floats:
    """F1, that is 2 P R / (P + R), and 0 where both are 0."""
    total = np.add(precision, recall)
    return np.asarray(2.0 * np.multiply(precision, recall) / np.where(total == 0.0, 1.0, total))


def _paired(**named: Any) -> tuple[Any, Any]:
    check_same_length(**named)
    first, second = named.values()
    return first, second


def _one_axis(values: ArrayLike, name: str) -> Any:
    array = np.asarray(values)
    if array.ndim != 1:
        raise BadParameter(f"{name} has shape {array.shape}; it has one axis, one value per row. Of a table, give one column.")
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise BadParameter(f"{name} holds values that are no numbers ({array.dtype}); give one number per row.") from None
    if array.dtype.kind not in "biuf":
        raise BadParameter(f"{name} is of dtype {array.dtype}; give one number per row.")
    return array


def _sorted_numbers(scores: Floats) -> Floats:
    ascending = np.sort(scores)  # NaN last
    return ascending[: np.searchsorted(ascending, np.nan, "left")]
