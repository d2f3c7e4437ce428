"""A season that follows its last cycles, within bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from tsprune.errors import BadModelFile
from tsprune.kernels.season import drift
from tsprune.model.part import Part, Spec, read
from tsprune.model.season import SeasonProfile

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import AnyArray, Floats, Ints, Json

#: A correction is smoothed over so small a share of a period to either side.
SMOOTHED = 48


@dataclass(frozen=True)
class AdaptedSeason(Part):
    """Subtract a season, and the median of what it left at the same phase of the last cycles, clipped.

    A fault that fills more than half of these cycles enters the correction: it can hide, and fake, as much as the clip.
    """

    season: SeasonProfile
    cycles: int  # whole cycles that are looked back
    clip: Floats  # largest correction of each column, in its unit
    margin: int  # slots by which the wall clock may have been moved meanwhile
    share: float = 1.0  # of what the last cycles say, the part that is believed

    def check(self) -> None:
        if len(self.clip) != self.season.n_features or self.clip.min() < 0.0:
            raise ValueError("the clips of the season's correction do not fit")
        if not 1 <= self.cycles <= 64 or not 0 <= self.margin <= 2**31:
            raise ValueError("the cycles of the season's correction are out of range")
        if not 0.0 < self.share <= 1.0:
            raise ValueError("the share of the season's correction is out of range")
        if any(period > bins for period, bins in zip(self.season.periods, self.season.bins, strict=True)):
            raise ValueError("a period of the adapted season is longer than its profile")

    @property
    def n_features(self) -> int:
        return self.season.n_features

    @property
    def uses_clock(self) -> bool:
        return self.season.uses_clock

    @property
    def lookback(self) -> int:
        periods = self.season.shortest().values()
        return math.ceil((self.cycles + 1) * max(periods)) + 1 + self.margin if periods else 0

    def apply(self, values: Floats, clock: Slots) -> Floats:
        left = self.season.apply(values, clock)
        return left - self.correction(left, self.season.slots(clock))

    def foreseen(self, values: Floats, clock: Slots) -> Floats:
        """What a row would be if nothing happened, shape (n, d): the season."""
        left = self.season.apply(values, clock)
        return self.season.seasonal(clock) + self.correction(left, self.season.slots(clock))

    def correction(self, left: Floats, slots: Ints) -> Floats:
        """What the last cycles add to the season, from what the season left, shape (n, d)."""
        return np.clip(self.share * moved(self.season, left, slots, self.cycles), -self.clip, self.clip)

    def at_clip(self, values: Floats, clock: Slots) -> Floats:
        """Share of the rows of the latest cycle whose correction stands at its clip, shape (d,): the season has moved; 0 where it is frozen."""
        slots = self.season.slots(clock)
        correction = np.abs(self.correction(self.season.apply(values, clock), slots))
        shares = np.zeros(self.n_features)
        for column, period in self.season.shortest().items():
            if self.clip[column] > 0.0:
                shares[column] = np.mean(correction[slots > slots[-1] - period, column] >= self.clip[column])
        return shares

    def to_spec(self) -> Spec:
        facts: dict[str, Json] = {"cycles": self.cycles, "margin": self.margin, "share": self.share}
        return Spec("AdaptedSeason", facts, {"clip": self.clip}, (self.season.to_spec(),))

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        facts = {"share": 1.0, **facts}  # files that were written before there was a share
        if (
            set(facts) != {"cycles", "margin", "share"}
            or set(arrays) != {"clip"}
            or len(parts) != 1
            or not isinstance(parts[0], SeasonProfile)
        ):
            raise BadModelFile("the adapted season is not of the known form.")
        given = {
            "cycles": ("int", facts["cycles"]),
            "clip": ("Floats", arrays["clip"]),
            "margin": ("int", facts["margin"]),
            "share": ("float", facts["share"]),
        }
        part = cls(parts[0], **{name: read(kind, value, f"AdaptedSeason.{name}") for name, (kind, value) in given.items()})
        part.check()
        return part


def moved(season: SeasonProfile, left: Floats, slots: Ints, cycles: int) -> Floats:
    """How far the last cycles stand from the season at each row's phase, shape (n, d), from what the season left."""
    away = np.zeros_like(left)
    for column, period in season.shortest().items():
        away[:, column] = drift(left[:, column], slots, period, cycles, int(period) // SMOOTHED)
    return away
