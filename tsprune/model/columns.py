"""The columns that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsprune.model.part import Part

if TYPE_CHECKING:
    from tsprune.model.clock import Slots
    from tsprune.types import Floats


@dataclass(frozen=True)
class Columns(Part):
    """Keep some of the columns, in their order."""

    n_features: int
    kept: tuple[int, ...]

    def check(self) -> None:
        if not self.kept or any(not 0 <= column < self.n_features for column in self.kept):
            raise ValueError(f"the columns {self.kept} of {self.n_features}")
        if any(b <= a for a, b in zip(self.kept, self.kept[1:], strict=False)):
            raise ValueError("the columns kept are not in order")

    @property
    def n_out(self) -> int:
        return len(self.kept)

    def apply(self, values: Floats, clock: Slots) -> Floats:
        return values[:, list(self.kept)]
