"""A local outlier factor that is computed in full only where a coarse one is suspicious."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tsprune.errors import BadModelFile
from tsprune.model.density import Density
from tsprune.model.part import Part, Spec, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from tsprune.types import AnyArray, Floats, Ints, Json


@dataclass(frozen=True)
class Cascade(Part):
    """The exact local outlier factor for rows that a few of its reference points find suspicious; a lower score for the others.

    Alarms stay what they are, at a fraction of the distances.  Rows below suspicion keep their coarse score, not above `ceiling`.

    Parameters
    ----------
    whole : Density
        The detector whose alarms are kept.
    chosen : ndarray of int64, shape (n_chosen,)
        Which of its points the filter compares a row with, in rising order.
    filter_neighbors : int
        With how many of these.
    level : float
        A coarse score above it is suspicious.
    ceiling : float
        The highest score of a row that is not.
    """

    whole: Density
    chosen: Ints
    filter_neighbors: int
    level: float
    ceiling: float

    @property
    def n_features(self) -> int:
        """Number of columns of a row."""
        return self.whole.n_features

    @property
    def n_out(self) -> int:
        """One score per row."""
        return 1

    @property
    def n_parts(self) -> int:
        """Number of reference points."""
        return self.whole.n_parts

    def anomaly_score(self, X: ArrayLike) -> Floats:
        """Score complete rows, shape (n_samples, n_features); see `Density.anomaly_score`."""
        rows = np.asarray(X, dtype=np.float64)
        coarse = self.filter.anomaly_score(rows)
        suspicious = coarse > self.level
        scores = np.minimum(coarse, self.ceiling)
        scores[suspicious] = self.whole.anomaly_score(rows[suspicious])
        return scores

    def work(self, X: ArrayLike) -> float:
        """Distances computed for these rows, as a share of those that the whole detector needs."""
        suspicious = self.filter.anomaly_score(X) > self.level
        return len(self.chosen) / self.n_parts + float(suspicious.mean())

    @cached_property
    def filter(self) -> Density:
        """The coarse detector."""
        mask = np.zeros(self.n_parts, dtype=bool)
        mask[self.chosen] = True
        return self.whole.keep(mask, self.filter_neighbors)

    def check(self) -> None:
        """Raise ValueError where the parts do not agree."""
        inside = len(self.chosen) > 0 and self.chosen[0] >= 0 and self.chosen[-1] < self.n_parts and (np.diff(self.chosen) > 0).all()
        if not inside or not 1 <= self.filter_neighbors <= len(self.chosen):
            raise ValueError(f"a filter of {len(self.chosen)} points with {self.filter_neighbors} neighbours")

    def to_spec(self) -> Spec:
        """Return the part as data."""
        facts: dict[str, Json] = {name: getattr(self, name) for name in ("filter_neighbors", "level", "ceiling")}
        return Spec("Cascade", facts, {"chosen": self.chosen}, (self.whole.to_spec(),))

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        """Build the part from data that may be damaged or hostile; see `Part.from_spec`."""
        given: dict[str, Any] = {**facts, **arrays}
        fields = {"chosen": "Ints", "filter_neighbors": "int", "level": "float", "ceiling": "float"}
        if set(given) != set(fields) or len(parts) != 1 or not isinstance(parts[0], Density):
            raise BadModelFile(f"Cascade has the fields {sorted(fields)} and one Density; the file gives {sorted(given)}.")
        part = cls(parts[0], **{name: read(kind, given[name], f"Cascade.{name}") for name, kind in fields.items()})
        part.check()
        return part
