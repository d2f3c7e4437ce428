"""The threshold above which a score is an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.types import Floats, Mask


@dataclass(frozen=True)
class Level(Part):
    """A fixed threshold; a row without a score is no alarm."""

    threshold: float

    def exceeded(self, scores: Floats) -> Mask:
        """Whether each score is above the threshold, strictly."""
        return np.greater(scores, self.threshold, where=~np.isnan(scores), out=np.zeros(len(scores), dtype=bool))
