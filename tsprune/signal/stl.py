"""STL and MSTL for series of pandas and numpy: the results of statsmodels, a hundred times sooner, and with missing values.

Both look at the whole record, past and future: they are for analysis, and for learning.  What runs on new
rows is `Deseason`, which freezes the pattern that they find.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels import stl as kernel
from tsprune.kernels.mstl import mstl as by_periods
from tsprune.kernels.stl import Parts, Settings, default_trend
from tsprune.params import check_choice, check_count
from tsprune.signal.decomposition import Decomposition, Missing, decompose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tsprune.types import Floats

Engine = Literal["tsprune", "statsmodels"]
Vanishing = Literal["statsmodels", "widen"]


def stl(
    values: Any,
    period: int,
    *,
    seasonal: int = 13,
    trend: int | None = None,
    low_pass: int | None = None,
    seasonal_deg: int = 1,
    trend_deg: int = 1,
    low_pass_deg: int = 1,
    robust: bool = False,
    seasonal_jump: int = 1,
    trend_jump: int = 1,
    low_pass_jump: int = 1,
    inner_iter: int | None = None,
    outer_iter: int | None = None,
    vanishing: Vanishing = "statsmodels",
    engine: Engine = "tsprune",
    missing: Missing = "fill",
) -> Decomposition:
    """Decompose a series into trend, season and residual by loess.

    Parameters
    ----------
    values : Series, DataFrame, or array of shape (n,) or (n, d)
        On a DatetimeIndex or integer index (phases come from the index, so a gap shifts nothing), or one value per row.
    period : int
        Samples per cycle; at least two cycles are needed.
    seasonal, trend, low_pass : int
        Windows, odd: of the cycles' smoother in cycles (at least 3; below 9 read `vanishing`), of the trend and of the low-pass filter in
        samples, longer than the period.  Without the last two, those of the paper.
    seasonal_deg, trend_deg, low_pass_deg : {0, 1}
        Local constants or local lines.
    robust : bool
        Give outliers less weight, 15 times over.
    seasonal_jump, trend_jump, low_pass_jump : int
        Fit every so many samples and draw lines between; exact as in statsmodels, but no faster here.
    inner_iter, outer_iter : int, optional
        Loops; 5 and 0, where robust 2 and 15.
    vanishing : {"statsmodels", "widen"}
        Where robustness leaves no weight in a window (around a spike, with seasonal=7): take the sample itself, which moves the spike
        into the season; or widen the window until there is some.
    engine : {"tsprune", "statsmodels"}
        Who computes: the second is a cross-check.
    missing : {"fill", "raise"}
        Fill missing values for the time of the decomposition (runs up to max(3, period / 24) by a line, longer ones by level and season,
        those longer than a period twice), or refuse them.

    Returns
    -------
    Decomposition

    Raises
    ------
    BadSeries
        If there are fewer than two cycles, more than 60 % of a column is missing, a value is infinite or time goes back.
    BadParameter
        If an argument is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal.stl import stl
    >>> months = np.arange(120)
    >>> x = 0.1 * months + np.tile([0.0, 1, 2, 3, 2, 1, 0, -1, -2, -3, -2, -1], 10)
    >>> parts = stl(x, period=12)
    >>> parts.seasonal[:4].round(6) + 0
    array([0., 1., 2., 3.])
    >>> print(stl(np.where(months == 7, np.nan, x), period=12))
    120 rows, 1 column(s): season strength 1.00, trend strength 1.00, 1 values missing

    Source
    ------
    Cleveland, Cleveland, McRae & Terpenning (1990), STL: A Seasonal-Trend Decomposition Procedure Based on Loess,
    Journal of Official Statistics 6, 3-73.
    """
    for name, degree in (("seasonal_deg", seasonal_deg), ("trend_deg", trend_deg), ("low_pass_deg", low_pass_deg)):
        check_count(low=0, high=1, **{name: degree})
    for name, jump in (("seasonal_jump", seasonal_jump), ("trend_jump", trend_jump), ("low_pass_jump", low_pass_jump)):
        check_count(**{name: jump})
    run = _engine(engine, vanishing)
    settings = replace(
        _settings(period, seasonal, trend, low_pass, _loops(robust, inner_iter, outer_iter), widen=vanishing == "widen"),
        seasonal_deg=seasonal_deg,
        trend_deg=trend_deg,
        low_pass_deg=low_pass_deg,
        seasonal_jump=seasonal_jump,
        trend_jump=trend_jump,
        low_pass_jump=low_pass_jump,
    )
    return decompose(values, (period,), missing, lambda finite: run(finite, settings))


def mstl(
    values: Any,
    periods: Sequence[int],
    *,
    windows: Sequence[int] | None = None,
    iterate: int = 2,
    robust: bool = False,
    inner_iter: int | None = None,
    outer_iter: int | None = None,
    vanishing: Vanishing = "statsmodels",
    engine: Engine = "tsprune",
    missing: Missing = "fill",
) -> Decomposition:
    """Decompose a series with several periods (a day and a week) into a trend, a season for each, and a residual.

    Parameters
    ----------
    values : Series, DataFrame, or array of shape (n,) or (n, d)
        As in `stl`.
    periods : sequence of int
        Samples per cycle of each season, the shortest first; the record holds at least two of the longest.
    windows : sequence of int, optional
        Windows of the cycles' smoothers, odd; 11, 15, 19, ... by default.
    iterate : int
        Rounds over all periods.
    robust, inner_iter, outer_iter, vanishing, engine, missing
        As in `stl`.

    Returns
    -------
    Decomposition
        `seasonal` has one column for each period: a DataFrame for a Series, shape (n, k) for an array of shape (n,), (n, d, k) for (n, d).

    Raises
    ------
    BadSeries, BadParameter
        As in `stl`.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal.stl import mstl
    >>> hours = np.arange(24 * 7 * 6)
    >>> x = np.sin(2 * np.pi * hours / 24) + 2.0 * (hours // 24 % 7 > 4)
    >>> mstl(x, periods=(24, 168)).seasonal.shape
    (1008, 2)

    Source
    ------
    Bandara, Hyndman & Bergmeir (2021), MSTL, arXiv:2107.13462.
    """
    given = tuple(periods)
    lengths = tuple(windows) if windows is not None else tuple(11 + 4 * i for i in range(len(given)))
    if not given or any(b <= a for a, b in pairwise(given)) or len(lengths) != len(given):
        raise BadParameter(
            f"periods are {periods!r}, windows {windows!r}; give different periods, the shortest first, and a window for each."
        )
    check_count(iterate=iterate)
    run, loops = _engine(engine, vanishing), _loops(robust, inner_iter, outer_iter)
    settings = [_settings(p, window, None, None, loops, widen=vanishing == "widen") for p, window in zip(given, lengths, strict=True)]
    return decompose(values, given, missing, lambda finite: by_periods(finite, settings, iterate, run))


def _settings(period: int, seasonal: int, trend: int | None, low_pass: int | None, loops: tuple[int, int], *, widen: bool) -> Settings:
    check_count(low=2, period=period)
    _check_odd(low=3, seasonal=seasonal)
    trend = default_trend(period, seasonal) if trend is None else _check_odd(low=max(3, period + 1), trend=trend)
    low_pass = period + 1 + period % 2 if low_pass is None else _check_odd(low=max(3, period + 1), low_pass=low_pass)
    return Settings(period, seasonal, trend, low_pass, inner_iter=loops[0], outer_iter=loops[1], widen=widen)


def _check_odd(low: int, **named: int) -> int:
    ((name, value),) = named.items()
    check_count(low=low, **named)
    if value % 2 == 0:
        raise BadParameter(f"{name} is {value}; a window has a centre, so it is odd. Give {value + 1}.")
    return value


def _loops(robust: bool, inner_iter: int | None, outer_iter: int | None) -> tuple[int, int]:
    inner = (2 if robust else 5) if inner_iter is None else check_count(inner_iter=inner_iter)
    outer = (15 if robust else 0) if outer_iter is None else check_count(low=0, outer_iter=outer_iter)
    return inner, outer


def _engine(engine: Engine, vanishing: Vanishing) -> Callable[[Floats, Settings], Parts]:
    check_choice(("tsprune", "statsmodels"), engine=engine)
    check_choice(("statsmodels", "widen"), vanishing=vanishing)
    if engine == "tsprune":
        return kernel.stl
    if vanishing == "widen":
        raise BadParameter("vanishing='widen' is ours; engine='statsmodels' has only vanishing='statsmodels'.")
    return _by_statsmodels


def _by_statsmodels(values: Floats, settings: Settings) -> Parts:
    from statsmodels.tsa.seasonal import STL

    arguments = asdict(settings)
    loops = {name: arguments.pop(name) for name in ("inner_iter", "outer_iter")}
    del arguments["widen"]
    fits = [STL(np.ascontiguousarray(column), **arguments).fit(**loops) for column in values.reshape(len(values), -1).T]
    columns = [np.column_stack([getattr(fit, name) for fit in fits]) for name in ("trend", "seasonal", "weights")]
    return Parts(*(part.reshape(values.shape) for part in columns))
