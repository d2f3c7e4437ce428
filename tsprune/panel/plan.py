"""A pipeline read as a plan for many series: what each learns alone, and what they learn together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from tsprune.detect import Threshold, fit_detector, unfitted
from tsprune.errors import BadParameter
from tsprune.features import Difference, SelectFeatures, Windows
from tsprune.features.catalogue import resolve
from tsprune.kernels.smooth import scale_of
from tsprune.model.clock import Clock
from tsprune.model.windows import WindowMatrix
from tsprune.params import check_count
from tsprune.pipeline import Pipeline
from tsprune.prune import Pruned
from tsprune.series.table import Table
from tsprune.signal import Denoise, Deseason, Detrend

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.model.columns import Columns
    from tsprune.series.stage import Stage
    from tsprune.types import Floats

#: Rows of a window where the pipeline leaves that open.
WINDOW = 16
#: Stages that a series learns for itself.
OWN = (Deseason, Detrend, Denoise, Difference)


def default_pipeline(random_state: int) -> Pipeline:
    """A season for each series, the row against its last hours, a pruned isolation forest."""
    return Pipeline([Deseason(), Windows(WINDOW, "point"), Pruned("iforest", random_state=random_state)])


@dataclass(frozen=True)
class Plan:
    """The steps of a pipeline, by who learns them; nothing here is fitted."""

    stages: tuple[Stage, ...]
    windows: Windows | None
    select: SelectFeatures | None
    detector: Any
    threshold: Threshold
    random_state: int

    @classmethod
    def of(cls, pipeline: Pipeline | None, random_state: int) -> Plan:
        """Sort the steps.

        Raises
        ------
        BadParameter
            If a step cannot be learned by many series, or stands where it cannot.
        """
        if pipeline is None:
            pipeline = default_pipeline(random_state)
        if not isinstance(pipeline, Pipeline):
            raise BadParameter(f"pipeline is {pipeline!r}; it is a tsp.Pipeline, or None for the default one.")
        named = pipeline.named_steps()
        threshold = named.pop()[1] if isinstance(named[-1][1], Threshold) else Threshold()
        if threshold.recalibrate is not None or threshold.min_length != 1:
            raise BadParameter(f"the pipeline has {threshold!r}; a panel compares each row with one number per series: leave these out.")
        detector = named.pop()[1] if named else None
        stages = [stage for _, stage in named]
        select = stages.pop() if stages and isinstance(stages[-1], SelectFeatures) else None
        windows = stages.pop() if stages and isinstance(stages[-1], Windows) else None
        for stage in stages:
            if not isinstance(stage, OWN):
                raise BadParameter(
                    f"the pipeline has {stage!r}; a panel takes Deseason, Detrend, Denoise and Difference in any order, then Windows, then SelectFeatures."
                )
        if windows is not None and windows.bridge != "auto":
            check_count(bridge=windows.bridge, low=0, high=2**20)
        if detector is None or isinstance(detector, (*OWN, Windows, SelectFeatures)):
            raise BadParameter("the pipeline ends without a detector; put one last, such as 'iforest' or Pruned('lof').")
        return cls(tuple(stages), windows, select, detector, threshold, random_state)

    @property
    def asks_gaps(self) -> bool:
        """Whether the longest gap that windows bridge is left to the fleet."""
        return self.windows is not None and self.windows.bridge == "auto"

    def bridging(self, gap: int) -> Plan:
        """The same plan with that gap known."""
        assert self.windows is not None
        return replace(self, windows=clone(self.windows).set_params(bridge=gap))

    @property
    def length(self) -> int:
        """Rows of a window."""
        return WINDOW if self.windows is None or self.windows.length == "auto" else self.windows.length

    def raw_windows(self, channels: int) -> WindowMatrix:
        """The features of a window before they are scaled; without windows, the values themselves."""
        if self.windows is None:
            return WindowMatrix(channels, ("value",), (1,), np.ones(channels), np.zeros(0), np.ones(0))
        names, lengths = resolve(self.windows.features, self.length)
        floor, bridge = np.full(channels, self.windows.floor), self.windows.bridge
        return WindowMatrix(channels, names, lengths, floor, np.zeros(0), np.ones(0), int(bridge))

    def scaled(self, plain: WindowMatrix, raw: Floats) -> WindowMatrix:
        """The same features, centred and scaled by what the rows of all series show."""
        if self.windows is None or self.windows.scale == "none":
            centre, scale = np.zeros(raw.shape[1]), np.ones(raw.shape[1])
        else:
            centre, scale = np.median(raw, axis=0), np.array([scale_of(column) for column in raw.T])
        return replace(plain, centre=centre, scale=scale)

    def selection(self, part: WindowMatrix, rows: Floats) -> Columns | None:
        """Which features stay."""
        if self.select is None:
            return None
        names = part.labels(tuple(f"x{k}" for k in range(part.n_features)))
        learned = clone(self.select).learn(Table(rows, names, Clock.index(), None, 2))
        columns: Columns = learned.part_  # type: ignore[assignment]
        return columns

    def unpruned(self) -> Plan:
        """The same plan with the bare detector of a `Pruned` one."""
        if not isinstance(self.detector, Pruned):
            return self
        return replace(self, detector=unfitted(self.detector.detector, self.detector.random_state))

    def fit_detector(self, rows: Floats) -> Detector:
        """The detector, fitted on complete rows.

        Raises
        ------
        NotPrunable
            If it has no form of ours.
        """
        detector = self.detector
        fitted = clone(detector).fit(rows) if isinstance(detector, Pruned) else fit_detector(detector, rows, random_state=self.random_state)
        part: Detector = fitted.part_
        part.to_spec()  # an opaque detector refuses here
        return part
