"""Pictures: what was scored, what was alarmed, what each stage is worth.  The one module that knows matplotlib.

Axes go in and come out.  Names are drawn as they are: a dollar sign in a column name is no formula.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.errors import BadParameter
from tsprune.kernels.labelled import runs

if TYPE_CHECKING:
    from collections.abc import Callable

#: Okabe & Ito's colours, which colour-blind people tell apart.
INK, SIGNAL, SCORE, EVENT, ALARM, GOOD, BAD, NEUTRAL = (
    "#222222", "#56789a", "#0072b2", "#f0c36d", "#d55e00", "#009e73", "#d55e00", "#888888",
)  # fmt: skip


def signal(report: Any, column: str | None = None, ax: Any = None) -> Any:
    """One column of the rows, the events shaded and the alarms marked at the foot.

    Parameters
    ----------
    report : Report
    column : str, optional
        The first one where not given.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    name = report.rows.columns[0] if column is None else column
    if name not in report.rows.columns:
        raise BadParameter(f"column is {column!r}; the rows have {', '.join(map(str, report.rows.columns))}.")
    ax = _axes(ax)
    ax.plot(report.rows.index, report.rows[name].to_numpy(), color=SIGNAL, linewidth=0.7)
    _events(ax, report)
    alarms = report.rows.index[report.alarms().to_numpy()]
    ax.plot(alarms, np.full(len(alarms), 0.02), "|", color=ALARM, markersize=8, transform=ax.get_xaxis_transform(), label="alarm")
    ax.set_ylabel(_plain(name))
    return _dressed(ax)


def scores(report: Any, ax: Any = None) -> Any:
    """The anomaly score of every row with the threshold, the events shaded."""
    ax = _axes(ax)
    ax.plot(report.scores.index, report.scores.to_numpy(), color=SCORE, linewidth=0.7)
    ax.axhline(report.threshold, color=ALARM, linewidth=1.0, linestyle="--")
    _events(ax, report)
    ax.set_ylabel("anomaly score")
    return _dressed(ax)


def effects(report: Any, ax: Any = None) -> Any:
    """The effect of each stage on each metric, with its interval: right of zero it helps."""
    ax = _axes(ax)
    bars = [effect for effect in report.stages if math.isfinite(effect.without)]
    if not bars:
        ax.text(0.5, 0.5, "no stage can be left out", ha="center", va="center", transform=ax.transAxes)
        return _dressed(ax)
    colours = {"helps": GOOD, "hurts": BAD, "no evidence": NEUTRAL}
    for row, effect in enumerate(bars):
        ax.barh(row, effect.effect, color=colours[effect.verdict], alpha=0.75, height=0.65)
        if math.isfinite(effect.low):
            ax.plot([effect.low, effect.high], [row, row], color=INK, linewidth=1.2)
    ax.axvline(0.0, color=INK, linewidth=0.8)
    ax.set_yticks(range(len(bars)), [_plain(f"{effect.stage}  {effect.metric}") for effect in bars])
    ax.invert_yaxis()
    ax.set_xlabel("quality with the stage minus quality without it (line: 95 % interval)")
    return _dressed(ax)


def front(found: Any, ax: Any = None) -> Any:
    """The cuts of a detector (`tsprune.prune.search.front`): bytes against fidelity, the slower the larger; no other cut beats the filled ones."""
    ax = _axes(ax)
    frame = found.frame.sort_values("bytes")
    size = 30.0 + 200.0 * frame["us_per_row"] / max(frame["us_per_row"].max(), 1e-12)
    best = frame["best"].to_numpy()
    ax.plot(frame["bytes"][best], frame["fidelity"][best], color=SCORE, linewidth=1.0, zorder=1)
    ax.scatter(frame["bytes"], frame["fidelity"], s=size, facecolors=[SCORE if b else "none" for b in best], edgecolors=SCORE, zorder=2)
    ax.set_xscale("log")
    ax.set_xlabel("bytes in a model file")
    ax.set_ylabel("fidelity")
    return _dressed(ax)


def budgets(table: Any, ax: Any = None) -> Any:
    """What budgets could buy: fidelity (with labels: quality) against size, the chosen blend marked.

    Parameters
    ----------
    table : DataFrame
        The `front` of a Choice.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    merit = "fidelity" if table["quality"].isna().all() else "quality"
    ax.plot(table["bytes"] / 1000, table[merit], "o", color=SCORE, markersize=4)
    chosen = table[table["chosen"]]
    ax.plot(chosen["bytes"] / 1000, chosen[merit], "o", color=ALARM, markersize=8, label="chosen")
    ax.set_xscale("log")
    ax.set_xlabel("kB")
    ax.set_ylabel(merit)
    return _dressed(ax)


def picture(draw: Callable[[Any], Any], width: float = 10.0, height: float = 2.6) -> bytes:
    """A drawing function's axes as a PNG, without touching the user's own figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(10, 2.6), layout="constrained")[1]


def _events(ax: Any, report: Any) -> None:
    index = report.rows.index
    for first, after in runs(report.labels.to_numpy() == 1):
        ax.axvspan(index[first], index[min(after, len(index) - 1)], color=EVENT, alpha=0.55, linewidth=0, zorder=0)


def _dressed(ax: Any) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0.005)
    ax.tick_params(labelsize=8)
    return ax


def _plain(text: str) -> str:
    return str(text).replace("$", r"\$")
