"""A fitted fleet: facts of each series, one detector for all (or a few), and one file for both."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.errors import BadParameter, BadSeries
from tsprune.model import file, store
from tsprune.model.cohort import Cohort, form
from tsprune.model.roster import Roster
from tsprune.panel.align import Block, blocks
from tsprune.panel.rows import Rows, concatenated_ranges, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from tsprune.model import Model
    from tsprune.model.member import Fleet, Member
    from tsprune.panel.sharing import Sharing
    from tsprune.types import Floats, Ints, Mask


@dataclass(frozen=True)
class Recipe:
    """How series are learned: what a new one needs, too.  Not part of the file."""

    pipeline: Any
    random_state: int


@dataclass(frozen=True)
class PanelModel:
    """What `tsp.panel.fit` returns: score with `tsp.panel.score`, save, load, add and remove series.

    Attributes
    ----------
    fleet : Fleet
        What all series share.
    members : Roster
        What is known of each series: a mapping of its name to a `Member`.
    sharing : Sharing or None
        What one detector for all costs each series that was asked; None for a model from a file.
    transferred : tuple of str
        Series whose history was too short, and which started from the fleet.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> index = pd.date_range("2026-01-01", periods=500, freq="h")
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame(rng.normal(size=(500, 6)), index=index, columns=list("abcdef"))
    >>> model = tsp.panel.fit(frame, tsp.Pipeline([tsp.Windows(8, "point"), "iforest"]), clusters=1)
    >>> print(model)
    6 series, 1 clock, 1 detector; lookback 7 slots
    >>> model.remove(["a"]).series
    ('b', 'c', 'd', 'e', 'f')
    """

    fleet: Fleet
    members: Roster
    recipe: Recipe | None = None
    sharing: Sharing | None = None
    transferred: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        counts = {"clock": len(self.fleet.clocks), "detector": len(self.fleet.detectors)}
        told = ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items())
        return f"{len(self.members)} series, {told}; lookback {self.lookback} slots"

    __repr__ = __str__

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series, in order."""
        return self.members.names

    @cached_property
    def lookback(self) -> int:
        """Slots of context that any series needs at the most."""
        return max((member.lookback for member in self.members.values()), default=0) + self.fleet.lookback

    @property
    def thresholds(self) -> pd.Series:
        """A score above it is an alarm: one value for each series."""
        return pd.Series(self.members.column("threshold"), index=list(self.series), name="threshold")

    @property
    def nbytes(self) -> int:
        """Bytes of all facts and of the shared detector in a file."""
        return self.fleet.nbytes + sum(member.nbytes for member in self.members.values())

    def facts(self) -> pd.DataFrame:
        """One line per series: its step, detector, values learned from, lookback, threshold, bytes."""
        lines = [
            {
                "step": self._step(member.clock),
                "detector": member.detector,
                "rows": member.rows,
                "lookback": member.lookback + self.fleet.lookback,
                "threshold": member.threshold,
                "bytes": member.nbytes,
                "transferred": name in self.transferred,
            }
            for name, member in self.members.items()
        ]
        return pd.DataFrame(lines, index=pd.Index(self.series, name="series"))

    def model(self, series: str) -> Model:
        """One series as a model of its own, for `tsp.load`, jobs and `Model.anomaly_score`: the same scores."""
        return self.fleet.model(series, self._member(series))

    def add(self, other: PanelModel) -> PanelModel:
        """A model with further series, as `tsp.panel.learn` returns them; those of the same name are replaced.

        Raises
        ------
        BadParameter
            If they were learned for another fleet.
        """
        longer = max(self.fleet, other.fleet, key=lambda fleet: len(fleet.clocks))
        short = min(len(self.fleet.clocks), len(other.fleet.clocks))
        same = [file.to_bytes(replace(fleet, clocks=fleet.clocks[:short])) for fleet in (self.fleet, other.fleet)]
        if same[0] != same[1]:
            raise BadParameter("other was learned for another fleet: learn its series for this one, tsp.panel.learn(model, history).")
        transferred = {name for name in self.transferred if name not in other.members} | set(other.transferred)
        members = Roster.joined([self.members, other.members])
        return replace(self, fleet=longer, members=members, transferred=tuple(sorted(transferred)))

    def remove(self, series: Iterable[str]) -> PanelModel:
        """A model without some series; nothing is learned anew."""
        gone = {series} if isinstance(series, str) else set(series)
        for name in gone:
            self._member(name)
        kept = self.members.only(name for name in self.series if name not in gone)
        return replace(self, members=kept, transferred=tuple(name for name in self.transferred if name in kept))

    def only(self, series: Iterable[str]) -> PanelModel:
        """A model of some series."""
        names = tuple(series)
        for name in names:
            self._member(name)
        return replace(self, members=self.members.only(names))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all series and what they share as one file of data: whole or not at all."""
        store.write(self.fleet, self.members, path)

    def _member(self, series: str) -> Member:
        if series not in self.members:
            raise BadParameter(
                f"series is {series!r}, which is not among the {len(self.members)} series of the model. Learn it with tsp.panel.learn."
            )
        return self.members[series]

    def _step(self, clock: int) -> Any:
        known = self.fleet.clocks[clock]
        return pd.Timedelta(known.step, unit="ns") if known.kind == "time" else known.step

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("fleet", "members", "recipe", "sharing", "transferred")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # -- scoring ----------------------------------------------------------------------------------------------------

    @cached_property
    def _forms(self) -> tuple[Ints, Ints, list[Cohort]]:
        """The cohort of each series, its place there, and the cohorts."""
        found: dict[Any, list[int]] = {}
        for k, member in enumerate(self.members.values()):
            found.setdefault(form(member), []).append(k)
        which, place = np.empty((2, len(self.members)), np.int64)
        for number, own in enumerate(found.values()):
            which[own], place[own] = number, np.arange(len(own))
        return which, place, [Cohort(self.fleet, self.members.taken(np.array(own))) for own in found.values()]

    def score_rows(self, rows: Rows, context: Rows | None = None, run: Callable[[list[Any]], list[Any]] | None = None) -> Floats:
        """Scores of rows in their order (by series and time); NaN where a row, or one its features need, is missing.

        Parameters
        ----------
        rows : Rows
        context : Rows, optional
            What came before them.
        run : callable, optional
            Runs a list of functions without arguments, in any order; one after the other where not given.
        """
        self.check(rows)
        if context is None:
            return self._scores(rows, None, run)
        wanted = set(rows.names)
        both, new = joined(context.only([k for k, name in enumerate(context.names) if name in wanted]), rows)
        return self._scores(both, new, run)[new]

    def check(self, rows: Rows) -> None:
        """Refuse rows of series that are not in the model, or with times of another kind."""
        for name in rows.names:
            if name not in self.members:
                raise BadSeries(f"series {name!r} is not in the model. Learn it first: model.add(tsp.panel.learn(model, history)).")
        if rows.stamps == (self.fleet.clocks[0].kind == "index"):
            raise BadSeries("the times are of another kind than those learned from: give timestamps, or whole numbers, as in the history.")

    def _scores(self, rows: Rows, new: Mask | None, run: Callable[[list[Any]], list[Any]] | None) -> Floats:
        scores = np.full(len(rows), np.nan)
        jobs: list[Callable[[], None]] = []
        bounds = rows.bounds()
        for cohort, codes in self._cohorts(rows):
            whole = len(codes) == len(rows.names)
            own = rows if whole else rows.only(codes)
            at = slice(None) if whole else concatenated_ranges(bounds[codes], bounds[codes + 1])
            jobs += list(self._jobs(cohort, own, None if new is None else new[at], scores, at))
        for job in jobs if run is None else run(jobs):
            job() if run is None else None
        return scores

    def _cohorts(self, rows: Rows) -> Iterator[tuple[Cohort, Ints]]:
        """The cohorts that rows belong to, each with the numbers of its series."""
        which, place, cohorts = self._forms
        at = self.members.places(rows.names)
        for k in np.unique(which[at]).tolist():
            codes = np.flatnonzero(which[at] == k)
            yield cohorts[k] if len(codes) == len(cohorts[k].members) else cohorts[k].taken(place[at[codes]]), codes

    def _jobs(self, cohort: Cohort, rows: Rows, new: Mask | None, scores: Floats, at: Any) -> Iterator[Callable[[], None]]:
        where = np.arange(len(scores))[at] if not isinstance(at, slice) else None
        bounds = rows.bounds()
        for block in blocks(rows, self.fleet.clocks[cohort.members[0].clock], new):
            if isinstance(block, int):
                yield self._single(cohort.members[block], rows, slice(int(bounds[block]), int(bounds[block + 1])), scores, where)
            else:
                yield from _strips(cohort, block, scores, where)

    def _single(self, member: Member, rows: Rows, own: slice, scores: Floats, where: Ints | None) -> Callable[[], None]:
        def work() -> None:
            found = self.fleet.model("", member).anomaly_score(rows.value[own], rows.time[own])
            scores[own if where is None else where[own]] = found

        return work


def _strips(cohort: Cohort, block: Block, scores: Floats, where: Ints | None) -> Iterator[Callable[[], None]]:
    """The pieces of a block that threads can share; each writes the scores of its own series."""
    if not np.array_equal(block.series, np.arange(len(cohort.members))):
        cohort = cohort.taken(block.series)
    n = len(block.slots)
    for low, high, work in cohort.strips(block.values, block.slots, block.skip):

        def job(low: int = low, high: int = high, work: Any = work) -> None:
            found = np.full((high - low, n), np.nan)
            found[:, block.skip :] = work().T
            if block.place is None:
                own: Any = slice(low * n, high * n)
                scores[own if where is None else where[own]] = found.ravel()
                return
            first, last = np.searchsorted(block.place, (low * n, high * n))  # rows come series after series
            rows = block.rows[first:last]
            scores[rows if where is None else where[rows]] = found.ravel()[block.place[first:last] - low * n]

        yield job


def load(path: str | os.PathLike[str], series: Iterable[str] | None = None) -> PanelModel:
    """Load a fleet, or some series of it: what the others take in the file is not read.

    Raises
    ------
    BadModelFile
        If the file is no fleet file, is damaged, or makes no sense.
    BadParameter
        If a series is not in it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=list("abc"))
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "fleet.tspf"
    >>> tsp.panel.fit(frame, tsp.Pipeline([tsp.Windows(4), "iforest"]), clusters=1).save(path)
    >>> tsp.panel.load(path, series=["b"]).series
    ('b',)
    """
    fleet, members = store.read(path, series)
    return PanelModel(fleet, members)
