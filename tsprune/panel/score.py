"""Score a panel: every row of every series, in the form in which the rows came."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.engines import Serial, Threads, engine_for
from tsprune.model import file
from tsprune.model.roster import Roster
from tsprune.panel.fit import divided
from tsprune.panel.frames import Frame, Names, read_frame
from tsprune.panel.model import PanelModel
from tsprune.panel.wire import blobs, pack, rows_from_bytes, rows_to_bytes, unblob, unpack

if TYPE_CHECKING:
    from tsprune.engines import Engine
    from tsprune.panel.rows import Rows
    from tsprune.types import Floats


def score(
    model: PanelModel,
    frame: Any,
    *,
    context: Any = None,
    id: str = "unique_id",  # noqa: A002 - the name that the users of panels know
    time: str = "ds",
    value: str = "y",
    engine: Any = "serial",
    n_jobs: int | None = None,
) -> Any:
    """Score every row; higher = more anomalous; NaN where a row, or a row that its features need, is missing.

    Parameters
    ----------
    model : PanelModel
    frame : DataFrame of pandas or polars, or pyarrow table
        Wide or long, in any order of rows; series of the model, not necessarily all.
    context : the same kind, optional
        Rows before those of `frame`, so that the first ones have their lookback.  Without, slots before them count as missing.
    id, time, value : str
        The columns of a long frame.
    engine : "serial", "threads", "ray", a Dask Client, or a SparkSession
        Where pieces are worked on; the scores do not depend on it, to the bit.
    n_jobs : int, optional
        Threads, for `engine="threads"`; all cores where not given, -2: all but one.

    Returns
    -------
    The kind that was given: wide with the same columns, or long with the columns id, time and "score"; row for row.

    Raises
    ------
    BadSeries
        If a series is not in the model, or a value is infinite.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> values = np.random.default_rng(0).normal(size=(400, 3))
    >>> frame = pd.DataFrame(values, columns=list("abc"))
    >>> model = tsp.panel.fit(frame[:300], tsp.Pipeline([tsp.Windows(8, "point"), "iforest"]), clusters=1)
    >>> whole = tsp.panel.score(model, frame)
    >>> new = tsp.panel.score(model, frame[300:], context=frame[280:300])
    >>> new.equals(whole[300:])
    True
    """
    read, scores = _scored(model, frame, context, Names(id, time, value), engine_for(engine, n_jobs))
    return read.like(scores, "score")


def detect(
    model: PanelModel,
    frame: Any,
    *,
    context: Any = None,
    id: str = "unique_id",  # noqa: A002
    time: str = "ds",
    value: str = "y",
    engine: Any = "serial",
    n_jobs: int | None = None,
) -> Any:
    """Whether each row is an alarm: its score is above the threshold of its series; arguments and form as in `score`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> frame = pd.DataFrame(np.random.default_rng(0).normal(size=(400, 3)), columns=list("abc"))
    >>> model = tsp.panel.fit(frame, tsp.Pipeline([tsp.Windows(8, "point"), "iforest"]), clusters=1)
    >>> bool(tsp.panel.detect(model, frame).mean().max() < 0.01)
    True
    """
    read, scores = _scored(model, frame, context, Names(id, time, value), engine_for(engine, n_jobs))
    thresholds = model.members.column("threshold")[model.members.places(read.rows.names)]
    return read.like(np.nan_to_num(scores, nan=-np.inf, posinf=np.inf) > thresholds[read.rows.code], "alarm")


def _scored(model: PanelModel, frame: Any, context: Any, names: Names, engine: Engine) -> tuple[Frame, Floats]:
    read = read_frame(frame, names)
    before = None if context is None else read_frame(context, names).rows
    return read, score_rows(model, read.rows, before, engine)


def score_rows(model: PanelModel, rows: Rows, context: Rows | None, engine: Engine) -> Floats:
    """Scores of rows in their order, by an engine."""
    if isinstance(engine, Serial):
        return model.score_rows(rows, context)
    if isinstance(engine, Threads):
        with ThreadPoolExecutor(engine.width) as pool:
            return model.score_rows(rows, context, lambda jobs: list(pool.map(_call, jobs)))
    model.check(rows)
    found = [_numbers(content) for content in engine.map(_score_bytes, _pieces(model, rows, context, engine.width))]
    return np.concatenate(found) if found else np.empty(0)


def _call(job: Callable[[], None]) -> None:
    job()


def _pieces(model: PanelModel, rows: Rows, context: Rows | None, width: int) -> Any:
    """The pieces of some rows, each with what is known of its series."""
    shared = file.to_bytes(model.fleet)
    for piece in divided(rows, width):
        members = [file.to_bytes(model.members[name]) for name in piece.names]
        parts = [shared, rows_to_bytes(piece)]
        if context is not None:
            wanted = set(piece.names)
            parts.append(rows_to_bytes(context.only([k for k, name in enumerate(context.names) if name in wanted])))
        yield pack(blobs([*parts, *members]), names=list(piece.names), context=context is not None)


def _score_bytes(content: bytes) -> bytes:
    arrays, facts = unpack(content)
    shared, rows, *rest = unblob(arrays)
    context = rows_from_bytes(rest.pop(0)) if facts["context"] else None
    members: Any = map(file.from_bytes, rest)
    fleet: Any = file.from_bytes(shared)
    model = PanelModel(fleet, Roster.of(zip(facts["names"], members, strict=True)))
    return pack({"scores": model.score_rows(rows_from_bytes(rows), context)})


def _numbers(content: bytes) -> Floats:
    arrays, _ = unpack(content)
    scores: Floats = arrays["scores"]
    return scores
