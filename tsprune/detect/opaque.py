"""Any other PyOD detector: scored as it is, neither pruned nor saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import NotPrunable
from tsprune.model.part import Part, Spec

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats


@dataclass(frozen=True)
class Opaque(Part):
    """A fitted PyOD detector behind the face of a model part; it has no file form.

    Some PyOD detectors score a row by the rows it comes with: their scores change from batch to batch, and nothing here
    can mend that.
    """

    detector: Any

    @property
    def n_features(self) -> int:
        return int(getattr(self.detector, "n_features_in_", 0) or np.shape(self.detector.X_train_)[1])

    @property
    def n_out(self) -> int:
        return 1

    @property
    def n_parts(self) -> int:
        """One: what is inside is not known."""
        return 1

    def apply(self, values: Floats, clock: Slots) -> Floats:
        return self.anomaly_score(values)[:, None]

    def anomaly_score(self, X: Floats) -> Floats:
        """PyOD's own decision function; higher = more anomalous."""
        return np.asarray(self.detector.decision_function(X), dtype=np.float64)

    def to_spec(self) -> Spec:
        name = type(self.detector).__name__
        raise NotPrunable(
            f"{name} has no form of ours, so it cannot be frozen or saved. Distil it into a forest, or use an isolation forest, one-class SVM or LOF."
        )
