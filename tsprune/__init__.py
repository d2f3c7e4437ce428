"""tsprune: prune what stands between a raw signal and an alert, and say what each cut costs.

Names are loaded when first used: `import tsprune` costs what `import numpy` costs, and scoring a
saved model loads numpy only.
"""

from __future__ import annotations

import importlib
from typing import Any

#: Public name -> the module that holds it.  A module stands for itself.
_HOMES = {
    "BadModelFile": "errors",
    "BadParameter": "errors",
    "BadSeries": "errors",
    "NotPrunable": "errors",
    "OverPruned": "errors",
    "TsPruneError": "errors",
    "datasets": "series.datasets",
    "metrics": "metrics",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("tsprune")
    if name not in _HOMES:
        raise AttributeError(f"module 'tsprune' has no attribute {name!r}")
    home = importlib.import_module(f"tsprune.{_HOMES[name]}")
    value = home if _HOMES[name].rpartition(".")[2] == name else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
