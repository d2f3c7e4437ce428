"""Fitted parts: frozen arrays with one `apply`.  The names below are what a model file may hold."""

from tsprune.model.chain import Model
from tsprune.model.clock import Clock
from tsprune.model.columns import Columns
from tsprune.model.level import Level
from tsprune.model.season import SeasonProfile
from tsprune.model.smooth import Smoother
from tsprune.model.trend import BlockTrend
from tsprune.model.windows import WindowMatrix

__all__ = ["BlockTrend", "Clock", "Columns", "Level", "Model", "SeasonProfile", "Smoother", "WindowMatrix"]
