"""Candidate members of a blend: views of the series in the order of what they were worth elsewhere, with a detector each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tsprune.detect import NearestRows, SubspaceDistance
from tsprune.features import Difference, Windows
from tsprune.features.switches import WithoutSwitches
from tsprune.features.views import view
from tsprune.pipeline import Pipeline
from tsprune.signal import Deseason, Detrend

if TYPE_CHECKING:
    from tsprune.choose.look import Look

#: Views of one column in the order in which they earn their place, and the detector that each does best with (docs/choosing.md).
MIXED: tuple[tuple[str, Literal["nearest", "subspace"]], ...] = (
    ("point", "nearest"),
    ("wide window", "subspace"),
    ("change", "nearest"),
    ("long window", "nearest"),
    ("short window", "nearest"),
    ("window", "subspace"),
    ("shape", "nearest"),
)
#: Numbers of reference points that are tried, and from how many down they are means of clusters.
REFERENCES, MEANS = (2000, 800, 256, 128, 64), 256
#: The same of several columns: the rows, the rows with what they say of the last 8, and the steps from row to row.  Windows of all
#: columns would be hundreds of features.
WIDE: tuple[tuple[str, Literal["nearest", "subspace"]], ...] = (("rows", "nearest"), ("recent rows", "subspace"), ("steps", "nearest"))
MANY, RECENT = ("value", "step", "deviation"), 8


@dataclass(frozen=True)
class Recipe:
    """How a member is made: a view, a detector, a number of reference points (0 for a subspace)."""

    view: str
    detector: Literal["nearest", "subspace"]
    references: int = 0

    def __str__(self) -> str:
        if not self.references:
            return f"{self.view}: Mahalanobis"
        return f"{self.view}: nearest of {self.references:,} {'means' if self.references <= MEANS else 'rows'}"


@dataclass(frozen=True)
class Maker:
    """Makes pipelines of recipes for one history."""

    look: Look
    n_columns: int
    random_state: int

    def pipeline(self, recipe: Recipe) -> Pipeline:
        """The member that a recipe describes."""
        return Pipeline([*self.stages(recipe.view), self._detector(recipe)])

    def stages(self, name: str) -> list[Any]:
        """The stages of a view."""
        if self.n_columns > 1:
            return self._wide(name)
        if name == "change":
            return [Difference(), view("point")]
        season = [Deseason(self.look.period), Detrend(length=self.look.trend, channels=("level",))] if self.look.period else []
        return [*season, view("point")] if name == "point" else [view(name)]

    def _wide(self, name: str) -> list[Any]:
        if name == "rows":
            return [WithoutSwitches(), Windows(1, "value", scale="none")]
        if name == "steps":
            return [WithoutSwitches(), Difference(), Windows(1, "value", scale="none")]
        return [WithoutSwitches(), Windows(RECENT, MANY, scale="none", bridge="auto")]

    def _detector(self, recipe: Recipe) -> Any:
        if recipe.detector == "subspace":
            return SubspaceDistance()
        references: Literal["rows", "means"] = "means" if recipe.references <= MEANS else "rows"
        return NearestRows(1, recipe.references, self.random_state, references)


def views_of(preset: str, n_columns: int) -> tuple[tuple[str, Literal["nearest", "subspace"]], ...]:
    """The views of a preset in the order of their worth."""
    every = MIXED if n_columns == 1 else WIDE
    return every[:1] if preset == "point" else every
