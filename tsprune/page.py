"""The report as a page: one file, nothing loaded from elsewhere, every name escaped."""

from __future__ import annotations

import base64
import math
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tsprune import chart, plot, show

if TYPE_CHECKING:
    from tsprune.evaluate import StageEffect

_PAGE_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 82rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
p.lead { font-size: 1.05rem; } p.how { font-size: .85rem; color: #555; }
img { max-width: 100%; } code, pre { background: #f5f5f3; padding: .1rem .3rem; font-size: .85rem; } pre { padding: .8rem; overflow-x: auto; }
.legend span { padding: 0 .5rem; border-radius: .2rem; }
"""

_TABLE_STYLE = """
table.tsprune td { white-space: nowrap; } table.tsprune td.stage { white-space: normal; max-width: 16rem; vertical-align: top; }
table.tsprune td[rowspan] { vertical-align: top; } table.tsprune svg { vertical-align: middle; }
table.tsprune tr td:first-child:not(.stage) { text-align: right; }
"""

#: Columns of the table and what they mean.
_HEAD = {
    "stage": "as named in the pipeline",
    "metric": "a measure of detection quality",
    "without": "quality of the pipeline refitted without the stage",
    "with": "quality of the pipeline",
    "effect": "with minus without, and its 95 % interval",
    "": "with minus without",
    "verdict": "helps or hurts where the interval lies on one side of zero",
    "alone": "effect of the stage added alone to the bare detector",
    "chance": "quality of the same scores in random order",
    "kept": "share of an injected anomaly's energy that comes out of the stage",
    "fidelity": "agreement of a cut with the uncut detector on held-back rows",
    "bytes": "in a model file",
    "fit s": "seconds to learn",
    "µs/row": "microseconds to score a row, in batch",
}


def report_page(report: Any) -> str:
    """A whole page for a report."""
    facts = "".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{show.number(value)}</td></tr>" for name, value in report.facts.items()
    )
    scripts, series = chart.parts(report) if chart.available() else ("", _still(report))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tsprune report</title><style>{_PAGE_STYLE}</style>{scripts}</head><body>
<h1>What each stage is worth</h1>
<p class="lead">{escape(" ".join(report.summary()))}</p>
{report_table(report)}
{"".join(f"<p>{escape(note)}</p>" for note in report.notes)}
<p class="how">Each stage was taken out in turn, what stands behind it was refitted, and both were judged on the same rows; the line across a
bar is the 95 % interval of a paired block bootstrap, and an effect whose interval holds zero is no evidence. <b>Alone</b> is the effect of the
stage added by itself to the bare detector. <b>Chance</b> is what the same scores give in random order. <b>Kept</b> is the share of an injected
anomaly's energy that comes out of the stage. <b>Fidelity</b> is the agreement of a cut's scores with those of the uncut detector on
held-back rows; its ceiling is how far two halves of that detector agree with each other.</p>
<h2>Scores and signals</h2>
<p class="legend"><span style="background:{plot.EVENT}">event</span> <span style="border-bottom:2px dashed {plot.ALARM}">threshold</span>
<span style="color:{plot.ALARM}">&#9679; alarm</span></p>
{series}
<h2>Facts</h2>
<table class="tsprune"><tbody>{facts}</tbody></table>
<h2>How to repeat it</h2>
<pre>{escape(report.recipe)}</pre>
</body></html>
"""


def _still(report: Any) -> str:
    """The series as pictures, where the chart's libraries are not installed."""
    shown = list(report.rows.columns[: chart.PANELS])
    pictures = [_picture(lambda ax: plot.scores(report, ax=ax), "anomaly score with threshold and events")]
    pictures += [_picture(lambda ax, c=column: plot.signal(report, c, ax=ax), f"{column} with events and alarms") for column in shown]
    return "".join(pictures) + "<p>For a chart that can be zoomed: <code>pip install 'tsprune[page]'</code>.</p>"


def report_table(report: Any) -> str:
    """The stages as an HTML table, for a page or a notebook: one block per stage, one line per metric."""
    scale = 1.4 * max([0.05, *(abs(effect.effect) for effect in report.stages if math.isfinite(effect.effect))])
    alone = {(effect.stage, effect.metric): effect for effect in report.alone}
    blocks = [list(effects) for _, effects in groupby(report.stages, key=lambda effect: effect.stage)]
    body = "".join(_row(effect, alone, scale, len(block) if effect is block[0] else 0) for block in blocks for effect in block)
    head = "".join(f'<th title="{escape(why, quote=True)}">{name}</th>' for name, why in _HEAD.items())
    return f'<style>{show.STYLE}{_TABLE_STYLE}</style><table class="tsprune"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(effect: StageEffect, alone: dict[tuple[str, str], StageEffect], scale: float, span: int) -> str:
    """One metric of a stage; `span` lines share the cells of the stage itself, which stand in the first."""
    known = math.isfinite(effect.without)
    single = alone.get((effect.stage, effect.metric))
    kind = {"helps": "helps", "hurts": "hurts"}.get(effect.verdict, "none")
    estimated = " <small>estimated</small>" if effect.source == "injected" else ""
    cells = [
        escape(effect.metric),
        f"{effect.without:.3f}" if known else "",
        _quality(effect.with_),
        _bar(effect, scale) if known else "",
        f"{effect.effect:+.3f}" if known else "",
        f'<span class="{kind}">{escape(effect.verdict)}</span>{estimated}' if known else estimated.strip(),
        f"{single.effect:+.3f}" if single is not None and math.isfinite(single.effect) else "",
        _quality(effect.chance),
    ]
    style = ' class="first"' if span else ""
    line = "".join(f"<td{style}>{cell}</td>" for cell in cells)
    if not span:
        return f"<tr>{line}</tr>"
    stage = f'<td class="first stage" rowspan="{span}"><b>{escape(effect.stage)}</b>{_facts(effect)}</td>'
    prices = "".join(f'<td class="first" rowspan="{span}">{price}</td>' for price in _prices(effect))
    return f"<tr>{stage}{line}{prices}</tr>"


def _prices(effect: StageEffect) -> list[str]:
    fidelity = f"{effect.fidelity:.3f}" if math.isfinite(effect.fidelity) else ""
    ceiling = f"<br><small>ceiling {effect.ceiling:.3f}</small>" if math.isfinite(effect.ceiling) else ""
    return [
        f"{effect.energy_kept:.0%}" if math.isfinite(effect.energy_kept) else "",
        fidelity + ceiling,
        f"{effect.bytes:,.0f}" if math.isfinite(effect.bytes) else "",
        f"{effect.fit_seconds:.2f}",
        f"{effect.us_per_row:.2f}",
    ]


def _bar(effect: StageEffect, scale: float) -> str:
    """The effect as a bar from zero with its interval as a line; right of zero it is the better."""
    half, mark = 70, effect.effect / scale * 70
    colour = {"helps": plot.GOOD, "hurts": plot.BAD}.get(effect.verdict, plot.NEUTRAL)
    bar = f'<rect x="{half + min(mark, 0.0):.1f}" y="4" width="{max(abs(mark), 0.5):.1f}" height="10" fill="{colour}" fill-opacity=".7"/>'
    line = ""
    if math.isfinite(effect.low):
        low, high = (half + bound / scale * 70 for bound in (effect.low, effect.high))
        line = f'<line x1="{low:.1f}" x2="{high:.1f}" y1="9" y2="9" stroke="currentColor" stroke-width="1.2"/>'
    told = f"{effect.effect:+.3f}" + (f", 95 % interval {effect.low:+.3f} to {effect.high:+.3f}" if line else ", no interval")
    zero = f'<line x1="{half}" x2="{half}" y1="0" y2="18" stroke="currentColor" stroke-opacity=".4"/>'
    return f'<svg width="{2 * half}" height="18" role="img" aria-label="{told}"><title>{told}</title>{bar}{line}{zero}</svg>'


def _quality(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "\u2013"


def _facts(effect: StageEffect) -> str:
    told = ", ".join(f"{escape(name.replace('_', ' '))} {show.number(value)}" for name, value in effect.facts.items())
    return f"<br><small>{told}</small>" if told else ""


def _picture(draw: Any, alt: str, height: float = 2.6) -> str:
    data = base64.b64encode(plot.picture(draw, height=height)).decode()
    return f'<img alt="{escape(alt, quote=True)}" src="data:image/png;base64,{data}">'
