"""The report as a page: one file, nothing loaded from elsewhere, every name escaped."""

from __future__ import annotations

import base64
import math
from html import escape
from typing import TYPE_CHECKING, Any

from tsprune import chart, plot

if TYPE_CHECKING:
    from tsprune.evaluate import StageEffect

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
p.lead { font-size: 1.05rem; }
table.tsprune { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
table.tsprune th, table.tsprune td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
table.tsprune th { border-bottom: 2px solid #bbb; font-weight: 600; }
table.tsprune th:first-child, table.tsprune td:first-child { text-align: left; }
table.tsprune td.first { border-top: 1px solid #bbb; }
table.tsprune .helps { color: #00795a; font-weight: 600; } table.tsprune .hurts { color: #b84d00; font-weight: 600; }
table.tsprune .none { color: #777; }
img { max-width: 100%; } code, pre { background: #f5f5f3; padding: .1rem .3rem; font-size: .85rem; } pre { padding: .8rem; overflow-x: auto; }
.legend span { padding: 0 .5rem; border-radius: .2rem; }
"""


def report_page(report: Any) -> str:
    """A whole page for a report."""
    facts = "".join(f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{_number(value)}</td></tr>" for name, value in report.facts.items())
    n_bars = sum(math.isfinite(effect.without) for effect in report.stages)
    scripts, series = chart.parts(report) if chart.available() else ("", _still(report))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tsprune report</title><style>{_STYLE}</style>{scripts}</head><body>
<h1>What each stage is worth</h1>
<p class="lead">{escape(" ".join(report.sentences()))}</p>
{report_table(report)}
<p>Each stage was taken out in turn, what stands behind it was refitted, and both were judged on the same rows.
<b>Chance</b> is what the same scores give in random order. An effect whose interval (95 %, paired block bootstrap) holds zero
is no evidence. A cut's fidelity is the rank agreement of its scores with the uncut detector's on held-back rows; the ceiling is how far
two halves of that detector agree with each other.</p>
<h2>Effects</h2>
{_picture(lambda ax: plot.effects(report, ax=ax), "effect of each stage", height=0.6 + 0.32 * max(n_bars, 2))}
<h2>Scores and signals</h2>
<p class="legend"><span style="background:{plot.EVENT}">event</span> <span style="border-bottom:2px dashed {plot.ALARM}">threshold</span>
<span style="color:{plot.ALARM}">&#9679; alarm</span></p>
{series}
<h2>Facts</h2>
<table class="tsprune"><tbody>{facts}</tbody></table>
</body></html>
"""


def _still(report: Any) -> str:
    """The series as pictures, where the chart's libraries are not installed."""
    shown = list(report.rows.columns[: chart.PANELS])
    pictures = [_picture(lambda ax: plot.scores(report, ax=ax), "anomaly score with threshold and events")]
    pictures += [_picture(lambda ax, c=column: plot.signal(report, c, ax=ax), f"{column} with events and alarms") for column in shown]
    return "".join(pictures) + "<p>For a chart that can be zoomed: <code>pip install 'tsprune[page]'</code>.</p>"


def report_table(report: Any) -> str:
    """The stages as an HTML table, for a page or a notebook."""
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "stage",
            "metric",
            "without",
            "with",
            "effect",
            "95 % interval",
            "verdict",
            "chance",
            "bytes",
            "fit s",
            "µs/row",
            "fidelity",
        )
    )
    body, last = [], None
    for effect in report.stages:
        body.append(_row(effect, first=effect.stage != last))
        last = effect.stage
    return f'<style>{_STYLE}</style><table class="tsprune"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def _row(effect: StageEffect, first: bool) -> str:
    kind = {"helps": "helps", "hurts": "hurts"}.get(effect.verdict, "none")
    known = math.isfinite(effect.without)
    interval = f"[{effect.low:+.3f}, {effect.high:+.3f}]" if math.isfinite(effect.low) else ""
    fidelity = f"{effect.fidelity:.3f}" if math.isfinite(effect.fidelity) else ""
    ceiling = f" of {effect.ceiling:.3f}" if math.isfinite(effect.ceiling) else ""
    cells = [
        f"<b>{escape(effect.stage)}</b>{_facts(effect)}" if first else "",
        escape(effect.metric),
        _number(effect.without) if known else "",
        _number(effect.with_),
        f"{effect.effect:+.3f}" if known else "",
        interval,
        f'<span class="{kind}">{escape(effect.verdict)}</span>' if known else "",
        _number(effect.chance),
        f"{effect.bytes:,.0f}" if first and math.isfinite(effect.bytes) else "",
        f"{effect.fit_seconds:.2f}" if first else "",
        f"{effect.us_per_row:.2f}" if first else "",
        fidelity + ceiling if first else "",
    ]
    style = ' class="first"' if first else ""
    return "<tr>" + "".join(f"<td{style}>{cell}</td>" for cell in cells) + "</tr>"


def _facts(effect: StageEffect) -> str:
    told = ", ".join(f"{escape(name.replace('_', ' '))} {value:.4g}" for name, value in effect.facts.items())
    return f"<br><small>{told}</small>" if told else ""


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 1 else f"{value:.3f}"


def _picture(draw: Any, alt: str, height: float = 2.6) -> str:
    data = base64.b64encode(plot.picture(draw, height=height)).decode()
    return f'<img alt="{escape(alt, quote=True)}" src="data:image/png;base64,{data}">'
