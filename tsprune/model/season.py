"""A season as a profile per phase, looked up by slot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.season import at_phase, subtract_profile
from tsprune.kernels.season import phase as phase
from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Ints


@dataclass(frozen=True)
class SeasonProfile(Part):
    """Subtract from each column the profiles of its periods.

    One term is one profile of one column; a column may have none (no season), one, or two (day and week).
    """

    n_features: int
    columns: tuple[int, ...]  # the column of each term, the shorter period of a column first
    periods: Floats  # samples per cycle of each term; need not be whole
    bins: tuple[int, ...]  # values in the profile of each term
    profiles: Floats  # the profiles, one after the other
    wall: bool  # the phase of the wall clock, or of absolute time

    def check(self) -> None:
        if not (len(self.columns) == len(self.periods) == len(self.bins) and sum(self.bins) == len(self.profiles)):
            raise ValueError("the terms of the season do not agree")
        if any(not 0 <= column < self.n_features for column in self.columns) or any(bins < 1 for bins in self.bins):
            raise ValueError("a term of the season is out of range")
        if len(self.periods) and self.periods.min() < 1.0:
            raise ValueError("a period is shorter than one sample")

    @property
    def uses_clock(self) -> bool:
        return len(self.columns) > 0

    def apply(self, values: Floats, clock: Slots) -> Floats:
        left, slots, terms = values.copy(), self.slots(clock), self._terms()
        for column in dict.fromkeys(self.columns):
            own = [(period, profile) for c, period, profile in terms if c == column]
            if len(own) == 1 and own[0][0] == len(own[0][1]):
                subtract_profile(left[:, column], slots, own[0][1])
            else:
                left[:, column] -= reduce(np.add, [at_phase(slots, period, profile) for period, profile in own])
        return left

    def seasonal(self, clock: Slots) -> Floats:
        """The season at each row, shape (n, d), in the unit of the series; 0 for a column without one."""
        slots = self.slots(clock)
        season = np.zeros((len(slots), self.n_features))
        for column, period, profile in self._terms():
            season[:, column] += at_phase(slots, period, profile)
        return season

    def foreseen(self, values: Floats, clock: Slots) -> Floats:
        """What a row would be if nothing happened, shape (n, d): the season."""
        return self.seasonal(clock)

    def slots(self, clock: Slots) -> Ints:
        """The slots that the phase is counted by."""
        return clock.wall if self.wall else clock.absolute

    def shortest(self) -> dict[int, float]:
        """The shortest period of each column that has one: by this the last cycles can correct it."""
        return dict(reversed(list(zip(self.columns, self.periods.tolist(), strict=True))))

    def _terms(self) -> list[tuple[int, float, Floats]]:
        ends = np.cumsum(self.bins, dtype=np.int64)
        return [
            (column, float(period), self.profiles[end - bins : end])
            for column, period, bins, end in zip(self.columns, self.periods, self.bins, ends, strict=True)
        ]
