"""The series of a report as a chart that can be zoomed and panned: bokeh draws it, tsdownsample thins it.

Both come with the extra `tsprune[page]`; without them a page shows still pictures.  The chart is part of the page: nothing
is loaded from elsewhere.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune import plot
from tsprune.kernels.labelled import runs

if TYPE_CHECKING:
    from tsprune.types import Floats, Ints

#: Points that a line keeps over the whole record, and how many rows around an event or an alarm are kept one by one.
POINTS, AROUND = 10_000, 200

#: Rows kept around events and alarms in all: a record full of alarms stays a page that opens.
MOST_AROUND = 40_000

#: Columns drawn, the score aside.
PANELS = 8


def available() -> bool:
    """Whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("bokeh", "tsdownsample"))


def parts(report: Any) -> tuple[str, str]:
    """The scripts and the place of a report's chart, to be put into a page."""
    from bokeh.embed import components
    from bokeh.layouts import column
    from bokeh.resources import INLINE

    script, place = components(column(*_panels(report), sizing_mode="stretch_width"))
    return f"{INLINE.render_js()}\n{script}", place


def thinned(values: Floats, near: Ints, points: int = POINTS) -> Ints:
    """Rows that draw a line as it looks with all of them, and all rows named in `near`.

    >>> import numpy as np
    >>> from tsprune.chart import available, thinned
    >>> rows = thinned(np.sin(np.arange(50_000.0)), np.arange(7, 20), points=1000) if available() else np.arange(1013)
    >>> 1000 <= len(rows) <= 1013
    True
    """
    if len(values) <= points:
        return np.arange(len(values))
    from tsdownsample import MinMaxLTTBDownsampler

    there = np.flatnonzero(~np.isnan(values))
    if len(there) <= points:
        return np.arange(len(values)) if len(values) <= 2 * points else np.union1d(there, near)
    chosen = there[MinMaxLTTBDownsampler().downsample(np.ascontiguousarray(values[there]), n_out=points).astype(np.int64)]
    return np.union1d(chosen, near)


def rows_of_interest(report: Any) -> Ints:
    """Rows near the edges of events and near alarms."""
    label, alarms = report.labels.to_numpy(), report.alarms().to_numpy()
    spots = np.flatnonzero((np.diff(label, prepend=0) != 0) | (np.diff(alarms.astype(np.int8), prepend=0) != 0))
    spots = spots[: MOST_AROUND // (2 * AROUND)]
    if not len(spots):
        return np.empty(0, np.int64)
    near = (spots[:, None] + np.arange(-AROUND, AROUND + 1)).ravel()
    return np.unique(near[(near >= 0) & (near < len(label))])


def _panels(report: Any) -> list[Any]:
    from bokeh.models import Range1d, RangeTool

    near = rows_of_interest(report)
    times = report.rows.index
    first = _figure(report, times, near, "anomaly score", report.scores.to_numpy(), plot.SCORE, None)
    first.x_range = Range1d(*_ends(times), bounds=_ends(times))
    _threshold(first, report)
    drawn = report.rows.columns[:PANELS]
    panels = [_figure(report, times, near, str(name), report.rows[name].to_numpy(), plot.SIGNAL, first.x_range) for name in drawn]
    overview = _figure(report, times, near[:0], "whole record", report.scores.to_numpy(), plot.SCORE, None, height=90)
    overview.toolbar_location = None
    overview.x_range = Range1d(*_ends(times))
    overview.add_tools(RangeTool(x_range=first.x_range))
    return [first, *panels, overview]


def _figure(report: Any, times: Any, near: Ints, name: str, values: Floats, colour: str, x_range: Any, height: int = 170) -> Any:
    from bokeh.models import PlainText
    from bokeh.plotting import figure

    clocked = times.dtype.kind == "M" or hasattr(times, "tz")
    tools = "xpan,xwheel_zoom,xbox_zoom,reset,save"
    panel = figure(
        height=height,
        sizing_mode="stretch_width",
        tools=tools,
        active_scroll="xwheel_zoom",
        x_axis_type="datetime" if clocked else "linear",
        **({"x_range": x_range} if x_range is not None else {}),
    )
    panel.yaxis.axis_label = PlainText(name)  # a name in dollar signs is no formula
    panel.toolbar.logo = None
    _shade(panel, report, times)
    rows = thinned(np.asarray(values, dtype=np.float64), near)
    panel.line(_wall(times[rows]), np.asarray(values, dtype=np.float64)[rows], line_width=1, color=colour)
    return panel


def _shade(panel: Any, report: Any, times: Any) -> None:
    from bokeh.models import BoxAnnotation

    label = report.labels.to_numpy()
    for start, stop in runs(label == 1):
        ends = _wall(times[[start, min(stop, len(label) - 1)]])
        panel.add_layout(
            BoxAnnotation(left=ends[0], right=ends[1], fill_color=plot.EVENT, fill_alpha=0.5, line_color=None, level="underlay")
        )


def _threshold(panel: Any, report: Any) -> None:
    from bokeh.models import Span

    panel.add_layout(Span(location=report.threshold, dimension="width", line_color=plot.ALARM, line_dash="dashed"))
    alarmed = np.flatnonzero(report.alarms().to_numpy())[:MOST_AROUND]
    panel.scatter(_wall(report.rows.index[alarmed]), report.scores.to_numpy()[alarmed], size=4, color=plot.ALARM)


def _wall(times: Any) -> Any:
    """Times as they are shown: the wall clock of their zone."""
    return times.tz_localize(None) if getattr(times, "tz", None) is not None else times


def _ends(times: Any) -> tuple[Any, Any]:
    shown = _wall(times)
    return shown[0], shown[-1]
