"""Sphinx: `sphinx-build -W docs docs/_build`; TSPRUNE_DOCS_OFFLINE=1 where the other projects' indexes cannot be reached."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from numpydoc.docscrape import NumpyDocString

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tsprune

project = "tsprune"
author = "the tsprune developers"
copyright = author  # noqa: A001 -- Sphinx's name
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.intersphinx"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "tsprune"
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
NumpyDocString.sections["Source"] = ""  # known, and rendered as "References" below

intersphinx_mapping = (
    {}
    if os.environ.get("TSPRUNE_DOCS_OFFLINE")
    else {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "pyod": ("https://pyod.readthedocs.io/en/latest", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "statsmodels": ("https://www.statsmodels.org/stable", None),
    }
)


def source_is_a_reference(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Where a formula comes from stands under "Source" in our docstrings; numpydoc knows "References"."""
    for i, line in enumerate(lines[:-1]):
        if line.strip() == "Source" and set(lines[i + 1].strip()) == {"-"}:
            lines[i : i + 2] = [line.replace("Source", "References"), lines[i + 1].replace("-" * 6, "-" * 10)]


def the_other_names(app: Any, docname: str, source: list[str]) -> None:
    """What is public and has no place on the API page yet is listed at its end."""
    if docname == "api":
        lacking = [f"tsprune.{name}" for name in tsprune.__all__ if not re.search(rf"tsprune\.(\w+\.)*{name}\b", source[0])]
        listed = "\n".join(f"   {name}" for name in lacking)
        block = f"```{{eval-rst}}\n.. autosummary::\n   :nosignatures:\n\n{listed}\n```" if lacking else "None."
        source[0] = source[0].replace("<!-- the other names -->", block)


def setup(app: Any) -> None:
    """Docstrings before numpydoc reads them, and the API page before it is read."""
    app.connect("autodoc-process-docstring", source_is_a_reference, priority=100)
    app.connect("source-read", the_other_names)
