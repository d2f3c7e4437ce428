"""The promises as checks with names that can be said aloud; users run them over stages of their own.

    >>> from tsprune import checks
    >>> from tsprune.features import Windows
    >>> import numpy as np, pandas as pd
    >>> x = pd.Series(np.sin(np.arange(300.0)), index=pd.date_range("2026-01-01", periods=300, freq="h"))
    >>> checks.check_all(Windows(5), x)
    ['check_rows_keep_their_index', 'check_future_changes_nothing', 'check_chunks_equal_one_batch', 'check_row_by_row_equals_one_batch', \
'check_fitting_leaves_arguments_alone', 'check_training_rows_get_no_kinder_treatment', 'check_what_is_removed_was_there']
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tsprune.series.clock import times
from tsprune.series.stage import Stage

#: How many places a record is cut at, and how many single rows are compared.
CUTS, ROWS = 4, 12


def check_rows_keep_their_index(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """n rows in, n rows out, on the same index."""
    out = _output(fitted)(x)
    pd.testing.assert_index_equal(out.index, x.index)


def check_future_changes_nothing(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """The past is the same whether or not the future is seen, and whatever it is."""
    output = _output(fitted)
    whole = output(x)
    for cut in _places(x):
        _assert_same(output(x.iloc[:cut]), whole.iloc[:cut], f"rows 0 to {cut} without the rows behind them")
        other = x.astype(np.float64).copy()
        other.iloc[cut:] = -1e6
        _assert_same(output(other).iloc[:cut], whole.iloc[:cut], f"rows 0 to {cut} with another future")


def check_chunks_equal_one_batch(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """Chunks that begin `lookback_` slots early give what one batch gives."""
    output = _output(fitted)
    whole = output(x)
    cuts = [0, *_places(x), len(x)]
    for start, stop in itertools.pairwise(cuts):
        begin = _context_start(fitted, x, start)
        _assert_same(output(x.iloc[begin:stop]).iloc[start - begin :], whole.iloc[start:stop], f"rows {start} to {stop} as a chunk")


def check_row_by_row_equals_one_batch(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """A single row with its context gives what one batch gives."""
    output = _output(fitted)
    whole = output(x)
    for row in np.random.default_rng(0).integers(0, len(x), ROWS):
        begin = _context_start(fitted, x, int(row))
        _assert_same(output(x.iloc[begin : row + 1]).iloc[-1:], whole.iloc[row : row + 1], f"row {row} alone")


def check_fitting_leaves_arguments_alone(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """`fit` stores what it learns beside the arguments, and a clone has the same arguments."""
    assert repr(fitted.get_params(deep=False)) == repr(clone(fitted).get_params(deep=False)), "fit changed an argument"


def check_training_rows_get_no_kinder_treatment(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """`fit_transform` gives what `transform` gives."""
    if isinstance(fitted, Stage):
        fresh = clone(fitted)
        _assert_same(fresh.fit_transform(x), fresh.transform(x), "fit_transform against transform")


def check_what_is_removed_was_there(fitted: Any, x: pd.Series | pd.DataFrame) -> None:
    """For an additive stage, `transform(x) + removed(x)` is x again, to rounding."""
    if isinstance(fitted, Stage) and fitted.additive:
        again = fitted.transform(x) + fitted.removed(x)
        np.testing.assert_allclose(np.asarray(again), np.asarray(x, dtype=np.float64), rtol=1e-12, atol=1e-9)


#: Run in this order by `check_all`.
CHECKS: tuple[Callable[[Any, Any], None], ...] = (
    check_rows_keep_their_index,
    check_future_changes_nothing,
    check_chunks_equal_one_batch,
    check_row_by_row_equals_one_batch,
    check_fitting_leaves_arguments_alone,
    check_training_rows_get_no_kinder_treatment,
    check_what_is_removed_was_there,
)


def check_all(stage: Any, x: pd.Series | pd.DataFrame, train: float = 0.5) -> list[str]:
    """Fit a stage or a pipeline on the first share of the rows and run every check on all of them.

    Raises
    ------
    AssertionError
        That names the promise which does not hold, and where.
    """
    fitted = clone(stage).fit(x.iloc[: int(train * len(x))])
    for check in CHECKS:
        check(fitted, x)
    return [check.__name__ for check in CHECKS]


def _output(fitted: Any) -> Callable[[Any], Any]:
    return fitted.transform if isinstance(fitted, Stage) else fitted.anomaly_score


def _places(x: Any) -> list[int]:
    """Where a record is cut: spread, but not even."""
    return sorted({max(1, round(len(x) * share)) for share in np.linspace(0.13, 0.97, CUTS)})


def _context_start(fitted: Any, x: Any, row: int) -> int:
    """The first row within `lookback_` slots before a row: context is chosen by time, whatever is missing."""
    slots = fitted.clock_.slots(times(x.index)).absolute
    return int(np.searchsorted(slots, slots[row] - fitted.lookback_))


def _assert_same(got: Any, wanted: Any, what: str) -> None:
    """Equal to the bit, NaN where NaN."""
    a, b = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    if a.shape != b.shape:
        raise AssertionError(f"{what}: shape {a.shape} instead of {b.shape}")
    differ = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if differ.any():
        at = tuple(int(i[0]) for i in np.nonzero(differ))
        raise AssertionError(f"{what}: {int(differ.sum())} of {a.size} values differ, the first at {at}: {a[at]!r} instead of {b[at]!r}")
