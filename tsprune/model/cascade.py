"""A local outlier factor that is computed in full only where a coarse one is suspicious."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from tsprune.errors import BadModelFile, BadParameter
from tsprune.model.density import Density
from tsprune.model.part import Part, Spec, complete_rows, read
from tsprune.params import check_share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from tsprune.types import AnyArray, Floats, Ints, Json

#: Rows that `Cascade.top` computes in full at first and then at a time, for each row asked for; and how many times in a row nothing
#: may change before it ends.
FIRST, NEXT, CALM = 5.0, 2.5, 2


class Top(NamedTuple):
    """The rows found: positions from the top on, their exact scores, and the distances computed as a share of those of all rows."""

    rows: Ints
    scores: Floats
    work: float


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

    def top(self, X: ArrayLike, share: float = 0.01) -> Top:
        """Find nearly all of the most anomalous rows of a batch, with the exact scores of the whole detector.

        The filter says in which order rows are computed in full; it ends where twice in a row none of the next ones came among the
        top.  A row that the filter ranks low can be missed.  `level` has no part in it, so it works as well where the batch has
        drifted.  What is on top depends on the batch: this ranks a record, as an analyst does, and is no score for alarms.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Complete rows.
        share : float
            How many rows are asked for: max(1, round(share * n_samples)).  Ten times as many are computed at the least; from a
            tenth on that is all of them.

        Examples
        --------
        >>> import numpy as np
        >>> from tsprune.model.density import Density
        >>> from tsprune.prune.reference import cascade
        >>> rng = np.random.default_rng(0)
        >>> whole = Density.of(rng.normal(size=(2000, 3)), n_neighbors=20)
        >>> X = rng.normal(size=(1000, 3)) + 1.0
        >>> top = cascade(whole, random_state=0).top(X)
        >>> bool((top.rows == np.argsort(-whole.anomaly_score(X))[:10]).all()), top.work < 0.2
        (True, True)
        """
        check_share("For the top hundredth, give 0.01.", share=share)
        rows = complete_rows(X, self.n_features)
        if np.isnan(rows).any():
            raise BadParameter("X has rows that miss a value, which have no rank; give complete ones.")
        n_top = min(len(rows), max(1, round(share * len(rows))))
        order = np.argsort(-self.filter.anomaly_score(rows), kind="stable")
        best, scores = order[:0], np.empty(0)
        done, calm, step = 0, 0, FIRST
        while done < len(rows) and calm < CALM:
            block = order[done : done + math.ceil(step * n_top)]
            either = np.concatenate([best, block])
            known = np.concatenate([scores, self.whole.anomaly_score(rows[block])])
            first = np.lexsort((either, -known))[:n_top]
            calm = calm + 1 if np.array_equal(either[first], best) else 0
            best, scores, done, step = either[first], known[first], done + len(block), NEXT
        return Top(best, scores, len(self.chosen) / self.n_parts + done / max(1, len(rows)))

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
