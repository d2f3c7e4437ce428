"""A model for a job, learned from the rows of its own source.  This module loads scikit-learn; scoring never comes here."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.detect import SHORT_NAMES, Threshold
from tsprune.errors import BadSeries
from tsprune.features import SelectFeatures, Windows
from tsprune.model import file
from tsprune.model.clock import NANOSECONDS
from tsprune.model.level import Level
from tsprune.monitor.errors import BadJob
from tsprune.monitor.fields import nearest
from tsprune.monitor.models import Active, loaded, with_threshold
from tsprune.pipeline import Pipeline
from tsprune.prune import Guard, Pruned
from tsprune.signal import Denoise, Deseason, Detrend

if TYPE_CHECKING:
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.rows import Rows
    from tsprune.monitor.sections import ModelChoice

#: Names of stages in a job file.
STAGES = {"deseason": Deseason, "detrend": Detrend, "denoise": Denoise, "windows": Windows, "select": SelectFeatures}

#: The chain where a job file names none.
DEFAULT_STEPS = ("deseason", "windows", "select", "iforest")

#: A threshold from a budget per week needs a week.
WEEK = NANOSECONDS["W"]


def pipeline_of(choice: ModelChoice) -> Pipeline:
    """The pipeline that a job file describes.

    Raises
    ------
    BadJob
        If a stage or one of its arguments is unknown, or the chain does not end with a detector.

    Examples
    --------
    >>> from tsprune.monitor.learn import pipeline_of
    >>> from tsprune.monitor.sections import ModelChoice
    >>> choice = ModelChoice(steps=("deseason", {"use": "windows", "length": 6}, "iforest"))
    >>> [name for name, _ in pipeline_of(choice).named_steps()]
    ['deseason', 'windows', 'pruned']
    """
    steps = [_step(step, choice) for step in choice.steps or DEFAULT_STEPS]
    if not isinstance(steps[-1], Pruned) or any(isinstance(step, Pruned) for step in steps[:-1]):
        raise BadJob(f"model.steps ends with one detector: {', '.join(SHORT_NAMES)}.")
    if choice.alarms_per_week is not None:
        steps.append(Threshold(alarms_per_week=choice.alarms_per_week))
    return Pipeline(steps)


def _step(step: Any, choice: ModelChoice) -> Any:
    word, arguments = (step, {}) if isinstance(step, str) else (step["use"], {k: v for k, v in step.items() if k != "use"})
    known = {**STAGES, **dict.fromkeys(SHORT_NAMES, Pruned)}
    if word not in known:
        raise BadJob(f"model.steps names {word!r}{nearest(word, known)}")
    kind = known[word]
    allowed = set(inspect.signature(kind).parameters)
    for argument in arguments:
        if argument not in allowed:
            raise BadJob(f"model.steps gives {word} the argument {argument!r}{nearest(argument, allowed)}")
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    if kind is not Pruned:
        return kind(**arguments)
    keep = arguments.pop("keep", "auto" if choice.keep is None else choice.keep)
    guard = Guard() if keep == "auto" else None  # a share that was asked for is what was asked for
    return Pruned(**{"keep": keep, "guard": guard, "random_state": choice.seed, "detector": word, **arguments})


def frame_of(rows: Rows, columns: tuple[str, ...], series: str | None = None) -> pd.DataFrame:
    """One series as a frame in UTC: the one named, or the one with the most rows.

    Raises
    ------
    BadSeries
        If there is no row, or none of the series named.
    """
    if not len(rows):
        raise BadSeries("the source has no row to learn from: give it some history, or name a model file.")
    bounds = rows.bounds()
    counts = np.diff(bounds)
    if series is None:
        code = max(range(len(rows.names)), key=lambda i: (int(counts[i]), rows.names[i]))
    elif series in rows.names:
        code = rows.names.index(series)
    else:
        raise BadSeries(f"the source has no series {series!r} to learn from.")
    here = slice(int(bounds[code]), int(bounds[code + 1]))
    index = pd.DatetimeIndex(rows.time[here].astype("datetime64[ns]"), tz="UTC", name="time")
    return pd.DataFrame(rows.values[here], index=index, columns=list(columns))


def learned(config: JobConfig, frame: pd.DataFrame, *, since: int, origin: str, verdict: str = "") -> Active:
    """Fit the job's pipeline, and freeze it.

    Rows of a source with a zone are learned on the clock of that zone, so that a daily pattern of people follows it.
    """
    zone = getattr(config.source, "zone", "UTC")
    pipeline = pipeline_of(config.model).fit(frame if zone.upper() == "UTC" else frame.tz_convert(zone))
    return with_threshold(loaded(file.to_bytes(pipeline.freeze()), since=since, origin=origin, verdict=verdict), config)


def budget_threshold(model: Any, rows: Rows, alarms_per_week: float) -> float | None:
    """The threshold with which all series together would have raised so many alarms a week; None with less than a week of rows."""
    from tsprune.monitor.score import score_rows
    from tsprune.monitor.sections import AlertRules

    if not len(rows) or int(rows.time.max() - rows.time.min()) < WEEK:
        return None
    scored = score_rows(model, Level(np.inf), AlertRules(), rows, np.ones(len(rows), dtype=bool)).score
    if np.isnan(scored).all():
        return None
    apart = np.insert(scored, rows.bounds()[1:-1], np.nan)  # a run of alarms does not go on in the next series
    budget = alarms_per_week / len(rows.names)  # the learner counts every row as time
    return float(Threshold(alarms_per_week=budget).fit(apart, clock=model.clock).part_.threshold)
