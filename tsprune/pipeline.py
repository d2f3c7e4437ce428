"""A pipeline learns from a history and scores rows; frozen, it is a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from tsprune import show
from tsprune.detect import Threshold, fit_detector
from tsprune.errors import BadSeries, NotPrunable
from tsprune.model import Model
from tsprune.prune import Pruned
from tsprune.prune.lean import lean as without_unread_features
from tsprune.series.stage import Stage, lookback_time
from tsprune.series.table import Table, joined, read_table
from tsprune.steps import Steps

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.model.level import Level
    from tsprune.model.part import Part
    from tsprune.report import Report
    from tsprune.types import Floats, Ints


class Pipeline(Steps):
    """Signal stages, feature stages, a detector, and where it likes a threshold.

    Parameters
    ----------
    steps : list
        Stages in order, each as it is or as (name, stage).  After them one detector: a scikit-learn or PyOD isolation
        forest, one-class SVM or LOF (fitted or not: it is cloned), "iforest", "ocsvm", "lof", any other PyOD detector, or `Pruned`.
        Last, if the default of 0.5 % of the training rows does not suit, a `Threshold`.

    Attributes
    ----------
    named_stages_ : dict
        The fitted steps by name.
    lookback_ : int
        Slots of context before a row that its score depends on; `lookback_time_` is the same as a time.
    min_lookback_ : int
        Rows at the start of a record that cannot be scored.
    threshold_ : float
        A score above it is an alarm.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> hours = pd.date_range("2026-01-05", periods=24 * 28, freq="h")
    >>> load = pd.Series(10 + np.sin(np.arange(24 * 28) * 2 * np.pi / 24), index=hours, name="load")
    >>> pipeline = tsp.Pipeline([tsp.Deseason(), tsp.Windows(6), tsp.Pruned("iforest", keep=0.25, guard=None, random_state=0)])
    >>> scores = pipeline.fit(load).anomaly_score(load)
    >>> scores.index.equals(load.index), int(scores.isna().sum())
    (True, 4)
    """

    # -- learning ---------------------------------------------------------------------------------------------------

    def fit(self, history: Any, y: Any = None) -> Self:
        """Learn from a history: a Series or DataFrame in time order, or an array; `y` is not needed and not used.

        Raises
        ------
        BadParameter, BadSeries
            If a step is not one of those above, or the history is of no use.
        """
        stages, (name, detector), threshold = self._sorted_steps()
        table = read_table(history, name="history")
        self.clock_, self.columns_in_, self.history_ = table.clock, table.columns, history
        self.named_stages_: dict[str, Any] = {}
        self.fit_seconds_: dict[str, float] = {}
        parts = []
        for stage_name, stage in stages:
            table = self._fit_stage(stage_name, stage, table)
            parts.append(self.named_stages_[stage_name].part_)
        complete = ~np.isnan(table.values).any(axis=1)
        if complete.sum() < 2:
            raise BadSeries(
                f"{int(complete.sum())} of {len(table)} training rows are complete behind {list(self.named_stages_)}; a detector needs 2."
            )
        start = time.perf_counter()
        fitted = fit_clone(detector, table.values[complete])
        self.fit_seconds_[name] = time.perf_counter() - start
        self.named_stages_[name] = fitted
        self._set_threshold(tuple(parts), fitted, threshold, table)
        return self

    def _fit_stage(self, name: str, stage: Stage, table: Table) -> Table:
        start = time.perf_counter()
        fitted = clone(stage).learn(table)
        self.fit_seconds_[name] = time.perf_counter() - start
        self.named_stages_[name] = fitted
        return fitted.taught(table)

    def _set_threshold(self, parts: tuple[Part, ...], fitted: Any, threshold: tuple[str, Threshold], table: Table) -> None:
        name, learner = threshold
        start = time.perf_counter()
        complete = ~np.isnan(table.values).any(axis=1)
        scores = np.full(len(table), np.nan)
        scores[complete] = fitted.part_.anomaly_score(table.values[complete])
        learned = clone(learner).fit(scores, clock=self.clock_, slots=table.slots)
        self.fit_seconds_[name] = time.perf_counter() - start
        self.named_stages_[name] = learned
        self.features_ = table.columns
        self._set_model(parts, fitted.part_, learned.part_)

    def _set_model(self, parts: tuple[Part, ...], detector: Detector, level: Level) -> None:
        """The model, and what is told of it."""
        self.model_ = Model(self.clock_, self.columns_in_, parts, detector, level)
        self.lookback_, self.min_lookback_ = self.model_.lookback, self.model_.min_lookback
        self.lookback_time_ = lookback_time(self.clock_, self.lookback_)
        self.threshold_ = self.model_.threshold

    # -- scoring ----------------------------------------------------------------------------------------------------

    def anomaly_score(self, rows: Any, context: Any = None) -> Any:
        """Score every row; higher = more anomalous; NaN where a row, or a row its features need, is missing.

        Parameters
        ----------
        rows : Series, DataFrame or array
            With the columns of the history.
        context : the same kind, optional
            Rows before the first one, so that it has its lookback.  Without, slots before the first row count as missing.

        Returns
        -------
        Series on the index of `rows`, or an array for arrays.
        """
        check_is_fitted(self, "model_")
        if context is None:
            table = self._read(rows)
            return table.scores(self._score(table.values, table.time))
        scores, _ = self._scores_behind(context, rows, self.lookback_)
        return self._read(rows).scores(scores[len(scores) - len(rows) :])

    def _score(self, values: Floats, time: Ints | None) -> Floats:
        return self.model_.anomaly_score(values, time)

    def _scores_behind(self, context: Any, rows: Any, slots: int) -> tuple[Floats, Ints | None]:
        """Scores and times of the rows and of so many slots before them: older context changes nothing, and costs nothing."""
        table = self._read(joined(context, rows))
        if table.time is None or not len(rows):  # rows of an array are numbered from the first one
            return self._score(table.values, table.time), table.time
        at, first = table.slots.absolute, len(table) - len(rows)
        start = int(np.searchsorted(at, at[first] - slots))
        return self._score(table.values[start:], table.time[start:]), table.time[start:]

    def detect(self, rows: Any, context: Any = None) -> Any:
        """Whether each row is an alarm: its score is above `threshold_`."""
        if context is None:
            scores, time = np.asarray(self.anomaly_score(rows)), self._read(rows).time
        else:  # a level may follow the scores before
            scores, time = self._scores_behind(context, rows, self.lookback_ + self.model_.level.lookback)
        alarms = self.model_.alarms(scores, time)[len(scores) - len(rows) :]
        return pd.Series(alarms, index=rows.index, name="alarm") if isinstance(rows, pd.Series | pd.DataFrame) else alarms

    def predict(self, rows: Any) -> Any:
        """scikit-learn's labels: -1 for an anomaly, +1 for a normal row."""
        return np.where(np.asarray(self.detect(rows)), -1, 1)

    def freeze(self, *, lean: bool = False) -> Model:
        """The model: numpy arrays only, to be saved and scheduled.

        Parameters
        ----------
        lean : bool
            Leave out the features that no node of a forest compares any more; with any other detector nothing changes.  Every row that
            has a score keeps it, bit for bit.  A row that has none because such a feature misses a value gets one, and the lookback
            may get shorter.

        Raises
        ------
        NotPrunable
            If a stage is not causal, or the detector has no form of ours.
        """
        check_is_fitted(self, "model_")
        for name, stage in self.named_stages_.items():
            if isinstance(stage, Stage) and not stage.causal:
                raise NotPrunable(
                    f"stage {name!r} looks into the future (causal = False): it is for analysis, and no job can run it. Leave it out."
                )
        self.model_.detector.to_spec()  # an opaque detector refuses here
        return without_unread_features(self.model_) if lean else self.model_

    def report(
        self,
        rows: Any,
        labels: Any = None,
        *,
        metrics: tuple[str, ...] = ("vus_pr", "auc_pr", "event_f1"),
        n_boot: int = 200,
        random_state: int = 0,
        context: Any = None,
        n_jobs: int | None = -1,
    ) -> Report:
        """What each stage does to detection quality, size and latency.

        Every stage is taken out in turn, what stands behind it is refitted on the history, and the metrics are compared
        on the same rows.

        Parameters
        ----------
        rows : Series, DataFrame or array
            Rows to judge on, not those of the history.
        labels : array-like of 0/1, optional
            One per row.  Without, anomalies are injected into the rows, and every line of the report says so.
        metrics : tuple of str
            Names of `tsprune.metrics.evaluate_all`.
        n_boot : int
            Resamples of the paired block bootstrap behind each interval.
        random_state : int
        context : optional
            Rows before `rows`; the history where it ends before they begin.
        n_jobs : int or None
            Threads that fit and judge the variants; -1 for all cores.  The report does not depend on it.
        """
        from tsprune.report import make_report

        check_is_fitted(self, "model_")
        return make_report(self, rows, labels, metrics=metrics, n_boot=n_boot, random_state=random_state, context=context, n_jobs=n_jobs)

    def _html_repr(self) -> str:
        return show.pipeline_card(self)

    def _read(self, rows: Any) -> Table:
        table = read_table(rows, clock=self.clock_, name="rows")
        if len(table.columns) != len(self.columns_in_):
            raise BadSeries(
                f"rows has {len(table.columns)} columns, and the history had {len(self.columns_in_)}: {', '.join(self.columns_in_)}."
            )
        if isinstance(rows, pd.DataFrame) and table.columns != self.columns_in_:
            raise BadSeries(
                f"the columns are {list(table.columns)}, and the history had {list(self.columns_in_)}. Give them in that order."
            )
        return table


def fit_clone(detector: Any, X: Floats) -> Any:
    """A detector, or a `Pruned` with its own, learned from complete rows; what was given stays unfitted."""
    return clone(detector).fit(X) if isinstance(detector, Pruned) else fit_detector(detector, X)
