"""Draw the decompositions of `docs/signal.md`: `python -m benchmarks.draw_signal`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.tables import SHARED
from tsprune.signal import Deseason, Detrend

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"


@dataclass(frozen=True)
class Picture:
    """A series, what is known of it, and the rows that are shown."""

    file: str
    path: str
    title: str
    train: float  # share of the rows that is learned from
    period: int | tuple[int, ...] | str
    step: str | None  # of an integer index
    length: int | str
    rows: slice


PICTURES_OF = (
    Picture(
        "signal_taxi",
        "nab/realKnownCause__nyc_taxi",
        "New York taxi passengers per half hour",
        0.4,
        (48, 336),
        None,
        "28D",
        slice(4100, 10320),
    ),
    Picture("signal_kpi", "kpi/kpi_6a757df4", "KPI 6a757df4 (AIOps 2018), minutes", 0.4, "auto", None, "28D", slice(78_000, 104_000)),
    Picture(
        "signal_cimis",
        "ucr/113_CIMIS44AirTemperature1",
        "CIMIS air temperature, hourly (UCR 113)",
        0.49,
        24,
        "1h",
        "28D",
        slice(4900, 6000),
    ),
)


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for picture in PICTURES_OF:
        x, labels = _read(picture)
        parts = decomposed(x, picture)
        figure, axes = plt.subplots(len(parts) + 1, 1, figsize=(8, 6), sharex=True, layout="constrained")
        shown = x.iloc[picture.rows]
        expected = parts["season"] + parts["trend"]
        axes[0].plot(shown.index, shown, lw=0.6, color="0.25", label="value")
        axes[0].plot(shown.index, expected.iloc[picture.rows], lw=0.6, color="C1", label="expected")
        axes[0].legend(loc="upper right", ncols=2, fontsize=7, frameon=False)
        for axis, (name, part) in zip(axes[1:], parts.items(), strict=True):
            axis.plot(shown.index, part.iloc[picture.rows], lw=0.6, color="C0")
            axis.set_ylabel(name, fontsize=8)
        for axis in axes:
            _shade(axis, shown.index, labels[picture.rows])
            axis.tick_params(labelsize=7)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("value", fontsize=8)
        axes[0].set_title(picture.title, fontsize=9)
        figure.savefig(PICTURES / f"{picture.file}.png", dpi=80)
        plt.close(figure)
        print(f"{picture.file}.png")


def _read(picture: Picture) -> tuple[pd.Series, np.ndarray]:
    frame = pd.read_parquet(SHARED / "data" / f"{picture.path}.parquet")[:130_000]
    values = frame["value"].astype(float)
    if "timestamp" in frame:
        values = values.set_axis(pd.DatetimeIndex(frame["timestamp"]))
    elif picture.step:  # an integer index says nothing of time: the step is given, the period too
        values = values.set_axis(pd.date_range("2000-01-01", periods=len(values), freq=picture.step))
    return values, frame["label"].to_numpy(int)


def decomposed(x: pd.Series, picture: Picture) -> dict[str, pd.Series]:
    """Season, trend, level and innovation of a record, in the unit of the series, learned on its prefix."""
    train = x.iloc[: int(picture.train * len(x))]
    season = Deseason(picture.period).fit(train)
    left = season.transform(x)
    trend = Detrend(length=picture.length, channels=("level", "innovation"), scale=False).fit(season.transform(train))
    channels = trend.transform(left)
    level = channels.iloc[:, 0]
    return {"season": season.removed(x), "trend": left - level, "level": level, "innovation": channels.iloc[:, 1]}


def _shade(axis: object, index: pd.Index, labels: np.ndarray) -> None:
    edges = np.flatnonzero(np.diff(np.r_[0, labels, 0]))
    least = len(index) // 300  # a few rows would be too narrow to be seen
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        axis.axvspan(index[max(0, start - least)], index[min(stop + least, len(index) - 1)], color="C3", alpha=0.25, lw=0)


if __name__ == "__main__":
    main()
