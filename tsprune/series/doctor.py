"""What is in a file, in sentences: clock, gaps, columns, labels, and what would be done about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tsprune.kernels.labelled import runs
from tsprune.series.regular import regularise

if TYPE_CHECKING:
    from tsprune.series.io import Loaded
    from tsprune.series.regular import Regular


def examine(loaded: Loaded) -> list[str]:
    """Lines that tell what was found, and what a pipeline would do."""
    regular = regularise(loaded.frame)
    told = [f"{len(loaded.frame):,} rows, {loaded.frame.shape[1]} numeric column(s)", _clock(loaded, regular)]
    told += regular.deeds() or ["the rows are in order, one per slot, with none missing"]
    local = _looks_like_wall_clock(loaded.frame.index)
    if local:
        told.append(local)
    if loaded.left_out:
        told.append(f"left out: {', '.join(loaded.left_out)} (not numeric, or a name that begins with an underscore)")
    told += [_column(regular.frame[name]) for name in regular.frame]
    told.append(_labels(loaded))
    return told


def _clock(loaded: Loaded, regular: Regular) -> str:
    clock, index = regular.clock, regular.frame.index
    if clock.kind == "index":
        return f"no times: rows are counted, step {clock.step}; name the column with --time if there is one"
    step = f"{clock.step} month(s)" if clock.kind == "month" else str(pd.Timedelta(clock.step, unit="ns")).removeprefix("0 days ")
    zone = getattr(index, "tz", None)
    wall = "; its clock changes, so daily patterns follow the wall clock" if clock.has_changes else ""
    return f"times in {loaded.time!r} from {index[0]} to {index[-1]}, step {step}, zone {zone or 'none given'}{wall}"


def _column(column: pd.Series) -> str:
    values = column.to_numpy(np.float64, na_value=np.nan)
    there = values[np.isfinite(values)]
    missing = int(np.isnan(values).sum())
    infinite = int(np.isinf(values).sum())
    if not len(there):
        return f"{column.name}: no value at all; it would give every row no score: leave it out with --columns"
    told = f"{column.name}: {there.min():g} to {there.max():g}, median {np.median(there):g}"
    if there.min() == there.max():
        told += "; constant: dropped by `select`"
    if missing:
        told += f"; {missing:,} missing: those rows get no score"
    if infinite:
        told += f"; {infinite:,} infinite: refused; replace them by missing values"
    return told


def _labels(loaded: Loaded) -> str:
    if loaded.labels is None:
        return "no labels: `report` needs a column of 0 and 1 (--label)"
    y = loaded.labels.to_numpy()
    return f"labels: {int(y.sum()):,} rows ({y.mean():.2%}) in {len(runs(y == 1))} event(s)"


def _looks_like_wall_clock(index: pd.Index) -> str | None:
    """An hour twice in autumn or none in spring, on a Sunday night, in times without a zone."""
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None or len(index) < 48:
        return None
    ordered = index.sort_values()
    hour = pd.Timedelta(hours=1)
    steps = ordered[1:] - ordered[:-1]
    step = steps.to_series().median()
    night = (ordered[:-1].day_of_week == 6) & (ordered[:-1].hour <= 3)
    jumps = int((night & (steps == step + hour) & np.isin(ordered[:-1].month, (3, 4))).sum())
    twice = int((night & (steps == pd.Timedelta(0)) & np.isin(ordered[:-1].month, (10, 11))).sum())
    if not jumps and not twice:
        return None
    return "an hour is missing in spring or doubled in autumn: the times look like a wall clock. Say its zone: --zone Europe/Berlin"
