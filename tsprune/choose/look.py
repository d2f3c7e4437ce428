"""What a history says about itself, before anything is learned: constant, missing, with a season that is worth taking out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tsprune.errors import BadSeries
from tsprune.features.switches import WithoutSwitches
from tsprune.kernels.smooth import mad
from tsprune.model.clock import NANOSECONDS
from tsprune.signal import Deseason, find_periods

if TYPE_CHECKING:
    from tsprune.series.table import Table

#: A season is taken out where its period comes from the clock, it explains so much of the spread of rows that it was not
#: learned from, and so many cycles are there.  A period found by autocorrelation alone is not phase-locked: taking its
#: profile out cost .10 VUS-PR, and never helped.
STRENGTH, CYCLES = 0.3, 20
#: Share of the history that the season is learned from; it is judged on the rest.
FIRST = 0.7
#: The trend behind a season looks back over two periods, within these lengths.
SHORTEST, LONGEST = 64, 500


@dataclass(frozen=True)
class Look:
    """A history at first sight.

    Attributes
    ----------
    n_columns, measured : int
        Columns, and those of them that take more than two values (all where none does).
    constant : bool
        No column ever changes.
    period : int
        Of a season that is worth taking out, in slots; 0 for none.
    trend : int
        Slots that the trend behind the season looks back.
    reasons : tuple of str
    """

    n_columns: int
    measured: int
    constant: bool
    period: int
    trend: int
    reasons: tuple[str, ...]


def look_at(table: Table) -> Look:
    """Look at a history; with several columns no season is taken out."""
    values = table.values
    n = values.shape[1]
    measured = WithoutSwitches().learn(table).part_.n_out
    there = values[~np.isnan(values).any(axis=1)]
    if len(there) == 0 or (there == there[0]).all():
        reason = "the history never changes: any other value is an anomaly, and there is nothing to weigh"
        return Look(n, measured, True, 0, 0, (reason,))
    if n > 1:
        seen = f"{n} columns, of which {measured} measure something (more than two values): these are looked at, and no season is taken out"
        return Look(n, measured, False, 0, 0, (seen,))
    period, reason = _season(table)
    return Look(n, measured, False, period, int(np.clip(2 * period, SHORTEST, LONGEST)) if period else 0, (reason,))


def _season(table: Table) -> tuple[int, str]:
    """A period worth taking out, or 0, and why."""
    found = find_periods(_series(table), max_periods=2)
    clocked = [period for period in found if period.source == "calendar"]
    if not found:
        return 0, "no season is taken out: no period was found"
    if not clocked:
        return 0, f"no season is taken out: the period of {found[0].whole} rows is not one of the clock, and its phase would drift"
    period = clocked[0].whole
    slots = table.slots.absolute
    cycles = (slots[-1] - slots[0] + 1) / period
    strength = _strength(table, period)
    told = f"strength {strength:.2f} on held-back rows, {cycles:.0f} cycles"
    name = _name(period, table)
    if strength <= STRENGTH or cycles < CYCLES:
        return 0, f"the {name} profile is not used: {told}; it takes more than {STRENGTH} and {CYCLES} cycles"
    return period, f"{name} profile used: {told}"


def _strength(table: Table, period: int) -> float:
    """1 - spread without the season / spread with it, on rows it was not learned from; 0 where it cannot be learned."""
    cut = int(FIRST * len(table))
    series = _series(table)
    try:
        left = Deseason(period).fit(series.iloc[:cut].to_frame()).transform(series.iloc[cut:].to_frame())
    except BadSeries:
        return 0.0
    before = mad(series.iloc[cut:].to_numpy())
    return float(1.0 - mad(left.to_numpy()[:, 0]) / before) if before > 0.0 else 0.0


def _series(table: Table) -> pd.Series:
    if isinstance(table.source, pd.Series):
        return table.source
    if isinstance(table.source, pd.DataFrame):
        return table.source.iloc[:, 0]
    return pd.Series(table.values[:, 0])


def _name(period: int, table: Table) -> str:
    words = {NANOSECONDS["h"]: "hourly", NANOSECONDS["D"]: "daily", NANOSECONDS["W"]: "weekly"}
    span = period * table.clock.step if table.clock.kind == "time" else 0
    return words.get(span, f"{period}-row")
