"""Wall-clock times to UTC: one hour of autumn comes twice, one of spring never."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tsprune.monitor.moments import SECOND

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from tsprune.types import Ints, Mask

#: Clocks change at whole multiples of this.
_GRAIN = 900 * SECOND


@dataclass(frozen=True)
class WallClock:
    """The clock of a zone, read without being told which pass of a doubled hour it is."""

    zone: ZoneInfo

    def to_utc(self, wall: Ints, code: Ints, step: int, origin: int) -> Ints:
        """UTC of wall-clock times, shape (n,), nanoseconds since 1970 both.

        A time that the clock shows twice goes to the pass that stands on the slots of the model's clock (`step`, `origin`);
        where both do, the first row of a series with that time goes to the first pass, the next to the second.  A time that the
        clock never shows is read as if it had not been set forward yet.
        """
        first, second = (self._offsets(wall, fold) for fold in (0, 1))
        early, late = wall - first, wall - second
        twice = late > early
        if not twice.any():
            return early
        late_pass = _repeated(wall, code) & twice
        on_early, on_late = ((moment - origin) % step == 0 for moment in (early, late))
        late_pass = np.where(twice & (on_early != on_late), on_late, late_pass)
        return np.where(late_pass, late, early)

    def _offsets(self, wall: Ints, fold: int) -> Ints:
        """Wall clock minus UTC."""
        grains, which = np.unique(wall // _GRAIN, return_inverse=True)
        return np.array([self._offset(int(grain) * _GRAIN, fold) for grain in grains], dtype=np.int64)[which]

    def _offset(self, wall: int, fold: int) -> int:
        try:
            naive = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=wall // SECOND)
        except OverflowError:
            return 0
        offset = naive.replace(tzinfo=self.zone, fold=fold).utcoffset()
        return 0 if offset is None else round(offset.total_seconds()) * SECOND


def _repeated(wall: Ints, code: Ints) -> Mask:
    """Whether a row of the same series before it shows the same time."""
    order = np.lexsort((np.arange(len(wall)), wall, code))
    same = np.zeros(len(wall), dtype=bool)
    same[order[1:]] = (np.diff(wall[order]) == 0) & (np.diff(code[order]) == 0)
    return same
