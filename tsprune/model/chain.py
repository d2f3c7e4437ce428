"""A model: a chain of fitted parts, a detector and a threshold.  Arrays in, scores out; numpy only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, runtime_checkable

import numpy as np

from tsprune import show
from tsprune.errors import BadModelFile, BadParameter, BadSeries
from tsprune.model import file
from tsprune.model.clock import Clock, Slots
from tsprune.model.expected import expected
from tsprune.model.level import Level
from tsprune.model.part import Part, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsprune.types import AnyArray, Floats, Json, Mask

#: Rows scored at a time: bounds the memory that windows take.  Chunks give the same bits as one batch.
CHUNK = 32_768


@runtime_checkable
class Detector(Protocol):
    """A part that scores complete rows: higher = more anomalous."""

    @property
    def n_features(self) -> int: ...
    @property
    def n_parts(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def anomaly_score(self, X: Floats, /) -> Floats: ...
    def to_spec(self) -> Spec: ...


@dataclass(frozen=True)
class Model(Part):
    """What is left when learning is over: saved, loaded, scheduled, scored.

    `anomaly_score(values, time)` gives every row one score; a row is scored from the last `lookback` slots of the clock up
    to itself, so any batch that begins `lookback` slots early gives the same scores.

    Examples
    --------
    >>> import numpy as np
    >>> import tsprune as tsp
    >>> history = np.random.default_rng(0).normal(size=500)
    >>> model = tsp.Pipeline([tsp.Windows(4), tsp.Pruned("iforest", keep=0.25, guard=None, random_state=0)]).fit(history).freeze()
    >>> scores = model.anomaly_score(history[:100])
    >>> bool(np.array_equal(scores[50:], model.anomaly_score(history[50 - model.lookback : 100])[model.lookback :]))
    True
    """

    clock: Clock
    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    detector: Detector
    level: Level

    @property
    def n_features(self) -> int:
        return len(self.columns)

    @property
    def n_out(self) -> int:
        return 1

    @property
    def lookback(self) -> int:
        return sum(part.lookback for part in self.parts)

    @property
    def min_lookback(self) -> int:
        return sum(part.min_lookback for part in self.parts)

    @property
    def uses_clock(self) -> bool:
        return any(part.uses_clock for part in self.parts)

    @property
    def threshold(self) -> float:
        """A score above it is an alarm."""
        return self.level.threshold

    def anomaly_score(self, values: Any, time: Any = None) -> Floats:
        """Score rows; higher = more anomalous; NaN where a row or its context is missing.

        Parameters
        ----------
        values : array, shape (n,) or (n, d)
            In the unit of the training series, in time order; NaN where missing.
        time : array of datetime64 or int64, shape (n,), optional
            UTC times (int64: nanoseconds since 1970), or slot numbers for a model that learned on an integer index.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        BadParameter
            If the number of columns is another one, or a part needs the time and none is given.
        BadSeries
            If a value is infinite or the time goes back.
        """
        rows = self._rows(values)
        slots = self._slots(time, len(rows))
        scores = np.empty(len(rows))
        size = max(CHUNK, 2 * self.lookback)
        for start in range(0, len(rows), size):
            stop = min(start + size, len(rows))
            begin = int(np.searchsorted(slots.absolute, slots.absolute[start] - self.lookback)) if start else 0
            scores[start:stop] = self._scores(rows[begin:stop], slots.taken(slice(begin, stop)), start - begin)
        return scores

    def detect(self, values: Any, time: Any = None) -> Mask:
        """Whether the score of each row is above the threshold."""
        return self.alarms(self.anomaly_score(values, time), time)

    def alarms(self, scores: Floats, time: Any = None) -> Mask:
        """Which rows are alarms, by their scores, shape (n,), and times as for `anomaly_score`."""
        return self.level.exceeded(scores, self._slots(time, len(scores)) if self.level.lookback else None)

    def expected(self, values: Any, time: Any = None) -> Floats:
        """What each row would be if nothing happened: the season and the level that the parts have learned.

        A row itself is not looked at, only the `lookback` before it: for alerts and pictures, beside the value.

        Returns
        -------
        ndarray, shape (n, d)
            In the unit of the training series; NaN where the parts know neither a trend nor a level.
        """
        rows = self._rows(values)
        told = expected(self, rows, self._slots(time, len(rows)))
        return np.full(rows.shape, np.nan) if told is None else told.values

    def features(self, values: Floats, slots: Slots) -> Floats:
        """What the detector sees: rows (n, d) through all parts."""
        for part in self.parts:
            values = part.apply(values, slots)
        return values

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as one file of data: whole or not at all."""
        file.write(self, path)

    def to_onnx(
        self, path: str | os.PathLike[str], *, detector_only: bool = False, dtype: Literal["float32", "float64"] = "float32"
    ) -> None:
        """Write the model as an ONNX graph, for runtimes without Python; needs ``pip install "tsprune[onnx]"``.

        The graph takes `rows`, shape (n, d), one step apart and NaN where missing, and, where a season or a trend is subtracted, their `time` as
        int64, shape (n,): nanoseconds since 1970 in UTC, or slot numbers.  It gives `score`, shape (n,), in double precision, NaN for the
        first `min_lookback` rows and wherever a feature is missing; and `anomaly`, whether a score is above the threshold, unless the
        threshold looks back on other scores.  Seasons, trends, differences, smoothed copies, windows and chosen columns can go along with a
        forest, one-class SVM, LOF, nearest neighbours, a subspace, or a blend of these.

        Parameters
        ----------
        path : str or path
        detector_only : bool
            Leave out the parts before the detector: `rows` are then what it sees, as `features` gives them.
        dtype : "float32" or "float64"
            Of the rows that go in.  Values of seven digits and more that matter need "float64".

        Raises
        ------
        NotPrunable
            If a part has no form in ONNX, such as a season that follows its last cycles.
        BadParameter
            If the package onnx is missing.
        """
        from tsprune.export import to_onnx

        file.put(path, [to_onnx(self, detector_only=detector_only, dtype=dtype)])

    def describe(self) -> str:
        """The model in a few lines: its parts, their sizes, how far it looks back."""
        unit = {"time": "ns", "month": "month(s)", "index": "row(s)"}[self.clock.kind]
        lines = [
            f"model of {self.nbytes:,} bytes; columns {', '.join(self.columns)}; step {_step(self.clock, unit)}; lookback {self.lookback} slots"
        ]
        part: Any
        for part in (*self.parts, self.detector):
            count = f", {part.n_parts} parts" if isinstance(part, Detector) else ""
            lines.append(f"  {type(part).__name__}: {part.n_features} column(s) in, {part.nbytes:,} bytes{count}")
        lasts = f" for {self.level.min_length} rows in a row" if self.level.min_length > 1 else ""
        return "\n".join([*lines, f"  alarm above {self.threshold:.6g}{lasts}"])

    def _repr_html_(self) -> str:
        return show.model_card(self)

    def _scores(self, rows: Floats, slots: Slots, skip: int) -> Floats:
        features = self.features(rows, slots)[skip:]
        complete = ~np.isnan(features).any(axis=1)
        scores = np.full(len(features), np.nan)
        if complete.any():
            scores[complete] = self.detector.anomaly_score(features if complete.all() else features[complete])
        return scores

    def _rows(self, values: Any) -> Floats:
        rows = np.asarray(values, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise BadParameter(
                f"values has shape {np.shape(values)}; it is (n, {self.n_features}), with the columns {', '.join(self.columns)}."
            )
        if np.isinf(rows).any():
            row = int(np.nonzero(np.isinf(rows))[0][0])
            raise BadSeries(f"values holds an infinity at row {row}. Give NaN for a missing value.")
        return rows

    def _slots(self, time: Any, n: int) -> Slots:
        if time is None and self.uses_clock and self.clock.kind != "index":
            raise BadParameter("time is None, but the model learned on timestamps and uses the clock. Give the UTC times as datetime64.")
        slots = self.clock.slots(time, n)
        if len(slots) != n:
            raise BadParameter(f"time has {len(slots)} values for {n} rows; it gives one per row.")
        return slots

    def check(self) -> None:
        width = len(self.columns)
        part: Any
        for part in (*self.parts, self.detector):
            if part.n_features != width:
                raise ValueError(f"{type(part).__name__} takes {part.n_features} columns and is given {width}")
            width = part.n_out if isinstance(part, Part) else width
        if self.lookback > 2**40:
            raise ValueError("the lookback is out of range")

    def to_spec(self) -> Spec:
        parts: tuple[Any, ...] = (self.clock, *self.parts, self.detector, self.level)
        return Spec("Model", {"columns": list(self.columns)}, {}, tuple(part.to_spec() for part in parts))

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        columns = facts.get("columns")
        if set(facts) != {"columns"} or arrays or not isinstance(columns, list) or len(parts) < 3:
            raise BadModelFile("the model is not of the known form.")
        clock, *middle, detector, level = parts
        if not isinstance(clock, Clock) or not isinstance(level, Level) or not isinstance(detector, Detector):
            raise BadModelFile("the model lacks a clock, a detector or a threshold.")
        model = cls(clock, tuple(str(column) for column in columns), tuple(middle), detector, level)
        model.check()
        return model


def load(path: str | os.PathLike[str]) -> Model:
    """Load a saved model: numpy only, nothing in the file is executed.

    Raises
    ------
    BadModelFile
        If the file is not a model, is damaged, or makes no sense.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import tsprune as tsp
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "load.tsp"
    >>> tsp.Pipeline([tsp.Windows(4), "iforest"]).fit(np.random.default_rng(0).normal(size=300)).freeze().save(path)
    >>> tsp.load(path).columns
    ('x0',)
    """
    model = file.read(path)
    if not isinstance(model, Model):
        raise BadModelFile(f"{os.fspath(path)} holds a {type(model).__name__}, not a whole model.")
    return model


def _step(clock: Clock, unit: str) -> str:
    return f"{clock.step / 1e9:g} s" if clock.kind == "time" else f"{clock.step} {unit}"
