"""Anomalies of known kind and place, written into a copy of a series.

They stand in for labels where there are none: to weigh a stage, a cut, or a member of a blend.  What they can and
cannot tell is in docs/injection.md; a score on them is never the quality to expect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter, BadSeries
from tsprune.params import check_choice, check_count
from tsprune.series.kinds import KINDS, Column, Site
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.series.table import Table
    from tsprune.types import Floats, Ints, Mask

#: Rows that an event takes at the least, with the distance to its neighbours; its share of them is at most a quarter.
_ROOM = 16
#: Rows of the longest event where there is no season; with one it is 1.5 cycles.
_LONGEST, _LONGEST_CYCLES = 80, 1.5
_SHORTEST = 8
#: An event that moves no row by so many residual standard deviations is drawn again, up to so many times.
_VISIBLE, _TRIES = 3.0, 20
#: Columns that correlate by so much have a link that can be broken; so many rows are enough to see it.
_LINKED, _LINK_ROWS = 0.5, 5000


def inject(
    series: Any, kinds: str | Sequence[str] = "all", n_events: int = 10, random_state: int = 0
) -> tuple[Any, pd.Series, pd.DataFrame]:
    """Write anomalies into a copy of a series.

    Parameters
    ----------
    series : Series or DataFrame, shape (n,) or (n, d)
        Rows in order of time, on a DatetimeIndex or whole numbers.  Missing values are allowed and stay missing.
    kinds : str or sequence of str
        Taken in turn: "spike", "dip", "level_shift", "trend", "amplitude_change", "frequency_change", "flat_line",
        "noise_burst", "pattern_swap", "contextual", "clusters", "decorrelation".  "all" leaves out what makes no sense for this
        series: a wrong phase where there is no season, a broken link where no columns go together.
    n_events : int
        Number of events.  Each lies within one column and needs at least 16 rows, distance included.
    random_state : int
        Seed.

    Returns
    -------
    series : as given
        A copy.  Rows outside of events, and columns without one, are what they were, bit for bit.  A column of whole
        numbers that is hit becomes float64.
    labels : Series of int8, shape (n,)
        1 from the first to the last row that an event changed.
    events : DataFrame
        One row per event, in order of time: `start` and `end` (index of its first and last row), `kind`, `column`, and
        `size`, the largest change in residual standard deviations of the column.

    Raises
    ------
    BadParameter
        If a kind is unknown, or needs more columns than there are.
    BadSeries
        If there is no room for so many events, or the series is not numeric, not finite or not in order of time.

    Examples
    --------
    >>> import tsprune as tsp
    >>> from tsprune.series.inject import inject
    >>> sea = tsp.datasets.load("elnino").frame["value"]
    >>> changed, labels, events = inject(sea, kinds=["spike", "flat_line"], n_events=4)
    >>> events["kind"].value_counts().to_dict()
    {'spike': 2, 'flat_line': 2}
    >>> bool((changed[labels == 0] == sea[labels == 0]).all())
    True
    """
    if not isinstance(series, pd.Series | pd.DataFrame):
        raise BadParameter(f"series is a {type(series).__name__}; it is a pandas Series or DataFrame. Wrap it: pd.Series(values).")
    asked, n_events = _asked(kinds), check_count(n_events=n_events)
    rng = np.random.default_rng(check_count(random_state=random_state, low=0))
    table = read_table(series, name="series")
    return _written(table, _plan(table, asked, n_events, rng).events(n_events, series.index))


def _asked(kinds: str | Sequence[str]) -> tuple[str, ...]:
    """The kinds by name; none stands for all that make sense."""
    asked = tuple(kinds) if isinstance(kinds, Iterable) and not isinstance(kinds, str) else (kinds,)
    if not asked:
        raise BadParameter(f"kinds is {kinds!r}; name at least one of {', '.join(KINDS)}, or give 'all'.")
    for kind in asked:
        check_choice((*KINDS, "all"), kinds=kind)
    return () if "all" in asked else asked


@dataclass(frozen=True)
class _Event:
    """Rows of a column, from `start`, as they are to be; the first and the last of them differ from what was."""

    kind: str
    number: int
    start: int
    rows: Floats
    changed: Mask
    size: float


@dataclass(frozen=True)
class _Plan:
    """Which kinds may hit which columns, and in which rows."""

    columns: dict[int, Column]
    targets: dict[str, list[int]]  # kind -> numbers of the columns it may hit
    usable: Ints  # rows in which a column that may be hit has a value
    rng: np.random.Generator
    luck: int  # of the twins

    def events(self, n_events: int, index: pd.Index) -> list[_Event]:
        """One event in each of `n_events` equal stretches of the usable rows."""
        fit = len(self.usable) // _ROOM
        if fit < n_events:
            raise BadSeries(
                f"n_events={n_events} needs {_ROOM * n_events} rows with values, {_ROOM} per event, and there are {len(self.usable)}. "
                f"Give a longer series{f', or ask for at most {fit} events' if fit else ''}."
            )
        order = self.rng.permutation(list(self.targets)).tolist()
        stretches = np.array_split(self.usable, n_events)
        return [
            self._first_that_fits([*order[i % len(order) :], *order[: i % len(order)]], stretch, index)
            for i, stretch in enumerate(stretches)
        ]

    def _first_that_fits(self, kinds: list[str], stretch: Ints, index: pd.Index) -> _Event:
        for kind in kinds:
            event = self._drawn(kind, stretch)
            for _ in range(_TRIES - 1):
                if event.size >= _VISIBLE:
                    break
                event = max(event, self._drawn(kind, stretch), key=lambda drawn: drawn.size)
            if event.size > 0.0:
                return event
        raise BadSeries(
            f"kinds {', '.join(kinds)} change nothing between {index[stretch[0]]} and {index[stretch[-1]]}: the values there are "
            f"constant or missing. Ask for other kinds, or for fewer events."
        )

    def _drawn(self, kind: str, stretch: Ints) -> _Event:
        """An event within the inner three quarters of a stretch; of size 0 where it would change nothing."""
        number = int(self.rng.choice(self.targets[kind]))
        column, margin = self.columns[number], max(2, len(stretch) // 8)
        inner = stretch[margin:-margin]
        length = self._length(column.season, len(inner) // 3)
        start = int(inner[self.rng.integers(0, len(inner) - length + 1)])
        stop = min(start + length, int(inner[-1]) + 1)  # a gap may lie in between
        old = column.values[start:stop]
        new = KINDS[kind](old.copy(), Site(column, start, self.rng, np.random.default_rng(self.luck)))
        moved = np.where(column.present[start:stop], np.abs(new - old), 0.0)
        first, last = np.flatnonzero(moved)[[0, -1]] if moved.any() else (0, 0)
        rows = slice(int(first), int(last) + 1)
        return _Event(kind, number, start + int(first), new[rows], moved[rows] > 0.0, float(moved.max() / column.scale))

    def _length(self, season: int, room: int) -> int:
        """Rows of an event: from a few to one and a half cycles, short ones as likely as long ones on a log scale."""
        longest = min(room, max(_SHORTEST, int(_LONGEST_CYCLES * season) if season else _LONGEST))
        return round(float(np.exp(self.rng.uniform(np.log(min(_SHORTEST, longest)), np.log(longest)))))


def _plan(table: Table, asked: tuple[str, ...], n_events: int, rng: np.random.Generator) -> _Plan:
    """Measure the columns that may be hit: no more of them than there are events."""
    varying = _varying(table, n_events)
    if "decorrelation" in asked and len(varying) < 2:
        raise BadParameter("kinds holds 'decorrelation', which needs 2 columns that vary. Give a DataFrame that has them, or leave it out.")
    chosen = rng.permutation(varying)[:n_events].tolist()
    columns = {number: Column.of(table.values[:, number], table.slots) for number in chosen}
    seasonal = [number for number in chosen if columns[number].season]
    linked = _linked(table.values, chosen, varying) if not asked or "decorrelation" in asked else []
    special = {"pattern_swap": seasonal, "contextual": seasonal, "clusters": chosen[:1], "decorrelation": linked}
    targets = {kind: special.get(kind, chosen) or (chosen if asked else []) for kind in asked or KINDS}
    usable = np.flatnonzero(np.isfinite(table.values[:, chosen]).any(axis=1))
    return _Plan(columns, {kind: numbers for kind, numbers in targets.items() if numbers}, usable, rng, int(rng.integers(2**32)))


def _varying(table: Table, n_events: int) -> list[int]:
    """Numbers of the columns that are not constant and have room for the events; of any that hold a value if there is none."""
    low, high = np.fmin.reduce(table.values, axis=0), np.fmax.reduce(table.values, axis=0)
    roomy = np.isfinite(table.values).sum(axis=0) >= _ROOM * n_events
    for fit in ((high > low) & roomy, high > low, np.isfinite(low)):
        if fit.any():
            return [int(number) for number in np.flatnonzero(fit)]
    raise BadSeries("series holds no value at all, so there is nothing to change. Give one with values.")


def _linked(values: Floats, chosen: list[int], varying: list[int]) -> list[int]:
    """Those of the chosen columns that go together with another one."""
    some = values[:: max(1, len(values) // _LINK_ROWS)][:, varying]
    present = np.isfinite(some)
    counts = np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, some - np.where(present, some, 0.0).sum(axis=0) / counts, 0.0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(lengths > 0.0, lengths, 1.0)
    mine = [varying.index(number) for number in chosen]
    correlation = np.abs(unit[:, mine].T @ unit)
    correlation[np.arange(len(mine)), mine] = 0.0
    return [number for number, row in zip(chosen, correlation, strict=True) if row.max() >= _LINKED]


def _written(table: Table, events: list[_Event]) -> tuple[Any, pd.Series, pd.DataFrame]:
    """The copy with its events, the labels and the table of events."""
    source = table.source
    labels = np.zeros(len(table), np.int8)
    values = {event.number: table.values[:, event.number].copy() for event in events}
    for event in events:
        rows = slice(event.start, event.start + len(event.rows))
        values[event.number][rows][event.changed] = event.rows[event.changed]
        labels[rows] = 1
    starts = [event.start for event in events]
    ends = [event.start + len(event.rows) - 1 for event in events]
    names = list(source.columns) if isinstance(source, pd.DataFrame) else list(table.columns)
    facts = {
        "start": source.index[starts],
        "end": source.index[ends],
        "kind": [event.kind for event in events],
        "column": [names[event.number] for event in events],
        "size": [event.size for event in events],
    }
    return _copied(source, values), pd.Series(labels, index=source.index, name="label"), pd.DataFrame(facts)


def _copied(source: Any, values: dict[int, Floats]) -> Any:
    """A copy of a Series or DataFrame with other values in some of its columns; 32-bit floats stay so."""
    if isinstance(source, pd.Series):
        return pd.Series(values[0].astype(_dtype(source)), index=source.index, name=source.name)
    copy = source.copy()
    for number, column in values.items():
        copy.isetitem(number, column.astype(_dtype(source.iloc[:, number])))
    return copy


def _dtype(column: pd.Series) -> Any:
    return column.dtype if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f" else np.float64
