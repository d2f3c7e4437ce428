"""`df.tsprune`: the main job from a frame or a series, for those who import this module.

>>> import pandas as pd
>>> import tsprune as tsp
>>> import tsprune.accessor  # registers the accessor; nothing else does
>>> sea = tsp.datasets.load("elnino").frame
>>> {name: periods[0].samples for name, periods in sea.tsprune.periods().items()}
{'value': 12.0}
>>> sea[:240].tsprune.fit().model_.columns
('value',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.features import SelectFeatures, Windows
from tsprune.model import Model
from tsprune.pipeline import Pipeline
from tsprune.prune import Pruned
from tsprune.series.clock import times
from tsprune.series.doctor import examine
from tsprune.series.io import Loaded
from tsprune.series.rows import model_scores
from tsprune.series.split import split_at
from tsprune.signal import Deseason, find_periods

if TYPE_CHECKING:
    from tsprune.report import Report
    from tsprune.signal.period import Period


def default_steps(random_state: int = 0) -> list[Any]:
    """The chain that the command line fits where nothing is said.

    >>> from tsprune.accessor import default_steps
    >>> [type(step).__name__ for step in default_steps()]
    ['Deseason', 'Windows', 'SelectFeatures', 'Pruned']
    """
    return [Deseason(), Windows(), SelectFeatures(), Pruned("iforest", random_state=random_state)]


@pd.api.extensions.register_series_accessor("tsprune")
@pd.api.extensions.register_dataframe_accessor("tsprune")
class Accessor:
    """What `df.tsprune` and `series.tsprune` can do; the rows are never changed."""

    def __init__(self, rows: Any):
        self._rows = rows

    def doctor(self) -> list[str]:
        """What is in the rows, and what would be done about it, a sentence each."""
        numeric = self._frame.select_dtypes("number")
        left_out = tuple(str(name) for name in self._frame.columns if name not in numeric.columns)
        time = str(self._rows.index.name or "the index")
        return examine(Loaded(numeric, None, time, left_out))

    def periods(self, max_periods: int = 2) -> dict[str, list[Period]]:
        """The periods found in each column, the strongest first."""
        frame = self._frame
        return {str(name): find_periods(frame[name], max_periods=max_periods) for name in frame}

    def fit(self, steps: list[Any] | None = None) -> Pipeline:
        """Fit a pipeline on the rows: of these steps, or the default ones."""
        return Pipeline(default_steps() if steps is None else steps).fit(self._rows)

    def score(self, model: Pipeline | Model) -> pd.Series:
        """Score the rows by a fitted pipeline or a model; higher = more anomalous."""
        if not isinstance(model, Model):
            return pd.Series(model.anomaly_score(self._rows), index=self._rows.index, name="score")
        return pd.Series(model_scores(model, self._rows), index=self._rows.index, name="score")

    def detect(self, model: Pipeline | Model) -> pd.Series:
        """Whether each row is an alarm."""
        chain = model if isinstance(model, Model) else model.model_
        return pd.Series(chain.alarms(np.asarray(self.score(model)), times(self._rows.index)), index=self._rows.index, name="alarm")

    def report(self, labels: Any = None, *, train: float | str = 0.5, steps: list[Any] | None = None, n_boot: int = 200) -> Report:
        """Learn on the first share of the rows (or those before a time), and judge each stage on the others.

        Parameters
        ----------
        labels : array-like of 0/1, optional
            One per row; without, anomalies are injected into the rows judged.
        train : float or str
        steps : list, optional
            The default chain where not given.
        n_boot : int
            Resamples behind each interval.
        """
        n = split_at(self._frame, train)
        judged = None if labels is None else np.asarray(labels)[n:]
        return Pipeline(default_steps() if steps is None else steps).fit(self._rows[:n]).report(self._rows[n:], judged, n_boot=n_boot)

    @property
    def _frame(self) -> pd.DataFrame:
        return self._rows.to_frame() if isinstance(self._rows, pd.Series) else self._rows
