"""Many series through one model in one go.

Series stand one behind the other on a common axis of slots, each moved by a multiple of every season and block, and so
far from the one before that no window reaches across: each row gets, to the bit, the score it gets alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.model.chain import Model
from tsprune.model.clock import Slots
from tsprune.model.columns import Columns
from tsprune.model.expected import Expected, expected
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother
from tsprune.model.trend import BlockTrend
from tsprune.model.windows import WindowMatrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsprune.model.level import Level
    from tsprune.monitor.rows import Rows
    from tsprune.monitor.sections import AlertRules
    from tsprune.types import Floats, Ints, Mask

#: The distance between two series on the common axis has to be a multiple of these parts' own lengths.
_MOVABLE = (SeasonProfile, BlockTrend, Smoother, WindowMatrix, Columns)

#: Rows that go through the model at a time: bounds the memory that windows take, and changes no bit.
CHUNK = 32_768

#: Features beyond so many of their scales say no more about a drift than this.
_CLIP = 8.0


@dataclass(frozen=True)
class Scored:
    """Scores of n rows, which of them are alarms, and what else is told of these."""

    score: Floats  # NaN where a row, or a row its windows need, is missing
    limit: Floats  # what the score was compared with
    alarm: Mask
    column: Ints  # the column farthest from what was expected; -1 where that is not known or not asked
    value: Floats  # its value ...
    expected: Floats  # ... and the expected one
    far: Floats  # how far apart these are, in everyday deviations; -1 where not known
    inputs: Floats  # mean of what the detector sees, in scales of the training rows
    spread: Floats  # mean of its absolute values


def score_rows(model: Any, level: Level, rules: AlertRules, rows: Rows, wanted: Mask) -> Scored:
    """Score the wanted rows; the others are context.

    Parameters
    ----------
    model : Model
    level : Level
        A score above its limit, strictly, is an alarm if the rules agree.
    rules : AlertRules
    rows : Rows
        Sorted by series and time, each series with its lookback.
    wanted : ndarray of bool, shape (n,)

    Returns
    -------
    Scored
        One entry per wanted row.
    """
    pieces = [_piece(model, level, rules, rows, *piece) for piece in _pieces(model, model.lookback + level.lookback, rows, wanted)]
    if not pieces:
        nothing = np.empty(0)
        return Scored(nothing, nothing, nothing.astype(bool), nothing.astype(np.int64), *[nothing] * 5)
    return Scored(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in Scored.__dataclass_fields__))


def _pieces(model: Any, lookback: int, rows: Rows, wanted: Mask) -> Iterator[tuple[slice, Slots, Mask]]:
    """Stretches of rows with their slots: which rows are read, and which of those are wanted."""
    slots = _common_slots(model, lookback, rows)
    starts = [0, len(rows)] if slots is not None else rows.bounds().tolist()
    for first, end in pairwise(starts):
        here = slots if slots is not None else model.clock.slots(rows.time[first:end])
        for start in range(first, end, CHUNK):
            stop = min(start + CHUNK, end)
            if not wanted[start:stop].any():
                continue
            absolute = here.absolute
            offset = 0 if slots is not None else first
            begin = offset + int(np.searchsorted(absolute, absolute[start - offset] - lookback))
            mask = wanted[begin:stop].copy()
            mask[: start - begin] = False
            yield slice(begin, stop), here.taken(slice(begin - offset, stop - offset)), mask


def _common_slots(model: Any, lookback: int, rows: Rows) -> Slots | None:
    """The slots of all rows on one axis, or None if a part may not be moved, or the axis ends."""
    if not isinstance(model, Model) or not all(isinstance(part, _MOVABLE) for part in model.parts) or not len(rows):
        return None
    cycles = [1]
    for part in model.parts:
        if isinstance(part, BlockTrend):
            cycles.append(part.block)
        elif isinstance(part, SeasonProfile) and not part.wall:
            if any(period != round(period) for period in part.periods):
                return None
            cycles += [int(period) for period in part.periods]
    times, at = np.unique(rows.time, return_inverse=True)
    slots = model.clock.slots(times)
    cycle = math.lcm(*cycles)
    distance = -(-(int(slots.absolute[-1] - slots.absolute[0]) + lookback + 1) // cycle) * cycle
    if (len(rows.names) + 1) * distance > 2**61:
        return None
    return Slots(slots.absolute[at] + rows.code * distance, slots.wall[at])


def _piece(model: Any, level: Level, rules: AlertRules, rows: Rows, read: slice, slots: Slots, wanted: Mask) -> Scored:
    values = rows.values[read]
    judged = np.ones(len(wanted), dtype=bool) if level.lookback else wanted  # a level may follow the scores before
    scores = np.full(len(wanted), np.nan)
    inputs = spread = np.zeros(int(wanted.sum()))
    if isinstance(model, Model):
        seen = model.features(values, slots)
        complete = judged & ~np.isnan(seen).any(axis=1)
        if complete.any():
            scores[complete] = model.detector.anomaly_score(seen[complete])
        clipped = np.clip(np.where(complete[wanted, None], seen[wanted], 0.0), -_CLIP, _CLIP)
        inputs, spread = clipped.mean(axis=1), np.abs(clipped).mean(axis=1)
    else:
        scores[judged] = model.anomaly_score(values, rows.time[read])[judged]
    alarms, limits = level.compared(scores, slots)
    alarm, limit = alarms[wanted], limits[wanted]
    told = expected(model, values, slots) if alarm.any() else None
    alarm, column, value, usual, far = _deviating(alarm, rules, values[wanted], told, wanted)
    return Scored(scores[wanted], limit, alarm, column, value, usual, far, inputs, spread)


def _deviating(
    alarm: Mask, rules: AlertRules, values: Floats, told: Expected | None, wanted: Mask
) -> tuple[Mask, Ints, Floats, Floats, Floats]:
    """The alarms that the rules on deviations let through; the column that deviates most, its value, the expected one, how far."""
    n = len(alarm)
    if told is None:
        single = values.shape[1] == 1
        column = np.full(n, 0 if single else -1)
        return alarm, column, values[:, 0] if single else np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1.0)
    usual = told.values[wanted]
    away = values - usual
    size = np.abs(away)
    fits = (size >= rules.min_absolute) & (size >= rules.min_relative * np.abs(usual))
    if rules.direction != "both":
        fits &= away > 0.0 if rules.direction == "above" else away < 0.0
    far = np.where(fits, size / told.scale, -1.0)
    column = np.argmax(far, axis=1)
    row = np.arange(n)
    if rules.needs_expected:
        alarm = alarm & fits.any(axis=1)
    return alarm, column, values[row, column], usual[row, column], far[row, column]
