"""A folder that is also the function it is named after: `tsp.prune(...)` beside `tsprune.prune.Guard`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def make_callable(name: str, function: Callable[..., Any]) -> None:
    """Make the imported module of that name callable: calling it calls the function."""

    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        __call__.__doc__ = function.__doc__
        __call__.__wrapped__ = function  # type: ignore[attr-defined]

    sys.modules[name].__class__ = CallableModule
