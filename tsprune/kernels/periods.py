"""Find how long a cycle is, or that there is none.

Candidates come from the calendar, from peaks of the spectrum and from the autocorrelation; each climbs to its best neighbour.
A period is believed when the mean of the other cycles foresees a cycle, again and again (a t test over cycles), and
where cycles are few, when its harmonics also stand out of the spectrum: a random walk can look alike four times, but it has
no lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tsprune.kernels.folds import Folds, prepare, profile, t_tail
from tsprune.kernels.spectrum import Spectrum, autocorrelation, local_maxima

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tsprune.types import Floats

Source = Literal["calendar", "spectrum", "acf"]

#: Only the last samples are looked at: more add time, not certainty.
MOST = 100_000
#: Cycles without which a period is not believed; with fewer than the second number it must also be a line of the spectrum.
MIN_CYCLES, FEW_CYCLES = 4, 8
#: Samples of the shortest period that is looked for without a calendar.
SHORTEST = 4
#: Peaks taken from the spectrum and from the autocorrelation.
PEAKS = 8
#: The share of variance that a profile must foresee, of the series and of what a shorter period leaves.
LEAST_GAIN, LEAST_REST = 0.08, 0.05
#: The share of all variance that a longer period must add: in a noiseless cycle even rounding has a pattern.
LEAST_OF_ALL = 0.01
#: Chance of an accident: for any of a hundred candidates, and for one multiple of a period already found.
CHANCE, CHANCE_OF_MULTIPLE = 5e-4, 5e-3
#: How far a line stands above its background: to confirm a period of few cycles, and to confirm one whose cycles differ (a working week).
LINE, CLEAR_LINE = 12.0, 30.0
#: Shares of the best gain that are as good as the best: for a calendar period, for one within 1 % of the best, for a divisor of the best.
CALENDAR_SHARE, NEAR_SHARE, DIVISOR_SHARE = 0.8, 0.6, 0.9
#: A fraction of a period is its true length where that has this share of the energy of its harmonics; the shortest one, in samples.
HARMONIC_SHARE, FINEST = 0.96, 6.0
#: A seventh of a period is a period of its own (the day in a week) above this share of gain; by chance it has a seventh.
DAY_SHARE = 0.2


class Found(NamedTuple):
    """A period: its length in samples, the share of variance it foresees, its origin, and the whole number that profiles use."""

    samples: float
    strength: float
    source: Source
    whole: int


def find(x: Floats, calendar: Sequence[int] = (), max_periods: int = 2) -> list[Found]:
    """Return the periods of a series, the shorter first.

    Parameters
    ----------
    x : ndarray, shape (n,)
        On a regular grid; NaN marks a missing sample.
    calendar : sequence of int
        Periods to expect, in samples; one of them is preferred to a slightly better neighbour.
    max_periods : int
        At most 2 are found: a cycle, and one of seven such cycles or of the calendar.

    Returns
    -------
    list of Found
        Empty where no period is certain, or fewer than four cycles are there.
    """
    series = prepare(np.asarray(x[-MOST:], np.float64))
    if series is None:
        return []
    search = Search(series, calendar)
    search.climb_all()
    first = search.first()
    return [] if first is None else search.chain(first)[:max_periods]


class Search:
    """The candidates of one series, their evidence, and the rules that choose among them."""

    def __init__(self, x: Floats, calendar: Iterable[int]):
        self.folds, self.spectrum = Folds(x), Spectrum(x)
        self.n = len(x)
        self.longest = self.n // MIN_CYCLES
        self.calendar = sorted(p for p in calendar if 2 <= p <= self.longest)
        self.origin: dict[int, Source] = {}

    def climb_all(self) -> None:
        """Evaluate the calendar, climb from every candidate, and look at the divisors of the best."""
        for period in self.calendar:
            self.folds.gain(period)
        for period, source in self._candidates():
            self.origin.setdefault(self._climb(period), source)
        if allowed := self._allowed():
            best = max(allowed, key=self.folds.gain)
            for divisor in range(2, 8):
                for period in range(round(best / divisor) - 1, round(best / divisor) + 2):
                    if best / divisor > 5 and period >= SHORTEST:
                        self.folds.gain(period)

    def _candidates(self) -> list[tuple[int, Source]]:
        """Peaks of the spectrum, their double and triple, and peaks of the autocorrelation, the best correlated first."""
        if self.longest < SHORTEST:
            return []
        acf = autocorrelation(self.folds.x, self.longest + 1)
        found: dict[int, Source] = {}
        n = self.spectrum.n
        for k in self.spectrum.peaks(max(3, n // self.longest), PEAKS):
            for multiple in (1, 2, 3):
                low = int(max(SHORTEST - 1, n / (k + 1) * multiple))
                high = int(min(self.longest, math.ceil(n / (k - 1) * multiple)))
                if SHORTEST - 0.5 <= n / k * multiple <= self.longest and low <= high:
                    found.setdefault(low + int(np.argmax(acf[low : high + 1])), "spectrum")
        tops = local_maxima(acf)
        tops = tops[(tops >= SHORTEST) & (tops <= self.longest)]
        for lag in tops[np.argsort(-acf[tops], kind="stable")[:PEAKS]]:
            found.setdefault(int(lag), "acf")
        return sorted(found.items(), key=lambda item: -acf[item[0]])

    def _climb(self, period: int) -> int:
        """Go to the neighbour with the most gain; the first steps are as wide as the period is uncertain."""
        width = max(1, round(period * period / self.n))
        for _ in range(6):
            best = max((period - width, period, period + width), key=self._gain_within)
            if best == period and width == 1:
                break
            width = max(1, width // 2) if best == period else width
            period = best
        return period

    def _gain_within(self, period: int) -> float:
        return self.folds.gain(period) if SHORTEST <= period <= self.longest else -9.0

    def _allowed(self) -> list[int]:
        return [p for p in self.folds.tried if p <= self.longest and (p >= SHORTEST or p in self.calendar)]

    def first(self) -> int | None:
        """The period to begin with: of the calendar if that is nearly as good, else the shortest divisor of the best that is."""
        good = {p: self.folds.gain(p) for p in self._allowed() if self._is_sure(p)}
        if not good:
            return None
        best = max(good, key=good.__getitem__)
        share = {p: NEAR_SHARE if abs(p - best) <= 0.01 * p else CALENDAR_SHARE for p in self.calendar}
        expected = (p for p in self.calendar if good.get(p, 0.0) >= share[p] * good[best])
        period = next(expected, None) or self._shortest_divisor(best, good)
        return self._day_of(period) or period

    @staticmethod
    def _shortest_divisor(best: int, good: dict[int, float]) -> int:
        """The shortest of the nearly best periods that goes into the best a whole number of times, or its best neighbour."""
        divides = [p for p in good if abs(best / p - round(best / p)) < 0.015 * max(1.0, best / p)]
        shortest = min(p for p in divides if good[p] >= DIVISOR_SHARE * good[best])
        return max((p for p in good if abs(p - shortest) <= max(1, 0.02 * shortest)), key=good.__getitem__)

    def _is_sure(self, period: int) -> bool:
        if self.folds.gain(period) <= LEAST_GAIN:
            return False
        t = self.folds.evidence(period).t
        if t <= 2.0:
            return False
        cycles = self.n // period
        certain = t_tail(t, cycles - 1) < CHANCE
        return (certain and cycles >= FEW_CYCLES) or self.spectrum.line(period) > (LINE if certain else CLEAR_LINE)

    def _day_of(self, week: int) -> int | None:
        """A seventh that explains more than a seventh of the pattern of a week would by chance."""
        least = max(LEAST_GAIN, DAY_SHARE * self.folds.gain(week))
        near = {p for p in (week // 7, week // 7 + 1) if p >= SHORTEST and abs(7 * p - week) <= 3}
        days = [p for p in near if self.folds.gain(p) >= least and self.folds.evidence(p).t > 2.0]
        return max(days, key=self.folds.gain) if days else None

    def chain(self, first: int) -> list[Found]:
        """Replace a period by two to six times itself where that foresees more, and add one of seven times or of the calendar."""
        longer = self._longer(first)
        while longer is not None and longer not in self.calendar and round(longer / first) < 7:
            first, longer = longer, self._longer(longer)
        found = [self._found(first, first if first in self.calendar else self._fraction(first))]
        if longer is not None:
            return [*found, self._found(longer, longer)]
        shorter = self._shorter(first)
        return found if shorter is None else [self._found(shorter, shorter), *found]

    def _longer(self, first: int) -> int | None:
        """The multiple that foresees most of what the first period leaves, if it surely foresees any of it."""
        multiples = {p for p in self.calendar if p > first and p % first == 0}
        if first not in self.calendar:
            multiples |= {times * first + off for times in range(2, 8) for off in ((0,) if times * first < 60 else (-1, 0, 1))}
        gains: dict[int, float] = {}
        for period in sorted(p for p in multiples if p <= self.longest):
            left, t = self.folds.evidence(period, first)
            sure = t > 2.0 and t_tail(t, self.n // period - 1) < CHANCE_OF_MULTIPLE
            if sure and left > LEAST_REST and self._share(period, first) * left > LEAST_OF_ALL:
                gains[period] = left
        best = max(gains, key=gains.__getitem__, default=None)
        expected = (p for p in self.calendar if best is not None and gains.get(p, 0.0) >= CALENDAR_SHARE * gains[best])
        return next(expected, best)

    def _shorter(self, first: int) -> int | None:
        """A period of the calendar that does not go into the first one, in what that leaves: the week in a year."""
        for period in self.calendar:
            if period < first and first % period:
                left, t = self.folds.evidence(period, first)
                if left > LEAST_GAIN and t > 2.0 and t_tail(t, self.n // period - 1) < CHANCE:
                    return period
        return None

    def _share(self, period: int, first: int) -> float:
        """The variance that a first period leaves at a longer one, as a share of all of it."""
        return float(self.folds.cycles(period, first).var() / self.folds.cycles(period).var())

    def _found(self, whole: int, samples: float) -> Found:
        source = "calendar" if whole in self.calendar else self._source(whole)
        return Found(float(samples), self.folds.gain(whole), source, whole)

    def _source(self, period: int) -> Source:
        """Where the candidate nearest in length came from."""
        near = min(self.origin, key=lambda p: abs(math.log(p / period)), default=None)
        return "acf" if near is None else self.origin[near]

    def _fraction(self, whole: int) -> float:
        """The length of a cycle to a fraction of a sample, and of the shortest cycle that whole ones of the profile are made of.

        Many cycles in a row tell the length more finely than one: the best neighbour of twice the period, of four times, and so on.
        """
        many, times = whole, 1
        while 2 * times * whole <= self.longest:
            times *= 2
            many = max((2 * many - 1, 2 * many, 2 * many + 1), key=self._gain_within)
        exact, divisor = many / times, self._divisor(whole)
        exact, times = exact / divisor, times * divisor
        return float(round(exact)) if abs(exact - round(exact)) <= 0.5 / times else exact

    def _divisor(self, whole: int) -> int:
        """How many cycles a profile is made of: the largest number of which nearly all its harmonics are multiples."""
        rest = self.folds.rest(whole)
        pattern = profile(rest, whole)
        noise = max(0.0, float(rest.var() - pattern.var())) * whole * whole / len(rest)  # what the mean of the cycles keeps of it
        power = np.abs(np.fft.rfft(pattern)[1:]) ** 2 - noise
        least = HARMONIC_SHARE * power.sum()
        return next((d for d in range(int(whole / FINEST), 1, -1) if power[d - 1 :: d].sum() >= least), 1)
