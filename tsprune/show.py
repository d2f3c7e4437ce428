"""How a pipeline and a model look in a notebook: one small table each, every name escaped.

Standard library only: a model is shown where nothing but numpy is installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

#: Of tables made here and of the report's; nothing else on a page that they stand in is touched.
STYLE = """
table.tsprune { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
table.tsprune caption { text-align: left; padding: .2rem .6rem; }
table.tsprune th, table.tsprune td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid rgba(128, 128, 128, .25); }
table.tsprune th { border-bottom: 2px solid rgba(128, 128, 128, .6); font-weight: 600; }
table.tsprune th:first-child, table.tsprune td:first-child, table.tsprune .text { text-align: left; }
table.tsprune td.text { white-space: normal; }
table.tsprune td.first { border-top: 1px solid rgba(128, 128, 128, .6); }
table.tsprune .helps { color: #00795a; font-weight: 600; } table.tsprune .hurts { color: #b84d00; font-weight: 600; }
table.tsprune .none { color: #777; }
"""

#: Names shown of very many.
MOST_NAMES = 8


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts as HTML; the first column and those whose head ends with a space are texts, the others numbers.

    >>> from tsprune.show import table
    >>> "<td>&lt;b&gt;</td>" in table("a model", ["part"], [["<b>"]])
    True
    """
    kinds = [' class="text"' if name.endswith(" ") else "" for name in head]
    heads = "".join(f"<th{kind}>{escape(name.strip())}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>" for row in rows
    )
    return (
        f'<style>{STYLE}</style><table class="tsprune"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def pipeline_card(pipeline: Any) -> str:
    """The steps of a pipeline; of a fitted one also what each has learned, its bytes and the seconds it took."""
    steps = pipeline.named_steps()
    if not hasattr(pipeline, "model_"):
        return table(f"tsprune pipeline of {len(steps)} steps, not fitted", ["step", "what "], [[name, repr(step)] for name, step in steps])
    model = pipeline.model_
    rows = []
    for name, stage in pipeline.named_stages_.items():
        facts = stage.facts() if hasattr(stage, "facts") else {}
        rows.append([name, _what(stage), _facts(facts), f"{stage.part_.nbytes:,}", f"{pipeline.fit_seconds_.get(name, 0.0):.2f}"])
    caption = (
        f"{_size(model)}; scores from row {model.min_lookback}, looks back {pipeline.lookback_time_}; alarm above {model.threshold:.4g}"
    )
    return table(f"tsprune pipeline: {caption}", ["step", "what ", "learned ", "bytes", "fit s"], rows)


def model_card(model: Any) -> str:
    """The parts of a model with their sizes."""
    rows = [
        [type(part).__name__, str(part.n_features), f"{part.n_parts:,}" if hasattr(part, "n_parts") else "", f"{part.nbytes:,}"]
        for part in (*model.parts, model.detector)
    ]
    caption = f"tsprune model: {_size(model)}; looks back {model.lookback} slots; alarm above {model.threshold:.4g}"
    return table(caption, ["part", "columns in", "parts", "bytes"], rows)


def names(columns: Sequence[str]) -> str:
    """Column names, of very many the first ones.

    >>> from tsprune.show import names
    >>> names(["a", "b"]), names([str(i) for i in range(10)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7 and 2 more')
    """
    rest = len(columns) - MOST_NAMES
    return ", ".join(columns[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _size(model: Any) -> str:
    return f"{model.nbytes:,} bytes on {names(model.columns)}"


def _what(stage: Any) -> str:
    """A step as it was written, or the class behind a short name."""
    estimator = getattr(stage, "estimator", stage)
    return " ".join(repr(estimator).split())


def number(value: float) -> str:
    """A number for people: whole ones in full, others to four digits.

    >>> from tsprune.show import number
    >>> number(26860.0), number(0.81034), number(float("nan"))
    ('26,860', '0.8103', '–')
    """
    if not math.isfinite(value):
        return "\u2013"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _facts(facts: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in facts.items())
