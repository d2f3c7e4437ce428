"""Weights of a blend by anomalies planted in rows that its members have not learned from.

Measured on 113 series to cost .004 to .005 of VUS-PR against equal weights (docs/choosing.md), so no default.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from tsprune.errors import BadSeries
from tsprune.members import behind
from tsprune.metrics import default_buffer, vus_pr
from tsprune.model.blend import score_complete
from tsprune.series.inject import inject

if TYPE_CHECKING:
    from tsprune.model.blend import Tail
    from tsprune.model.part import Part
    from tsprune.series.table import Table
    from tsprune.types import Ints

#: Events at the most, and rows for each at the least.
EVENTS, ROOM = 10, 40

#: A member that is better by this much VUS-PR weighs e times as much.
SOFTNESS = 0.2


@dataclass(frozen=True)
class Planted:
    """A table with anomalies in its rows from `cut` on, and one label for each of these."""

    table: Table
    labels: Ints
    cut: int

    @classmethod
    def into(cls, table: Table, cut: int) -> Self | None:
        """Anomalies of every kind; None where there is no room for two."""
        late = pd.DataFrame(table.values[cut:], columns=list(table.columns))
        try:
            changed, labels, _ = inject(late, n_events=max(2, min(EVENTS, len(late) // ROOM)), random_state=0)
        except BadSeries:
            return None
        return cls(replace(table, values=np.concatenate([table.values[:cut], changed.to_numpy()])), labels.to_numpy(), cut)

    def weight(self, parts: tuple[Part, ...], detector: Any, tail: Tail) -> float:
        """What a member weighs that has not seen the rows."""
        scores = tail.u(score_complete(detector, behind(parts, self.table, self.cut)))
        return float(np.exp(vus_pr(self.labels, scores, buffer=default_buffer(self.labels)) / SOFTNESS))
