"""A detector with parts taken away: as many as the guard lets go, or as few as the user keeps.

The last quarter of the training rows is held back from the pruner, and judges it: fidelity is the agreement of the scores
before and after the cut on rows that the cut was not made for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from tsprune.detect import Threshold, fit_detector
from tsprune.detect.fitted import sampled
from tsprune.detect.forest import growing
from tsprune.detect.opaque import Opaque
from tsprune.errors import BadParameter, BadSeries, OverPruned
from tsprune.model.density import Density
from tsprune.params import check_count, check_share
from tsprune.prune.cutters import ceiling, cutter_for
from tsprune.prune.explain import story
from tsprune.prune.grow import Growth, until_converged
from tsprune.prune.guard import Bound, Guard
from tsprune.prune.queries import spread
from tsprune.prune.reference import cleaned
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.model.forest import Forest
    from tsprune.prune.criteria import Criterion
    from tsprune.types import Floats

#: Share of the training rows that judges a cut, and the fewest that can; of more than the most, evenly spread ones do.
HELD_BACK, FEWEST, MOST = 0.25, 40, 4000

#: Training rows that set `threshold_`, evenly spread: 0.5 % of them is still fifty.
THRESHOLD_ROWS = 10_000

#: Rows that a cut may see; more changed nothing measurable.
SEEN = 8000


class Pruned(OutlierMixin, BaseEstimator):
    """Fit a detector, then cut what its scores can do without.

    An isolation forest loses nodes over the whole forest and gets its leaves refitted; a one-class SVM is rewritten with few
    centres; LOF gets its reference set cleaned, and condensed on request.  Any other detector is taught to a small model of ours,
    which takes its place if it is faithful.

    Parameters
    ----------
    detector : "iforest", "ocsvm", "lof", or an estimator
        An isolation forest, one-class SVM (RBF) or LOF of scikit-learn or PyOD, or any other detector of PyOD.  It is cloned and
        fitted; one that is fitted already goes in as `sklearn.frozen.FrozenEstimator(detector)`, or through `tsp.prune`.
    keep : "auto" or float
        Share of the parts that stays (nodes, support vectors, reference points), in (0, 1]: max(1, round(keep * n)) of them.
        "auto" cuts as far as the guard's fidelity holds; LOF is cleaned only.
    criterion : Nodes, Suspicion or None
        How parts are ranked or used (`tsprune.prune.criteria`); None is what was measured best for each detector.
    guard : Guard, "default" or None
        What refuses a cut; "default" is `Guard()`, None refuses nothing (and "auto" then stops at a fidelity of 0.99).
    clean : "mad", float or None
        LOF only: drop reference points whose distance to the 100th neighbour is beyond median + 3 MAD ("mad"), or
        the farthest share; None keeps all.
    grow : int, "converged" or None
        Isolation forest only: grow so many trees instead of the detector's own number, with its other settings; they are cut and
        thrown away.  The ranking of 1,000 trees is far steadier than that of 100, and so is what a cut keeps of it.  "converged"
        doubles them until two halves of them rank the held-back rows hardly more alike than before, by less than 0.02 in Spearman
        correlation (`tsprune.prune.grow`): 100 at the least, 1,600 at the most.
    sample : int, "auto" or None
        Learn the detector from so many random rows at most.  "auto": 10,000 for "ocsvm" and 4,000 for "lof", whose time grows with their square; else all.
        How far the score hangs on which rows these are is told by `ceiling_`.
    random_state : int or None
        For short names also the seed of the detector.
    n_jobs : int or None
        For the detector's own fit where it takes one; results do not depend on it.

    Attributes
    ----------
    part_ : Forest, Boundary, Density, ...
        What is left, as a part of a model.
    detector_ : estimator
        The fitted detector; "lof" is learned by a search of our own, and this is its settings.
    n_parts_before_, n_parts_after_ : int
    keep_ : float
        Share of the parts that stayed.
    bytes_before_, bytes_after_ : int
        In a model file, packed the same way; NaN for a detector that has no form of ours.
    fidelity_ : float
        Agreement with the detector before the cut (LOF: after cleaning), on held-back rows.
    fidelity_low_ : float
        Its lower confidence bound.
    ceiling_ : float
        How far two halves of the detector agree with each other on the same rows: of its trees, or learned from half of the rows
        (of 10,000 at the most) each.
    refused_ : str
        Why a cut was refused, or "".
    story_ : str
        Which parts went, and why.
    growth_ : Growth or None
        With `grow`: how many trees were grown, and, for "converged", how far halves of ever more trees agreed.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune import Pruned
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> pruned = Pruned("iforest", keep=0.1, guard=None, random_state=0).fit(X)
    >>> pruned.n_parts_after_ <= round(0.1 * pruned.n_parts_before_)
    True
    """

    def __init__(
        self,
        detector: Any = "iforest",
        keep: float | Literal["auto"] = "auto",
        criterion: Criterion | None = None,
        guard: Guard | Literal["default"] | None = "default",
        clean: float | Literal["mad"] | None = "mad",
        random_state: int | None = None,
        n_jobs: int | None = None,
        *,
        grow: int | Literal["converged"] | None = None,
        sample: int | Literal["auto"] | None = "auto",
    ):
        self.detector = detector
        self.keep = keep
        self.criterion = criterion
        self.guard = guard
        self.clean = clean
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.grow = grow
        self.sample = sample

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the detector on the complete rows of X, shape (n, d), and cut it."""
        values = self._rows(X)
        guard = self._guard()
        if self.keep != "auto":
            check_share(keep=self.keep)
        self.n_features_in_ = values.shape[1]
        fitted = fit_detector(self.detector, values, random_state=self.random_state, n_jobs=self.n_jobs, sample=self.sample)
        self.detector_ = fitted.estimator
        whole: Detector = fitted.part_
        self.growth_: Growth | None = None
        if self.grow is not None:
            whole, self.growth_ = self._grown(values, self.grow)
        self._cut(whole, values, guard)
        self.threshold_ = Threshold().fit(self.part_.anomaly_score(spread(values, THRESHOLD_ROWS))).part_.threshold
        self.offset_ = -self.threshold_
        return self

    def anomaly_score(self, X: Any) -> Any:
        """Score rows; higher = more anomalous; NaN for a row that misses a value."""
        check_is_fitted(self, "part_")
        table = self._read(X)
        complete = ~np.isnan(table.values).any(axis=1)
        scores = np.full(len(table), np.nan)
        if complete.any():
            scores[complete] = self.part_.anomaly_score(table.values[complete])
        return table.scores(scores)

    def score_samples(self, X: Any) -> Floats:
        """scikit-learn's sign: lower = more anomalous."""
        return -np.asarray(self.anomaly_score(X))

    def decision_function(self, X: Any) -> Floats:
        """`score_samples` minus `offset_`: negative for an anomaly."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Any:
        """scikit-learn's labels: -1 for an anomaly, +1 for a normal row, or one without a score."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def freeze(self) -> Detector:
        """The pruned part of a model."""
        check_is_fitted(self, "part_")
        return self.part_

    def facts(self) -> dict[str, float]:
        """Parts before and after, and their share."""
        told = {"parts_before": float(self.n_parts_before_), "parts_after": float(self.n_parts_after_)}
        grown = {} if self.growth_ is None else self.growth_.facts()
        return told | {"bytes_before": float(self.bytes_before_)} | self.cleaning_ | grown

    # -- cutting ----------------------------------------------------------------------------------------------------

    def _grown(self, values: Floats, grow: int | str) -> tuple[Forest, Growth]:
        """The larger forest that is cut instead of the detector."""
        larger = growing(self.detector_, sampled(self.detector, values, self.sample), self.random_state)
        if grow == "converged":
            return until_converged(larger, _parted(values)[1])
        if isinstance(grow, str):
            raise BadParameter(f"grow is {grow!r}; it is a number of trees, 'converged' or None.")
        n_trees = check_count(grow=grow)
        return larger.more(n_trees), Growth(n_trees)

    def _cut(self, whole: Detector, values: Floats, guard: Guard | None) -> None:
        seen, held = _parted(values)
        self.n_parts_before_, self.bytes_before_ = whole.n_parts, _nbytes(whole)
        self.cleaning_: dict[str, float] = {}
        self.refused_ = ""
        before, whole, judge = whole, self._cleaned(whole), guard or Guard()
        cutter = cutter_for(whole, seen, self.random_state, self.criterion)
        bound = Bound(cutter.fidelity, whole, held, judge.confidence, self.random_state)
        if self.keep == "auto":
            cut = cutter.farthest(lambda cut: judge.accepts(bound(cut)))
            if cut is None and isinstance(whole, Opaque):
                self._no_student(judge)
        elif self.keep == 1.0:
            cut = None
        else:
            cut = cutter.at(max(1, round(self.keep * self.n_parts_before_)))
            if guard is not None and not guard.accepts(bound(cut)):
                cut = self._refused(cut, whole, bound, guard)
        self.part_: Detector = whole if cut is None else cut
        self.n_parts_after_, self.bytes_after_ = self.part_.n_parts, _nbytes(self.part_)
        self.keep_: float | Literal["auto"] = self.n_parts_after_ / self.n_parts_before_ if cut is not None else 1.0
        self.fidelity_, self.fidelity_low_ = (1.0, 1.0) if self.part_ is whole else (bound.fidelity(self.part_), bound(self.part_))
        self.story_ = " ".join(filter(None, [str(self.growth_ or ""), story(before, self.part_, whole)]))
        self.ceiling_ = ceiling(self.detector_, whole, values, held, cutter.fidelity, self.random_state)

    def _cleaned(self, whole: Detector) -> Detector:
        """LOF without its far reference points, learned anew from the others; any other detector as it is."""
        if not isinstance(whole, Density) or self.clean is None:
            return whole
        rest = cleaned(whole, rule=self.clean)
        self.cleaning_ = {"cleaned_share": 1.0 - rest.n_parts / whole.n_parts}
        return rest

    def _refused(self, cut: Detector, whole: Detector, bound: Bound, guard: Guard) -> Detector:
        self.refused_ = (
            f"keep={self.keep:g} leaves {cut.n_parts} of {self.n_parts_before_} parts at a fidelity of {bound.fidelity(cut):.3f}, whose lower "
            f"{guard.confidence:.0%} bound {bound(cut):.3f} is below the guard's {guard.fidelity:g}"
        )
        if guard.on_fail == "raise":
            raise OverPruned(f"{self.refused_}. Keep more parts, lower the guard's fidelity, or give keep='auto'.")
        return whole

    def _no_student(self, guard: Guard) -> None:
        self.refused_ = f"no student of {type(self.detector_).__name__} has a lower bound of the guard's {guard.fidelity:g}"
        if guard.on_fail == "raise":
            raise OverPruned(f"{self.refused_}. Lower the guard's fidelity, or take a detector that can be saved as it is.")

    def _rows(self, X: Any) -> Floats:
        table = read_table(X, flat=False)
        values = table.values[~np.isnan(table.values).any(axis=1)]
        if len(values) < 2:
            raise BadSeries(
                f"X has {len(values)} sample(s) without a missing value, of {len(table)}; a detector needs 2. Fill the gaps or give more rows."
            )
        return values

    def _read(self, X: Any) -> Any:
        table = read_table(X, flat=False)
        if table.values.shape[1] != self.n_features_in_:
            raise BadSeries(f"X has {table.values.shape[1]} features, but Pruned is expecting {self.n_features_in_} features as input")
        return table

    def _guard(self) -> Guard | None:
        guard = Guard() if self.guard == "default" else self.guard
        if guard is not None and not isinstance(guard, Guard):
            raise BadParameter(f"guard is {guard!r}; it is a Guard, 'default' or None.")
        return guard

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _parted(values: Floats) -> tuple[Floats, Floats]:
    """Rows that a cut may see, and rows that judge it; the same ones where there are few."""
    n_held = round(HELD_BACK * len(values))
    seen, held = (values[:-n_held], values[-n_held:]) if n_held >= FEWEST else (values, values)
    return spread(seen, SEEN), spread(held, MOST)


