"""In a notebook: what a cell shows, that names cannot break out of it, and that nothing shouts."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import tsprune as tsp
import tsprune.accessor  # registers df.tsprune

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)> \"'&$a_$"


class Tags(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def rows():
    hours = pd.date_range("2026-01-05", periods=24 * 30, freq="h")
    rng = np.random.default_rng(0)
    load = np.sin(np.arange(len(hours)) * np.pi / 12) + rng.normal(0, 0.1, len(hours))
    return pd.DataFrame({HOSTILE: load}, index=hours)


@pytest.fixture(scope="module")
def pipeline(rows):
    steps = [(HOSTILE, tsp.Deseason(24)), tsp.Windows(3), tsp.Pruned("iforest", keep=0.3, guard=None, random_state=0)]
    return tsp.Pipeline(steps).fit(rows[:400])


@pytest.fixture(scope="module")
def report(pipeline, rows):
    return pipeline.report(rows[400:], n_boot=20, metrics=("auc_pr",))


@pytest.fixture(scope="module")
def shown(pipeline, report):
    return {
        "pipeline": pipeline._repr_mimebundle_()["text/html"],
        "unfitted": tsp.Pipeline(pipeline.steps)._repr_html_(),
        "model": pipeline.freeze()._repr_html_(),
        "report": report._repr_html_(),
    }


KINDS = ["pipeline", "unfitted", "model", "report"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_shows_one_table_and_names_stay_text(shown, kind):
    tags = Tags(shown[kind])

    assert not tags.seen & {"script", "img", "iframe", "object", "embed", "a", "link", "form", "src", "href"}
    assert not any(name.startswith("on") for name in tags.seen)
    assert tags.open == []
    assert shown[kind].count("<table") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_style_of_a_cell_touches_nothing_but_our_table(shown, kind):
    style = re.search(r"<style>(.*?)</style>", shown[kind], re.DOTALL).group(1)
    selectors = [part.strip() for rule in re.findall(r"([^{}]+)\{", style) for part in rule.split(",")]

    assert selectors
    assert all(selector.startswith("table.tsprune") for selector in selectors)


def test_a_pipeline_tells_what_each_step_learned_and_costs(shown, pipeline):
    html = shown["pipeline"]

    assert "period 24" in html
    assert "parts before" in html
    assert f"{pipeline.model_.nbytes:,} bytes" in html
    assert "not fitted" in shown["unfitted"]
    assert "Deseason(period=24)" in shown["unfitted"]


def test_the_pipeline_is_plain_text_where_scikit_learn_is_told_so(pipeline):
    import sklearn

    with sklearn.config_context(display="text"):
        assert set(pipeline._repr_mimebundle_()) == {"text/plain"}


def test_a_model_tells_its_parts(shown, pipeline):
    assert "SeasonProfile" in shown["model"]
    assert f"{pipeline.named_stages_['pruned'].n_parts_after_:,}" in shown["model"]


def test_very_many_columns_do_not_flood_the_cell():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 300)), columns=[f"sensor {i}" for i in range(300)])
    model = tsp.Pipeline(["iforest"]).fit(wide).freeze()

    assert "and 292 more" in model._repr_html_()


def test_plots_need_no_arguments(report):
    for axes in (report.plot(), tsp.plot.scores(report), tsp.plot.signal(report), tsp.plot.effects(report)):
        axes.figure.canvas.draw()


def test_the_whole_way_raises_no_warning(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = rows[:400].tsprune.fit()
        fitted._repr_html_()
        rows[400:].tsprune.score(fitted)
        fitted.report(rows[400:], n_boot=5, metrics=("auc_pr",)).to_frame()


# -- df.tsprune -------------------------------------------------------------------------------------------------------------


def test_the_accessor_is_there_only_for_those_who_import_it():
    there = "print(hasattr(pd.DataFrame, 'tsprune'), hasattr(pd.Series, 'tsprune'))"
    code = f"import pandas as pd, tsprune as tsp; tsp.Pipeline; {there}; import tsprune.accessor; {there}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told.split() == ["False", "False", "True", "True"]


def test_pipeline_and_saved_model_score_alike_through_the_accessor(rows, pipeline, tmp_path):
    pipeline.freeze().save(tmp_path / "load.tsp")
    model = tsp.load(tmp_path / "load.tsp")

    pd.testing.assert_series_equal(rows.tsprune.score(model), rows.tsprune.score(pipeline))
    pd.testing.assert_series_equal(rows.tsprune.detect(model), pipeline.detect(rows))
    assert rows.tsprune.score(model).index.equals(rows.index)


def test_other_columns_of_a_frame_do_not_disturb_a_model(rows, pipeline):
    with_note = rows.assign(note="x")

    np.testing.assert_array_equal(with_note.tsprune.score(pipeline.freeze()), rows.tsprune.score(pipeline))


def test_the_accessor_finds_periods_and_tells_what_is_wrong(rows):
    holed = rows.drop(rows.index[50:60])[HOSTILE].rename("load")

    assert [period.samples for period in rows[HOSTILE].tsprune.periods()[HOSTILE]][:1] == [24]
    assert any("10 missing" in line or "10 slot" in line for line in holed.tsprune.doctor())


def test_a_report_from_the_frame_learns_on_the_first_rows_only(rows):
    label = (np.arange(len(rows)) % 100 < 4).astype(int)
    disturbed = rows + 3.0 * label[:, None]
    report = disturbed.tsprune.report(label, train=0.5, steps=[tsp.Windows(3), "iforest"], n_boot=5)

    assert len(report.rows) == len(rows) // 2
    assert report.source == "labels"
