"""A model takes arrays; pandas rows go in here, with their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.series.clock import times

if TYPE_CHECKING:
    from tsprune.model import Model
    from tsprune.types import Floats


def model_scores(model: Model, rows: Any) -> Floats:
    """Score the rows of a Series, DataFrame or array by a model, shape (n,); of a DataFrame the model's columns are taken.

    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> from tsprune.series.rows import model_scores
    >>> day = pd.date_range("2026-01-05", periods=96, freq="h")
    >>> load = pd.DataFrame({"note": 0, "load": np.sin(np.arange(96.0))}, index=day)
    >>> model = tsp.Pipeline([tsp.Windows(3), "iforest"]).fit(load[["load"]]).freeze()
    >>> model_scores(model, load).shape
    (96,)
    """
    if not isinstance(rows, pd.Series | pd.DataFrame):
        return model.anomaly_score(rows)
    known = isinstance(rows, pd.DataFrame) and set(model.columns) <= set(rows.columns)
    values = rows[list(model.columns)] if known else rows
    return model.anomaly_score(values.to_numpy(np.float64, na_value=np.nan), times(rows.index))