def _nbytes(part: Detector) -> float:
    """Bytes in a model file; NaN for a detector that has no form of ours."""
    return float("nan") if isinstance(part, Opaque) else part.nbytes


def prune(
    fitted_detector: Any,
    X: Any,
    keep: float | Literal["auto"] = "auto",
    *,
    guard: Guard | Literal["default"] | None = "default",
    criterion: Criterion | None = None,
    clean: float | Literal["mad"] | None = "mad",
    random_state: int | None = None,
    n_jobs: int | None = None,
) -> Pruned:
    """Prune a detector of scikit-learn or PyOD that is fitted already; it stays as it is.

    Parameters
    ----------
    fitted_detector : estimator
        A fitted isolation forest, one-class SVM (RBF), LOF, or any other detector of PyOD.
    X : array or DataFrame, shape (n, d)
        The rows it was fitted on, in time order: the last quarter judges the cut.
    keep, guard, criterion, clean, random_state, n_jobs
        As in `Pruned`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> import tsprune as tsp
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> pruned = tsp.prune(forest, X, keep=0.25, guard=None)
    >>> pruned.fidelity_ > 0.98
    True
    """
    frozen = FrozenEstimator(fitted_detector)
    return Pruned(frozen, keep, criterion, guard, clean, random_state, n_jobs).fit(X)
