"""Fitted parts: frozen arrays with one `apply`.  The names below are what a model file may hold."""

from tsprune.model.adapted import AdaptedSeason
from tsprune.model.blend import Blend, Score, Tail
from tsprune.model.boundary import Boundary
from tsprune.model.cascade import Cascade
from tsprune.model.chain import Model
from tsprune.model.clock import Clock
from tsprune.model.columns import Columns
from tsprune.model.density import Density, Neighbours
from tsprune.model.difference import Difference
from tsprune.model.forest import Forest
from tsprune.model.level import Level
from tsprune.model.member import Fleet, Member
from tsprune.model.nearest import Nearest
from tsprune.model.rolling import RollingLevel
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother
from tsprune.model.subspace import Subspace
from tsprune.model.trend import BlockTrend
from tsprune.model.windows import WindowMatrix

__all__ = [
    "AdaptedSeason",
    "Blend",
    "BlockTrend",
    "Boundary",
    "Cascade",
    "Clock",
    "Columns",
    "Density",
    "Difference",
    "Fleet",
    "Forest",
    "Level",
    "Member",
    "Model",
    "Nearest",
    "Neighbours",
    "RollingLevel",
    "Score",
    "SeasonProfile",
    "Smoother",
    "Subspace",
    "Tail",
    "WindowMatrix",
]
