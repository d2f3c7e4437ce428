"""The user's detector, fitted, with the part of a model that scores as it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from tsprune.detect.boundary import to_boundary
from tsprune.detect.density import to_density, to_neighbours
from tsprune.detect.forest import to_forest
from tsprune.detect.grown import GrownForest
from tsprune.detect.nearest import NearestRows
from tsprune.detect.opaque import Opaque
from tsprune.detect.standard import own_part
from tsprune.detect.subspace import SubspaceDistance
from tsprune.errors import BadParameter, NotPrunable
from tsprune.model.density import Density
from tsprune.params import check_count

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.types import Floats

#: What a short name stands for: scikit-learn's detectors, with `nu` at a share of outliers that people have, not at one half.
SHORT_NAMES: dict[str, Callable[[int | None], Any]] = {
    "forest": lambda seed: GrownForest(random_state=seed),
    "iforest": lambda seed: IsolationForest(random_state=seed),
    "lof": lambda seed: LocalOutlierFactor(novelty=True),
    "nearest": lambda seed: NearestRows(random_state=seed),
    "ocsvm": lambda seed: OneClassSVM(nu=0.05),
    "subspace": lambda seed: SubspaceDistance(),
}

#: Class of scikit-learn or PyOD -> how its fitted objects become a part of ours.  PyOD is not imported for this.
CONVERTERS: dict[str, Callable[[Any], Detector]] = {
    "EachColumn": own_part,
    "GrownForest": own_part,
    "IForest": to_forest,
    "IsolationForest": to_forest,
    "KNN": to_neighbours,
    "LOF": to_density,
    "LocalOutlierFactor": to_density,
    "NearestNeighbors": to_neighbours,
    "NearestRows": own_part,
    "OCSVM": to_boundary,
    "OneClassSVM": to_boundary,
    "SubspaceDistance": own_part,
}


#: Rows that a detector learns from at the most where it goes by its short name: its time grows with their square.
MOST_ROWS = {"lof": 4_000, "ocsvm": 10_000}


@dataclass(frozen=True)
class FittedDetector:
    """A fitted detector and its part of a model."""

    estimator: Any
    part_: Detector
    n_rows: int

    def facts(self) -> dict[str, float]:
        """Rows that it learned from."""
        return {"rows_learned": float(self.n_rows)}


def sampled(detector: Any, X: Floats, sample: int | Literal["auto"] | None = "auto") -> Floats:
    """Rows that a detector learns from, in their order: all, or a random sample.

    The sample is the same for every seed: pipelines that are compared learn from the same rows.

    Parameters
    ----------
    detector : str or estimator
    X : ndarray, shape (n, d)
    sample : "auto", int or None
        "auto": at most 4,000 for "lof" and 10,000 for "ocsvm" by their short names, all for any other; None: all.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect.fitted import sampled
    >>> len(sampled("lof", np.zeros((20_000, 2)))), len(sampled("iforest", np.zeros((20_000, 2))))
    (4000, 20000)
    """
    if sample == "auto":
        most = MOST_ROWS.get(detector, len(X)) if isinstance(detector, str) else len(X)
    else:
        most = len(X) if sample is None else check_count(sample=sample, low=2)
    if len(X) <= most:
        return X
    return X[np.sort(np.random.default_rng(0).permutation(len(X))[:most])]


def unfitted(detector: Any, random_state: int | None = None, n_jobs: int | None = None) -> Any:
    """A clone of the detector, or the one a short name stands for.

    A LOF of scikit-learn is set to `novelty=True`: without, it has no score for new rows.

    >>> from tsprune.detect.fitted import unfitted
    >>> unfitted("lof")
    LocalOutlierFactor(novelty=True)
    """
    if isinstance(detector, str):
        if detector not in SHORT_NAMES:
            raise BadParameter(f"detector is {detector!r}; it is one of {', '.join(map(repr, SHORT_NAMES))}, or a detector object.")
        made = SHORT_NAMES[detector](random_state)
    elif hasattr(detector, "get_params") and hasattr(detector, "fit"):
        made = clone(detector)
    else:
        raise BadParameter(
            f"detector is {detector!r}; it is a scikit-learn or PyOD detector, or one of {', '.join(map(repr, SHORT_NAMES))}."
        )
    if isinstance(made, LocalOutlierFactor):
        made.set_params(novelty=True)
    if n_jobs is not None and "n_jobs" in made.get_params():
        made.set_params(n_jobs=n_jobs)
    return made


def fit_detector(
    detector: Any,
    X: Floats,
    *,
    random_state: int | None = None,
    n_jobs: int | None = None,
    sample: int | Literal["auto"] | None = "auto",
) -> FittedDetector:
    """Fit a clone of the detector on complete rows, shape (n, d); one frozen by scikit-learn's FrozenEstimator is taken as it is."""
    if isinstance(detector, FrozenEstimator):
        return FittedDetector(detector.estimator, to_part(detector.estimator), len(X))
    made = unfitted(detector, random_state, n_jobs)
    rows = sampled(detector, X, sample)
    if isinstance(detector, str) and detector == "lof":  # scikit-learn's fit is a search of neighbours, which ours repeats anyway
        return FittedDetector(made, Density.of(np.ascontiguousarray(rows, dtype=np.float64), made.n_neighbors), len(rows))
    made.fit(rows)
    return FittedDetector(made, to_part(made), len(rows))


def to_part(detector: Any) -> Detector:
    """The part of a model that scores as a fitted detector does: of ours where there is one, else opaque.

    Raises
    ------
    NotPrunable
        If the detector has neither a form of ours nor a `decision_function`.
    """
    for kind in type(detector).__mro__:
        if kind.__name__ in CONVERTERS and kind.__module__.startswith(("sklearn.", "pyod.", "tsprune.")):
            return CONVERTERS[kind.__name__](detector)
    if type(detector).__module__.startswith("pyod.") and hasattr(detector, "decision_function"):
        return Opaque(detector)
    raise NotPrunable(
        f"{type(detector).__name__} has no form of ours; those with one are {', '.join(sorted(CONVERTERS))} of scikit-learn and PyOD."
    )
