"""The documentation: its blocks run, its links lead somewhere, what it says of a stage is true, and it builds without a warning."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsprune as tsp
from tsprune import checks

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("CONTRIBUTING.md")]) if DOCS.exists() else []
PAGES = [page for page in PAGES if not {"_build", "generated"} & set(page.parts)]

pytestmark = pytest.mark.skipif(not PAGES, reason="needs the folder docs/ of a source checkout")
full = pytest.mark.skipif(not os.environ.get("TSPRUNE_FULL"), reason="takes long; set TSPRUNE_FULL=1")


def relative(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    """The Python of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@full
@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/howto/script.md", "docs/howto/notebook.md"])
def test_the_blocks_of_a_page_run_one_after_the_other(page, tmp_path):
    code = "\n".join(blocks(page))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_pages_lead_to_files(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in target]

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """The module that the contributing guide shows, written to a file and imported as one."""
    file = tmp_path_factory.mktemp("stage") / "clip.py"
    file.write_text(blocks("CONTRIBUTING.md")[0], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("clip", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["clip"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["clip"]


@pytest.fixture(scope="module")
def series():
    index = pd.date_range("2026-01-01", periods=400, freq="h")
    return pd.Series(np.random.default_rng(0).normal(size=400), index=index, name="load")


def test_a_stage_in_one_file_keeps_the_promises(added, series):
    exec(blocks("CONTRIBUTING.md")[1], {"Clip": added.Clip, "series": series})

    assert len(checks.check_all(added.Clip(0.9), series)) >= 7


def test_a_stage_in_one_file_is_fitted_judged_and_refused_for_its_arguments(added, series):
    steps = [added.Clip(0.9), tsp.Windows(3), tsp.Pruned("iforest", keep=0.3, guard=None, random_state=0)]
    pipeline = tsp.Pipeline(steps).fit(series[:300])
    report = pipeline.report(series[300:], np.arange(100) > 95, metrics=("auc_pr",), n_boot=5)

    assert report.stages[0].stage == "clip"
    assert pipeline.named_stages_["clip"].transform(series).abs().max() < series.abs().max()
    with pytest.raises(tsp.BadParameter, match="share is 2"):
        added.Clip(2).fit(series.to_frame())


def test_the_three_lines_make_it_loadable(added, series, tmp_path, monkeypatch):
    model = tsp.Pipeline([added.Clip(0.9), tsp.Windows(3), "iforest"]).fit(series).freeze()
    model.save(tmp_path / "clip.tsp")
    with pytest.raises(tsp.BadModelFile, match="Bounds"):
        tsp.load(tmp_path / "clip.tsp")

    import tsprune.model

    monkeypatch.setattr(tsprune.model, "Bounds", added.Bounds, raising=False)
    monkeypatch.setattr(tsprune.model, "__all__", [*tsprune.model.__all__, "Bounds"])
    values, time = series.to_numpy(), series.index.to_numpy()
    np.testing.assert_array_equal(tsp.load(tmp_path / "clip.tsp").anomaly_score(values, time), model.anomaly_score(values, time))


@full
def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="needs tsprune[docs]")
    environment = {**os.environ, "TSPRUNE_DOCS_OFFLINE": "1", "MPLBACKEND": "Agg"}
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(tmp_path)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stderr
