"""tsprune: prune what stands between a raw signal and an alert, and say what each cut costs.

Names are loaded when first used: `import tsprune` costs what `import numpy` costs, and scoring a
saved model loads numpy only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsprune import checks, metrics, panel, plot
    from tsprune.blend import Blend
    from tsprune.choose import Budget, Choice, choose
    from tsprune.detect import Threshold
    from tsprune.detect.as_pyod import as_pyod
    from tsprune.errors import BadModelFile, BadParameter, BadSeries, NotPrunable, OverPruned, TsPruneError
    from tsprune.evaluate import StageEffect
    from tsprune.features import SelectFeatures, Windows
    from tsprune.model import Model
    from tsprune.model.chain import load
    from tsprune.pipeline import Pipeline
    from tsprune.prune import Guard, Pruned, prune
    from tsprune.report import Report
    from tsprune.series import datasets
    from tsprune.series.inject import inject
    from tsprune.signal import Denoise, Deseason, Detrend, find_periods, stl

#: Where each public name lives; "" for a module that is public itself.
_HOMES = {
    name: home
    for home, names in {
        "": ("checks", "metrics", "panel", "plot"),
        "blend": ("Blend",),
        "choose": ("Budget", "Choice", "choose"),
        "detect": ("Threshold",),
        "detect.as_pyod": ("as_pyod",),
        "errors": ("BadModelFile", "BadParameter", "BadSeries", "NotPrunable", "OverPruned", "TsPruneError"),
        "evaluate": ("StageEffect",),
        "features": ("SelectFeatures", "Windows"),
        "model": ("Model",),
        "model.chain": ("load",),
        "pipeline": ("Pipeline",),
        "prune": ("Guard", "Pruned", "prune"),
        "report": ("Report",),
        "series": ("datasets",),
        "series.inject": ("inject",),
        "signal": ("Denoise", "Deseason", "Detrend", "find_periods", "stl"),
    }.items()
    for name in names
}

__all__ = [
    "BadModelFile",
    "BadParameter",
    "BadSeries",
    "Blend",
    "Budget",
    "Choice",
    "Denoise",
    "Deseason",
    "Detrend",
    "Guard",
    "Model",
    "NotPrunable",
    "OverPruned",
    "Pipeline",
    "Pruned",
    "Report",
    "SelectFeatures",
    "StageEffect",
    "Threshold",
    "TsPruneError",
    "Windows",
    "as_pyod",
    "checks",
    "choose",
    "datasets",
    "find_periods",
    "inject",
    "load",
    "metrics",
    "panel",
    "plot",
    "prune",
    "stl",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("tsprune")
    if name not in _HOMES:
        raise AttributeError(f"module 'tsprune' has no attribute {name!r}")
    home = _HOMES[name]
    value = _from(home, name) if home else importlib.import_module(f"tsprune.{name}")
    globals()[name] = value
    return value


def _from(home: str, name: str) -> Any:
    module = importlib.import_module(f"tsprune.{home}")
    return getattr(module, name) if hasattr(module, name) else importlib.import_module(f"tsprune.{home}.{name}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
