"""Write data/elnino.csv and data/web_service.csv anew: `python -m benchmarks.make_data`.

The temperatures come from the copy that statsmodels ships; the El Nino episodes stand below, read off
NOAA's table of the Oceanic Nino Index (data/README.md says by which rule).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from statsmodels.datasets import elnino as source

from tsprune.series.synthetic import web_service

DATA = Path(__file__).resolve().parents[1] / "data"

#: First and last month of the episodes in which the index reached 1.5 degrees.
STRONG_EPISODES = (
    ("1957-04", "1958-07"),
    ("1965-05", "1966-04"),
    ("1972-05", "1973-03"),
    ("1982-04", "1983-06"),
    ("1986-09", "1988-02"),
    ("1991-05", "1992-06"),
    ("1997-05", "1998-05"),
    ("2009-07", "2010-03"),
)


def elnino() -> pd.DataFrame:
    """Monthly temperatures in long form, with the label of each month."""
    table = source.load_pandas().data.set_index("YEAR")
    months = pd.date_range(f"{int(table.index[0])}-01-01", periods=table.size, freq="MS", name="time")
    frame = pd.DataFrame({"value": table.to_numpy().ravel(), "label": 0}, index=months)
    for first, last in STRONG_EPISODES:
        frame.loc[first:last, "label"] = 1
    return frame


def service() -> pd.DataFrame:
    """The simulated service of seed 0, with the label of each row."""
    frame, labels, _ = web_service()
    return frame.assign(label=labels)


def main() -> None:
    """Write both files and say how large they are."""
    for name, frame, date_format in (("elnino", elnino(), "%Y-%m-%d"), ("web_service", service(), "%Y-%m-%d %H:%M")):
        path = DATA / f"{name}.csv"
        frame.to_csv(path, date_format=date_format, lineterminator="\n")
        print(f"{path.name}: {len(frame)} rows, {int(frame['label'].sum())} labelled, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
