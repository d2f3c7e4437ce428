"""The kinds of anomaly that can be injected, and what they need to know of a column.

Each kind is one function: from a copy of the rows of an event to the rows as they are to be.  Sizes are in
units of what season and trend leave over, so an event is as hard to find in a quiet column as in a loud
one.  Adding a kind is one function and one line in `KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from tsprune.model.clock import Slots
    from tsprune.types import Floats, Ints, Mask

#: Times the MAD of normal samples, this is their standard deviation: 1 / Phi^-1(3/4).
_MAD_TO_SIGMA = 1.4826
#: A season shows as a peak of the autocorrelation at least this high, of at least this many rows; three cycles are needed.
_PEAK, _SHORTEST, _CYCLES = 0.2, 4, 3
#: The autocorrelation looks at the last so many slots at most.
_SEEN = 100_000
#: With more slots than this for each row, mostly gaps, no season is looked for.
_SPARSE = 4
#: Blocks of a series whose medians are its trend: as good as none, and a lively one.
_COARSE, _FINE = 3, 20


@dataclass(frozen=True)
class Column:
    """A column with its gaps filled, and what it takes to scale an event to it."""

    values: Floats
    present: Mask
    season: int  # slots per cycle, 0 without one
    scale: float  # robust standard deviation of what season and trend leave over; never 0

    @classmethod
    def of(cls, values: Floats, slots: Slots) -> Column:
        """Measure a column, at least one value of which is present."""
        present = np.isfinite(values)
        filled = np.interp(slots.absolute, slots.absolute[present], values[present])
        return cls(filled, present, *_season(filled, present, slots))

    @cached_property
    def usual(self) -> tuple[float, float]:
        """The range of all but the outermost hundredths of the values."""
        low, high = np.quantile(self.values, [0.01, 0.99])
        return float(low), float(high)


def _season(values: Floats, present: Mask, slots: Slots) -> tuple[int, float]:
    """Slots per cycle (0 without a season), and the scale of what it leaves over.

    A season may hide behind a trend, a slow season be taken for a trend, and a peak be off by one: of these readings the one that
    leaves least is kept.
    """
    at = slots.absolute - slots.absolute[0]
    n = int(at[-1]) + 1
    peaks: set[int] = set()
    if n <= _SPARSE * len(values):
        grid = np.interp(np.arange(max(0, n - _SEEN), n), at, values)
        peaks = {_first_peak(grid - _level(grid, _COARSE)), _first_peak(grid - _level(grid, _FINE))} - {0}
    found = sorted({peak + aside for peak in peaks for aside in (-1, 0, 1)}) or [0]
    last = np.flatnonzero(present)[-_SEEN:]
    scales = {season: _scale(values[last], slots.wall[last], season) for season in found}
    season = min(scales, key=lambda known: scales[known])
    return season, scales[season]


def _first_peak(values: Floats) -> int:
    """Lag of the first peak of the autocorrelation that is nearly as high as the highest; 0 without one."""
    n = len(values)
    clipped = np.clip(values, *np.quantile(values, [0.01, 0.99]))
    rest = clipped - clipped.mean()
    if n < _CYCLES * _SHORTEST or np.ptp(rest) == 0.0:
        return 0
    lags = np.arange(n // _CYCLES + 2)
    acf = np.fft.irfft(np.abs(np.fft.rfft(rest, 2 * n)) ** 2)[: len(lags)] / (n - lags)
    acf /= acf[0]
    fallen = np.flatnonzero(acf < 0.5 * _PEAK)  # neighbours are alike in any slow series: peaks count after the first fall
    inner = acf[1:-1]
    peaks = np.flatnonzero((inner >= acf[:-2]) & (inner > acf[2:]) & (inner >= _PEAK)) + 1
    peaks = peaks[peaks >= max(_SHORTEST, fallen[0])] if len(fallen) else peaks[:0]
    if not len(peaks):
        return 0
    first = int(peaks[acf[peaks] >= 0.9 * acf[peaks].max()][0])
    return first + int(np.argmax(acf[first : first + first // 5 + 1]))  # noise may put a small peak just before it


def _scale(values: Floats, slots: Ints, season: int) -> float:
    """Robust standard deviation after the medians of blocks (the trend) and of phases (the season) are taken away."""
    rest = values - _level(values, min(_FINE, len(values) // max(2 * season, 16)))
    if season:
        phase, counts = np.unique(slots % season, return_inverse=True, return_counts=True)[1:]
        starts, ordered = np.cumsum(counts) - counts, rest[np.lexsort((rest, phase))]
        rest = rest - (0.5 * (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]))[phase]
    spread = _MAD_TO_SIGMA * np.median(np.abs(rest - np.median(rest)))
    return float(spread or np.std(rest) or 0.05 * np.abs(np.median(values)) or 1.0)


def _level(values: Floats, n_blocks: int) -> Floats:
    """The trend: a line through the medians of so many blocks."""
    blocks = np.array_split(np.arange(len(values)), max(n_blocks, 1))
    blocks = [block for block in blocks if len(block)]
    return np.interp(np.arange(len(values)), [block.mean() for block in blocks], [np.median(values[block]) for block in blocks])


@dataclass(frozen=True)
class Site:
    """Where an event is to stand, and its luck."""

    column: Column
    start: int
    rng: np.random.Generator
    twin: np.random.Generator  # starts alike at every event of one call

    def size(self, low: float, high: float) -> float:
        """A size between `low` and `high` residual standard deviations, in the unit of the column."""
        return float(self.rng.uniform(low, high)) * self.column.scale

    def sign(self) -> float:
        """Up or down."""
        return float(self.rng.choice([-1.0, 1.0]))

    def elsewhere(self, n: int) -> Floats:
        """So many rows of the column at another phase of its season; from anywhere where there is none."""
        last = len(self.column.values) - n
        begin = int(self.rng.integers(0, last + 1))
        if self.column.season:
            shift = int(self.rng.uniform(0.25, 0.75) * self.column.season) + 1
            begin = self.start + shift if self.start + shift <= last else max(0, self.start - shift)
        return self.column.values[begin : begin + n].copy()


def _spike(rows: Floats, site: Site) -> Floats:
    """One to three rows far too high."""
    rows[: site.rng.integers(1, 4)] += site.size(5, 12)
    return rows


def _dip(rows: Floats, site: Site) -> Floats:
    """One to three rows far too low."""
    rows[: site.rng.integers(1, 4)] -= site.size(5, 12)
    return rows


def _level_shift(rows: Floats, site: Site) -> Floats:
    """All rows too high, or too low, by the same."""
    return rows + site.sign() * site.size(3, 6)


def _trend(rows: Floats, site: Site) -> Floats:
    """A ramp away from the usual level, and back at once."""
    return rows + np.linspace(0.0, site.sign() * site.size(5, 10), len(rows))


def _amplitude_change(rows: Floats, site: Site) -> Floats:
    """The same movement, larger or smaller."""
    centre = np.median(rows)
    factor = site.rng.uniform(1.8, 3.0) if site.sign() > 0 else site.rng.uniform(0.1, 0.4)
    return centre + factor * (rows - centre)


def _frequency_change(rows: Floats, site: Site) -> Floats:
    """The same movement, faster or slower."""
    factor = site.rng.uniform(1.5, 2.5) if site.sign() > 0 else site.rng.uniform(0.4, 0.65)
    last = len(site.column.values) - 1
    at = site.start + factor * np.arange(len(rows))
    at = np.abs(last - np.abs(last - at))  # beyond the end it runs back
    return np.interp(at, np.arange(last + 1), site.column.values)


def _flat_line(rows: Floats, site: Site) -> Floats:
    """The first value, again and again."""
    return np.full(len(rows), rows[0])


def _noise_burst(rows: Floats, site: Site) -> Floats:
    """Much more noise than usual."""
    return rows + site.size(2, 4) * site.rng.normal(size=len(rows))


def _pattern_swap(rows: Floats, site: Site) -> Floats:
    """The shape of another phase at the level of this one."""
    other = site.elsewhere(len(rows))
    return other - np.median(other) + np.median(rows)


def _contextual(rows: Floats, site: Site) -> Floats:
    """Usual values at the wrong phase of the season."""
    return site.elsewhere(len(rows))


def _clusters(rows: Floats, site: Site) -> Floats:
    """A short pattern beyond the usual range, over and over.

    Every event of a call repeats the same one, so together they are dense: what hides a fault from LOF.
    """
    (low, high), scale = site.column.usual, site.column.scale
    heights = site.twin.uniform(3.0, 6.0, size=site.twin.integers(3, 7)) * scale
    pattern = high + heights if site.twin.random() < 0.5 else low - heights
    n = min(len(rows), int(site.rng.integers(8, 25)))
    rows[:n] = np.resize(pattern, n) + 0.1 * scale * site.rng.normal(size=n)
    return rows


def _decorrelation(rows: Floats, site: Site) -> Floats:
    """Down where it went up, within the same range.

    Each value is a usual one; only the other columns give it away.
    """
    return rows.max() + rows.min() - rows


#: Name of a kind -> the function that makes it.
KINDS: dict[str, Callable[[Floats, Site], Floats]] = {
    "spike": _spike,
    "dip": _dip,
    "level_shift": _level_shift,
    "trend": _trend,
    "amplitude_change": _amplitude_change,
    "frequency_change": _frequency_change,
    "flat_line": _flat_line,
    "noise_burst": _noise_burst,
    "pattern_swap": _pattern_swap,
    "contextual": _contextual,
    "clusters": _clusters,
    "decorrelation": _decorrelation,
}
