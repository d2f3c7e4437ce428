"""Candidate members of a blend: views of the series in the order of what they were worth elsewhere, with a detector each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tsprune.detect import NearestRows, SubspaceDistance
from tsprune.detect.columns import EachColumn
from tsprune.features import Difference, Windows
from tsprune.features.switches import WithoutSwitches
from tsprune.features.views import view, view_width
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
#: The same of several columns: of each column alone, of the rows, and of the rows with what they say of the last 8.
WIDE: tuple[tuple[str, Literal["nearest", "subspace"]], ...] = (
    ("point of each column", "subspace"),
    ("rows", "subspace"),
    ("recent rows", "subspace"),
    ("change of each column", "subspace"),
    ("wide window of each column", "subspace"),
)
#: Views of each column alone: the view of one column that it is.
EACH = {"point of each column": "point", "change of each column": "point", "wide window of each column": "wide window"}
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
    random_state: int

    def pipeline(self, recipe: Recipe) -> Pipeline:
        """The member that a recipe describes."""
        return Pipeline([*self.stages(recipe.view), self._detector(recipe)])

    def stages(self, name: str) -> list[Any]:
        """The stages of a view."""
        if self.look.measured > 1:
            return self._wide(name)
        alone = [WithoutSwitches()] if self.look.n_columns > 1 else []
        if name == "change":
            return [*alone, Difference(), view("point")]
        season = [Deseason(self.look.period), Detrend(length=self.look.trend, channels=("level",))] if self.look.period else []
        return [*alone, *season, view("point")] if name == "point" else [*alone, view(name)]

    def _wide(self, name: str) -> list[Any]:
        if name == "rows":
            return [WithoutSwitches(), Windows(1, "value", scale="none")]
        if name in EACH:
            return [WithoutSwitches(), *([Difference()] if name.startswith("change") else []), view(EACH[name])]
        return [WithoutSwitches(), Windows(RECENT, MANY, scale="none")]

    def _detector(self, recipe: Recipe) -> Any:
        if recipe.view in EACH:
            return EachColumn(view_width(EACH[recipe.view]))
        if recipe.detector == "subspace":
            return SubspaceDistance()
        references: Literal["rows", "means"] = "means" if recipe.references <= MEANS else "rows"
        return NearestRows(1, recipe.references, self.random_state, references)


def views_of(preset: str, measured: int) -> tuple[tuple[str, Literal["nearest", "subspace"]], ...]:
    """The views of a preset for so many columns that measure something, in the order of their worth."""
    every = MIXED if measured == 1 else WIDE
    return every[:1] if preset == "point" else every
