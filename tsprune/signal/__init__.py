"""Take away what is not news: season, trend, noise.

A signal stage maps a regular series to a series on the same index, causally once it is fitted.
"""

from tsprune.signal.decomposition import Decomposition
from tsprune.signal.denoise import Denoise
from tsprune.signal.period import Period, find_periods
from tsprune.signal.season import Deseason
from tsprune.signal.stl import mstl, stl
from tsprune.signal.trend import Detrend

__all__ = ["Decomposition", "Denoise", "Deseason", "Detrend", "Period", "find_periods", "mstl", "stl"]
