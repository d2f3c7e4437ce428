"""Every example in a docstring is run as it stands."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import types

import pytest

import tsprune

MODULES = sorted(m.name for m in pkgutil.walk_packages(tsprune.__path__, "tsprune.") if not m.name.endswith("__main__"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)

    assert result.failed == 0


def test_public_names_have_an_example():
    lacking = []
    for name in tsprune.__all__:
        thing = getattr(tsprune, name)
        if isinstance(thing, type) and issubclass(thing, Exception):
            continue
        told = thing.__call__.__doc__ if isinstance(thing, types.ModuleType) and callable(thing) else thing.__doc__
        if callable(thing) and ">>>" not in (told or ""):
            lacking.append(name)
    assert lacking == []
