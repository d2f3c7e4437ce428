"""Detectors of scikit-learn and PyOD as parts of a model, and the threshold behind them."""

from tsprune.detect.fitted import SHORT_NAMES, FittedDetector, fit_detector, to_part, unfitted
from tsprune.detect.grown import GrownForest
from tsprune.detect.nearest import NearestRows
from tsprune.detect.subspace import SubspaceDistance
from tsprune.detect.threshold import Threshold

__all__ = [
    "SHORT_NAMES",
    "FittedDetector",
    "GrownForest",
    "NearestRows",
    "SubspaceDistance",
    "Threshold",
    "fit_detector",
    "to_part",
    "unfitted",
]
