"""The report as a page: what it says, and how it behaves in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tsprune import Report, StageEffect

HOSTILE = '<script>document.title="broken out"</script>$\\alpha$'
CHROMIUM = (
    os.environ.get("TSPRUNE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


def a_report(n: int) -> Report:
    rng = np.random.default_rng(0)
    index = pd.date_range("2020-01-01", periods=n, freq="min", tz="Europe/Berlin")
    scores = pd.Series(rng.exponential(size=n), index=index, name="score")
    labels = pd.Series((np.arange(n) % (n // 5) < n // 500).astype(int), index=index, name="label")
    rows = pd.DataFrame({HOSTILE: rng.normal(size=n).cumsum(), "load": np.sin(np.arange(n) / 200)}, index=index)
    stages = (
        StageEffect(HOSTILE, "vus_pr", 0.3, 0.6, 0.1, 0.5, 0.1, "helps", "labels", 0.1, 0.2, 300.0, energy_kept=0.9, facts={HOSTILE: 1.0}),
        StageEffect(HOSTILE, "auc_pr", 0.5, 0.4, -0.2, -0.05, 0.1, "hurts", "labels", 0.1, 0.2, 300.0),
        StageEffect("threshold", "vus_pr", np.nan, 0.6, np.nan, np.nan, 0.1, "no evidence", "labels", 0.0, 0.0, 33.0),
    )
    facts = {"rows": n, "events": 5.0, "events_found": 5.0, "alarms": 9.0, "alarms_outside": 4.0}
    return Report(stages, stages[:1], rows, scores, labels, 8.0, facts, notes=(f"cut: {HOSTILE}",), recipe=f"pipeline of {HOSTILE}")


def test_a_page_stands_alone_and_shows_every_stage_metric_note_and_recipe(tmp_path):
    a_report(2000).to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    ours = re.sub(r"<script.*?</script>", "", page, flags=re.S)

    assert HOSTILE not in page
    assert ours.count("&lt;script&gt;document.title") >= 3  # stage, note, recipe
    assert not re.search(r'(src|href)="(http|//)', ours)
    for told in ("vus_pr", "auc_pr", "helps", "hurts", "+0.300", "-0.100", "90%", "How to repeat it"):
        assert told in ours


def test_an_empty_ledger_and_missing_numbers_make_a_page(tmp_path):
    report = a_report(2000)
    bare = Report(report.stages[2:], (), report.rows, report.scores * np.nan, report.labels * 0, 8.0, {"rows": 2000.0, **report.facts})
    bare.to_html(tmp_path / "r.html")

    assert "nan" not in re.sub(r"<script.*?</script>", "", (tmp_path / "r.html").read_text(), flags=re.S).lower()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright to drive a browser")
    if CHROMIUM is None:
        pytest.skip("needs a chromium (set TSPRUNE_CHROMIUM to its path)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_a_million_rows_open_without_an_error_and_can_be_zoomed(tmp_path, browser):
    a_report(1_000_000).to_html(tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 15e6
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(viewport={"width": 1300, "height": 1400}, java_script_enabled=True)
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.length == 1 && Bokeh.documents[0].is_idle", timeout=60_000)

    width = "(() => { const r = Bokeh.documents[0].roots()[0].children[0].x_range; return r.end - r.start })()"
    before = page.evaluate(width)
    chart = page.locator(".bk-Figure").first.bounding_box()
    page.mouse.move(chart["x"] + chart["width"] / 2, chart["y"] + chart["height"] / 2)
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(800)

    assert page.evaluate(width) < 0.9 * before
    assert page.title() == "tsprune report"
    assert HOSTILE in page.inner_text("body")
    assert said == []
    assert asked == []


def test_scores_that_tell_little_are_called_out():
    report = a_report(2000)
    poor = replace(report, stages=(replace(report.stages[0], with_=0.15, chance=0.1),))

    assert not any("tell little" in sentence for sentence in report.sentences())
    assert any("vus_pr is 0.150 where chance gives 0.100" in sentence for sentence in poor.sentences())
