"""What a series learns for itself, a piece of the panel at a time: its clock, its stages, its scale, its part of the sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone

from tsprune.errors import BadSeries
from tsprune.features.windows import count_gaps, whole
from tsprune.kernels.smooth import scale_of
from tsprune.model.cohort import Cohort, raw_features
from tsprune.model.member import Fleet, Member
from tsprune.panel.learned import Gathered, Sample, packed
from tsprune.panel.sample import priorities
from tsprune.panel.wire import pack
from tsprune.series.clock import learn_clock
from tsprune.series.table import Cycle, Table

if TYPE_CHECKING:
    from tsprune.model.clock import Clock, Slots
    from tsprune.model.windows import WindowMatrix
    from tsprune.panel.plan import Plan
    from tsprune.panel.rows import Rows
    from tsprune.types import Floats, Ints, Mask

#: Quantiles of each feature that tell what kind of series it is.
DESCRIBED_BY = (0.05, 0.5, 0.95)
#: The first rows of each series, from which the evidence on sharing learns; it judges on the others.
EARLY = 0.7


#: Standard deviations between the first and last percent of normal values; the part of a scale from these that counts.
RANGE, BURSTS = 4.65, 0.25


@dataclass(frozen=True)
class History:
    """One series: its times and values, missing ones left out, and the clock they go by."""

    name: str
    clock: Clock
    time: Ints
    value: Floats

    @property
    def slots(self) -> Slots:
        return self.clock.slots(self.time)


# -- histories ------------------------------------------------------------------------------------------------------------------


def histories(rows: Rows, fleet: Fleet | None = None) -> Iterator[History]:
    """The series of some rows, each with its clock; series with the same times share the work.

    Where a fleet is there already, a series of one or two rows, which tell no step, goes by one of its clocks.
    """
    bounds = rows.bounds().tolist()
    last: tuple[Ints, Clock] | None = None
    for name, first, end in zip(rows.names, bounds, bounds[1:], strict=False):
        time, value = rows.time[first:end], rows.value[first:end]
        if last is None or not np.array_equal(last[0], time):
            known = None if fleet is None or len(time) > 2 else _fitting(fleet, time)
            last = (time, known or clock_of(time, rows.stamps, rows.zone))
        there = ~np.isnan(value)
        yield History(name, last[1], time[there], value[there])


def _fitting(fleet: Fleet, time: Ints) -> Clock | None:
    """The first clock of a fleet on whose grid some times stand, those of typical series before the others."""
    clocks = [*(fleet.clocks[member.clock] for member in fleet.typical), *fleet.clocks]
    return next((clock for clock in clocks if clock.kind != "month" and not ((time - clock.origin) % clock.step).any()), None)


def clock_of(time: Ints, stamps: bool, zone: str | None) -> Clock:
    """The clock of one series."""
    if not stamps:
        return learn_clock(pd.Index(time))
    index = pd.DatetimeIndex(time.astype("datetime64[ns]"))
    if zone is None:
        return learn_clock(index)
    clock = learn_clock(index)
    if clock.kind == "month":
        return learn_clock(index.tz_localize("UTC").tz_convert(zone))
    changes = _changes(zone)
    return replace(clock, changes=changes.changes, offsets=changes.offsets)


@lru_cache(maxsize=64)
def _changes(zone: str) -> Clock:
    """A clock that knows when the clocks of a zone change: worked out once, not for each series."""
    return learn_clock(pd.DatetimeIndex([0, 1], tz="UTC").tz_convert(zone))


# -- one series -----------------------------------------------------------------------------------------------------------------


def learn_alone(history: History, plan: Plan, cycle: Cycle | None = None) -> tuple[Member, Floats]:
    """The facts of one series, and its channels behind them, shape (n, channels); `cycle` is that of a season taken away before.

    Raises
    ------
    BadSeries
        If the history is too short for a stage.
    """
    table = Table(history.value[:, None], ("x",), history.clock, history.time, 2, cycle)
    if len(table) < 2:
        raise BadSeries(f"series {history.name!r} has {len(table)} value(s); it needs 2.")
    stages = []
    for stage in plan.stages:
        learned = clone(stage).learn(table)
        stages.append(learned.part_)
        table = learned.through(table)
    columns = [column[~np.isnan(column)] for column in table.values.T]
    centre = np.array([float(np.median(column)) if len(column) else 0.0 for column in columns])
    scale = np.array([spread_of(column) for column in columns])
    member = Member(0, 0, len(table), 0.0, centre, scale, tuple(stages))
    return member, (table.values - centre) / scale


def spread_of(values: Floats) -> float:
    """The scale of a channel: its MAD, or a part of its range where it hardly moves but for bursts; never 0.

    >>> import numpy as np
    >>> from tsprune.panel.learn import spread_of
    >>> bursts = np.concatenate([np.full(90, 0.0), np.full(10, 9.3)]) + 1e-6 * np.arange(100)
    >>> round(spread_of(bursts), 2)
    0.5
    """
    if len(values) < 2:
        return scale_of(values)
    low, high = np.quantile(values, (0.01, 0.99))
    return max(scale_of(values), BURSTS * float(high - low) / RANGE)


def complete_features(plain: WindowMatrix, channels: Floats, slots: Slots) -> tuple[Floats, Mask]:
    """The window features of the rows that have all of them and do not reach before the first one, and which rows these are."""
    raw = raw_features(plain, channels, slots)
    complete: Mask = np.logical_not(np.isnan(raw).any(axis=1), dtype=bool)
    complete &= whole(slots.absolute, channels, plain.lookback)
    return raw[complete], complete


def describe(features: Floats) -> Floats:
    """What kind of series it is: quantiles of its features, shape (3 * width,); 0 without rows."""
    if not len(features):
        return np.zeros(len(DESCRIBED_BY) * features.shape[1])
    ranked = np.sort(features, axis=0)
    return np.concatenate([ranked[int(share * (len(ranked) - 1))] for share in DESCRIBED_BY])


# -- a piece --------------------------------------------------------------------------------------------------------------------


def count_piece(rows: Rows) -> bytes:
    """How many gaps of each length the series of a piece have, as bytes."""
    counts = [count_gaps(history.slots.absolute) for history in histories(rows) if len(history.value)]
    return pack({"counts": np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros(1, np.int64)})


def learn_piece(rows: Rows, plan: Plan, count: int) -> bytes:
    """What the series of a piece learn alone, and their part of a sample of `count` rows, as bytes."""
    learned, samples = Gathered(), []
    for history in histories(rows):
        sample = _learn_one(history, plan, learned)
        if sample is not None:
            samples.append(sample.lowest(count))
        if sum(len(sample.rows) for sample in samples) > 4 * count:
            samples = [Sample.joined(samples).lowest(count)]
    return packed(learned, Sample.joined(samples).lowest(count) if samples else None)


def _learn_one(history: History, plan: Plan, learned: Gathered) -> Sample | None:
    learned.meet(history.name, history.clock)
    try:
        member, channels = learn_alone(history, plan)
    except BadSeries as error:
        learned.reason = learned.reason or str(error)
        return None
    features, complete = complete_features(plan.raw_windows(member.n_out), channels, history.slots)
    number = learned.take(member, describe(features))
    if not len(features):
        return None
    drawn = priorities(history.name, history.slots.absolute[complete], plan.random_state)
    early = np.flatnonzero(complete) < EARLY * len(complete)
    return Sample(np.full(len(features), number), drawn, early, features)


# -- thresholds -------------------------------------------------------------------------------------------------------------------


def own_scores(fleet: Fleet, member: Member, history: History) -> Floats:
    """Scores of the values that a series learned from, shape (n,); NaN for those that look back before the first one."""
    slots = history.slots
    if len(np.unique(slots.absolute)) < len(slots):
        scores = fleet.model("", member).anomaly_score(history.value, history.time)
    else:
        scores = Cohort(fleet, (member,)).anomaly_score(history.value[:, None], slots)[:, 0]
    lookback = sum(part.lookback for part in fleet.windows)
    return np.where(whole(slots.absolute, history.value[:, None], lookback), scores, np.nan)
