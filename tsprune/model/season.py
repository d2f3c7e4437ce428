"""A season as a profile per phase, looked up by slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
    columns: tuple[int, ...]  # the column of each term
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
        return values - self.seasonal(clock)

    def seasonal(self, clock: Slots) -> Floats:
        """The season at each row, shape (n, d), in the unit of the series; 0 for a column without one."""
        slots = clock.wall if self.wall else clock.absolute
        season = np.zeros((len(slots), self.n_features))
        start = 0
        for column, period, bins in zip(self.columns, self.periods, self.bins, strict=True):
            season[:, column] += self.profiles[start : start + bins][phase(slots, period, bins)]
            start += bins
        return season


def phase(slots: Ints, period: float, bins: int) -> Ints:
    """The bin of each slot within its cycle, 0 ... bins - 1; slot 0 begins a cycle."""
    if period == bins:
        return slots % bins
    return np.minimum((slots % period) * (bins / period), bins - 1).astype(np.int64)
