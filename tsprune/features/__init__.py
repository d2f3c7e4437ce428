"""Features of windows, and which of them stay."""

from tsprune.features.difference import Difference
from tsprune.features.select import SelectFeatures
from tsprune.features.windows import Windows

__all__ = ["Difference", "SelectFeatures", "Windows"]
