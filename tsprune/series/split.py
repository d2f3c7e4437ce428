"""Past to learn from, the rest to judge by: a split in time, never at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from tsprune.errors import BadParameter, BadSeries, TsPruneError
from tsprune.kernels.labelled import runs
from tsprune.params import check_share

if TYPE_CHECKING:
    from tsprune.types import Ints

#: Share of the rows that is learned from where nothing is said.
DEFAULT_TRAIN = 0.5

#: Share of a history, its last rows, on which scores are calibrated before everything is learned again; all rows where fewer than so
#: many would be held back.
HELD_BACK, FEWEST = 0.3, 30


def late_from(n: int) -> int:
    """The first of the last 30 % of `n` rows.

    >>> from tsprune.series.split import late_from
    >>> late_from(1000), late_from(20)
    (700, 14)
    """
    return n - round(HELD_BACK * n)


def held_back(n: int) -> int:
    """The first of `n` rows that is held back; 0 where too few would be, so that all rows calibrate.

    >>> from tsprune.series.split import held_back
    >>> held_back(1000), held_back(20)
    (700, 0)
    """
    first = late_from(n)
    return first if n - first >= FEWEST else 0


def held_back_events(labels: Ints) -> int:
    """Labelled events among the rows that are held back.

    >>> import numpy as np
    >>> from tsprune.series.split import held_back_events
    >>> held_back_events(np.array([0, 1, 0, 0, 0, 0, 0, 1, 0, 1]))
    2
    """
    return len(runs(labels[late_from(len(labels)) :] == 1))


def split_at(frame: pd.DataFrame, train: float | str = DEFAULT_TRAIN) -> int:
    """Number of rows that belong to the past.

    Parameters
    ----------
    frame : DataFrame
        In time order.
    train : float or str
        Share of the rows, in (0, 1); or a time, such as "2026-03-01": the rows before it.

    >>> import pandas as pd
    >>> from tsprune.series.split import split_at
    >>> split_at(pd.DataFrame({"x": range(10)}), 0.35)
    3
    """
    if isinstance(train, str):
        try:
            return split_at(frame, float(train))
        except ValueError as error:
            if isinstance(error, TsPruneError):
                raise
            return _rows_before(frame, train)
    n = int(check_share(train=train, way_out="To learn from the first third, give 0.33.") * len(frame))
    if not 0 < n < len(frame):
        raise BadSeries(
            f"train={train:g} of {len(frame)} rows leaves {n} to learn from and {len(frame) - n} to judge by; both need at least one."
        )
    return n


def _rows_before(frame: pd.DataFrame, moment: str) -> int:
    index: Any = frame.index
    if not isinstance(index, pd.DatetimeIndex):
        raise BadParameter(f"train is {moment!r}, a time, but the rows have no times. Give the share of rows, such as 0.35.")
    try:
        stamp = pd.Timestamp(moment)
    except ValueError as error:
        raise BadParameter(f"train is {moment!r}; it is a share in (0, 1) or a time such as '2026-03-01'.") from error
    if index.tz is not None and stamp.tz is None:
        stamp = stamp.tz_localize(index.tz)
    n = int((index < stamp).sum())
    if not 0 < n < len(frame):
        raise BadSeries(
            f"train={moment} leaves {n} rows to learn from and {len(frame) - n} to judge by; the rows go from {index[0]} to {index[-1]}."
        )
    return n
