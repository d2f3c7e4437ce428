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

#: Public name -> the module that holds it; a module that is public itself -> nothing.
_HOMES: dict[str, str | None] = {
    "BadModelFile": "errors",
    "BadParameter": "errors",
    "BadSeries": "errors",
    "Blend": "blend",
    "Budget": "choose",
    "Choice": "choose",
    "Denoise": "signal",
    "Deseason": "signal",
    "Detrend": "signal",
    "Guard": "prune",
    "Model": "model",
    "NotPrunable": "errors",
    "OverPruned": "errors",
    "Pipeline": "pipeline",
    "Pruned": "prune",
    "Report": "report",
    "SelectFeatures": "features",
    "StageEffect": "evaluate",
    "Threshold": "detect",
    "TsPruneError": "errors",
    "Windows": "features",
    "as_pyod": "detect.as_pyod",
    "checks": None,
    "choose": "choose",
    "datasets": "series",
    "find_periods": "signal",
    "inject": "series.inject",
    "load": "model.chain",
    "metrics": None,
    "panel": None,
    "plot": None,
    "prune": "prune",
    "stl": "signal",
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
    value = importlib.import_module(f"tsprune.{name}") if home is None else _from(home, name)
    globals()[name] = value
    return value


def _from(home: str, name: str) -> Any:
    module = importlib.import_module(f"tsprune.{home}")
    return getattr(module, name) if hasattr(module, name) else importlib.import_module(f"tsprune.{home}.{name}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
