"""A series as the sum of its parts, whatever kind of object it came in: gaps, checks, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tsprune.errors import BadSeries
from tsprune.kernels.fill import MOST_MISSING
from tsprune.kernels.stl import Parts, with_gaps
from tsprune.params import check_choice
from tsprune.series.table import read_table
from tsprune.signal.grid import on_grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from tsprune.series.table import Table
    from tsprune.types import Floats

Missing = Literal["fill", "raise"]


@dataclass(frozen=True)
class Decomposition:
    """A series as the sum of its parts, each of the kind, shape and index of the series that came in.

    Parameters
    ----------
    trend, seasonal, residual : Series, DataFrame or ndarray
        `trend + seasonal + residual` is the series.  The residual is missing where the value is; trend and seasonal never are.
        Of several periods, `seasonal` has a column for each (a last axis in arrays of two axes), the shortest period first.
    weights : Series, DataFrame or ndarray
        Robustness weights in [0, 1], 1 where robust is off, 0 where the value is missing.
    """

    trend: Any
    seasonal: Any
    residual: Any
    weights: Any

    def __str__(self) -> str:
        trend, residual = (np.asarray(part, np.float64).reshape(len(part), -1) for part in (self.trend, self.residual))
        seasonal = np.asarray(self.seasonal, np.float64).reshape(*residual.shape, -1).sum(axis=2)
        missing = int(np.isnan(residual).sum())
        named = (("season", _strength(seasonal, residual)), ("trend", _strength(trend, residual)))
        told = ", ".join(f"{name} strength {strength:.2f}" for name, strength in named)
        return f"{residual.shape[0]} rows, {residual.shape[1]} column(s): {told}, {missing} values missing"


def decompose(values: Any, periods: tuple[int, ...], missing: Missing, method: Callable[[Floats], Parts]) -> Decomposition:
    """Bring a series on its grid, fill it, decompose it, and give the parts back row by row.

    Parameters
    ----------
    values : Series, DataFrame or array
    periods : tuple of int
        The shortest first.
    missing : {"fill", "raise"}
    method : callable
        Decomposes finite arrays of shape (n, d).

    Raises
    ------
    BadSeries
        If there are fewer than two cycles, more than 60 % of a column is missing, a value is infinite or time goes back.
    """
    check_choice(("fill", "raise"), missing=missing)
    table = read_table(values, name="values")
    slots = table.slots.absolute
    _check_length(table, int(slots[-1] - slots[0]) + 1, periods[-1])
    grid = on_grid(table.values, slots)
    _check_missing(table, grid, missing)
    trend, seasonal, weights = (part[slots - slots[0]] for part in with_gaps(grid, periods[0], method))
    whole = seasonal.reshape(*table.values.shape, -1).sum(axis=2)
    residual = table.values - whole - trend
    weights = np.where(np.isnan(table.values), 0.0, weights)
    return Decomposition(*(_like(values, part, periods) for part in (trend, seasonal, residual, weights)))


def _check_length(table: Table, n_slots: int, period: int) -> None:
    if n_slots < 2 * period:
        raise BadSeries(
            f"a decomposition with period {period} needs 2 cycles, {2 * period} samples, and got {n_slots}. "
            f"Give a longer series or a shorter period."
        )
    if len(table) < (1.0 - MOST_MISSING) * n_slots:
        raise BadSeries(
            f"the {len(table)} rows fill {len(table) / n_slots:.0%} of the {n_slots} slots from the first to the last; "
            f"{1 - MOST_MISSING:.0%} are needed. Resample to a longer step, or cut the record at its long gaps."
        )


def _check_missing(table: Table, grid: Floats, missing: Missing) -> None:
    gaps = np.isnan(grid)
    worst = int(np.argmax(gaps.mean(axis=0)))
    share = float(gaps[:, worst].mean())
    if share > MOST_MISSING:
        raise BadSeries(
            f"column {table.columns[worst]!r} misses {share:.0%} of its values; up to {MOST_MISSING:.0%} can be filled. "
            f"Leave the column out, or resample it."
        )
    if missing == "raise" and gaps.any():
        first = int(np.flatnonzero(gaps.any(axis=1))[0])
        raise BadSeries(
            f"{int(gaps.sum())} values are missing, the first in slot {first}; missing='raise' refuses that. "
            f"Give missing='fill', or fill them."
        )


def _like(source: Any, part: Floats, periods: tuple[int, ...]) -> Any:
    """A part as the kind of object that came in; with one column for each period where there are several."""
    if isinstance(source, pd.Series):
        if part.ndim == 2:
            return pd.Series(part[:, 0], index=source.index, name=source.name)
        return pd.DataFrame(part[:, 0], index=source.index, columns=list(periods))
    if isinstance(source, pd.DataFrame):
        columns = source.columns if part.ndim == 2 else pd.MultiIndex.from_product([source.columns, periods])
        return pd.DataFrame(part.reshape(len(part), -1), index=source.index, columns=columns)
    return part[:, 0] if np.ndim(source) == 1 else part


def _strength(part: Floats, residual: Floats) -> float:
    """Share of the variance of a part and the residual that the residual does not have (Hyndman & Athanasopoulos, FPP3, 4.3)."""
    known = ~np.isnan(residual)
    together = float(np.var((part + residual)[known]))
    return 0.0 if together == 0.0 else max(0.0, 1.0 - float(np.var(residual[known])) / together)
