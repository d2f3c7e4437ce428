"""Features of windows, and which of them stay."""

from tsprune.features.select import SelectFeatures
from tsprune.features.windows import Windows

__all__ = ["SelectFeatures", "Windows"]
