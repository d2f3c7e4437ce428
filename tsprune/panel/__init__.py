"""Many series: learn them together, score them together, keep them in one file.

>>> import tsprune as tsp
>>> tsp.panel.fit.__name__, tsp.panel.score.__name__
('fit', 'score')
"""

from tsprune.panel.fit import fit
from tsprune.panel.model import PanelModel, load
from tsprune.panel.newcomers import learn
from tsprune.panel.parquet import fit_parquet, score_parquet
from tsprune.panel.score import detect, score

__all__ = ["PanelModel", "detect", "fit", "fit_parquet", "learn", "load", "score", "score_parquet"]
