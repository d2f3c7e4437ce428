"""The examples: each tells a story offline, asserts its ending, and runs as a script.

They take ten seconds of processor time each: all of them run where TSPRUNE_FULL is set, as in .ci/full; one runs always.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
ALWAYS = "03_web_service.py"
SHARED = os.environ.get("TSPRUNE_SHARED", str(ROOT.parent / "shared"))

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="needs the folder examples/ of a source checkout")


def name(path):
    return path.name


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_runs_as_a_script_and_meets_its_ending(path, tmp_path):
    if path.name != ALWAYS and not os.environ.get("TSPRUNE_FULL"):
        pytest.skip("ten seconds; set TSPRUNE_FULL=1")
    told = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", str(path)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "TSPRUNE_SHARED": SHARED},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert told.stdout.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_is_a_text_notebook_that_ends_with_assertions(path):
    text = path.read_text(encoding="utf-8")
    body = ast.parse(text).body
    asserted = [node.lineno for node in body if isinstance(node, ast.Assert)]

    assert "format_name: percent" in text
    assert text.count("# %% [markdown]") >= 2
    assert asserted
    assert asserted[0] > 0.6 * len(text.splitlines())


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_reads_nothing_from_the_network(path):
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in ([ast.alias(node.module)] if isinstance(node, ast.ImportFrom) else node.names)
    }

    assert imported <= {"matplotlib", "numpy", "os", "pandas", "pathlib", "pickle", "pyod", "sklearn", "sys", "tempfile", "tsprune"}
