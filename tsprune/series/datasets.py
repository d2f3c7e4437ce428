"""The labelled series that come with the package: `tsp.datasets.list()`, `tsp.datasets.load(name)`.

They are plain CSV files, shipped inside a wheel and kept in `data/` of a source checkout; `data/README.md` says
what each column is, who measured it, and how the labels were made.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tsprune.errors import BadParameter

if TYPE_CHECKING:
    from tsprune.types import Json

_PACKAGE = Path(__file__).resolve().parents[1]
#: In a wheel the files lie inside the package, in a checkout next to it.
_FOLDERS = (_PACKAGE / "data", _PACKAGE.parent / "data")

#: What no file can say of itself.  `events` names the runs of label 1 in order of time; `train_share` is a split by
#: time that leaves most events to judge by; `periods` are rows per cycle.
_FACTS: dict[str, dict[str, Json]] = {
    "elnino": {
        "title": "Sea-surface temperature off Peru (Nino 1+2), monthly, 1950-2010",
        "source": "NOAA, ERSST.V3B, as shipped by statsmodels; labels: strong El Nino episodes of NOAA's Oceanic Nino Index",
        "licence": "public domain",
        "real": True,
        "unit": "degrees Celsius",
        "step": "1 month",
        "periods": [12],
        "train_share": 0.35,
        "events": ["1957-58", "1965-66", "1972-73", "1982-83", "1986-88", "1991-92", "1997-98", "2009-10"],
    },
    "web_service": {
        "title": "A simulated web service: eight metrics, six weeks, thirteen incidents and one harmless release",
        "source": "tsprune.series.synthetic.web_service(random_state=0)",
        "licence": "BSD-3-Clause",
        "real": False,
        "unit": "one per column, see data/README.md",
        "step": "5 minutes",
        "periods": [288, 2016],
        "train_share": 0.5,
        "events": [
            *("error_spike", "outage", "noise_burst", "latency_spike", "dip", "latency_shift", "wrong_phase"),
            *("slow_leak", "outage", "flat_line", "decorrelation", "noise_burst", "error_spike"),
        ],
    },
}


@dataclass(frozen=True)
class Dataset:
    """A series with its labels and what is known about it.

    Parameters
    ----------
    frame : DataFrame, shape (n, d)
        Values only, on a DatetimeIndex named "time" (naive).
    labels : Series of int8, shape (n,)
        1 = anomaly, 0 = normal, on the same index.
    facts : dict
        `name`, `title`, `source`, `licence`, `real`, `unit`, `step`, `periods` (rows per cycle), `train_share`, `n_events`,
        `events` (their names, in order of time).
    """

    frame: pd.DataFrame
    labels: pd.Series
    facts: dict[str, Json]

    def __str__(self) -> str:
        rows, columns = self.frame.shape
        told = f"{self.facts['n_events']} events on {int(self.labels.sum())} rows"
        return f"{self.facts['name']}: {self.facts['title']}; {rows} rows x {columns}, {told}"


def load(name: str) -> Dataset:
    """Read one of the labelled series.

    Parameters
    ----------
    name : str
        One of `tsprune.datasets.list()`.

    Raises
    ------
    BadParameter
        If there is no series of that name.

    Examples
    --------
    >>> import tsprune as tsp
    >>> elnino = tsp.datasets.load("elnino")
    >>> print(elnino)
    elnino: Sea-surface temperature off Peru (Nino 1+2), monthly, 1950-2010; 732 rows x 1, 8 events on 108 rows
    >>> float(elnino.frame.loc["1983-06-01", "value"])
    27.43
    """
    if name not in list():
        raise BadParameter(f"name is {name!r}; the series that come with tsprune are {', '.join(repr(known) for known in list())}.")
    frame = pd.read_csv(_path(name), index_col="time", parse_dates=["time"])
    labels = frame.pop("label").astype("int8")
    n_events = int(((labels == 1) & (labels.shift(fill_value=0) == 0)).sum())
    return Dataset(frame, labels, {"name": name, **deepcopy(_FACTS[name]), "n_events": n_events})


def list() -> tuple[str, ...]:  # noqa: A001 -- read as datasets.list()
    """Names of the series that come with the package.

    Examples
    --------
    >>> import tsprune as tsp
    >>> tsp.datasets.list()
    ('elnino', 'web_service')
    """
    return tuple(sorted(_FACTS))


def _path(name: str) -> Path:
    for folder in _FOLDERS:
        if (folder / f"{name}.csv").is_file():
            return folder / f"{name}.csv"
    raise FileNotFoundError(f"{name}.csv is in neither of {', '.join(str(folder) for folder in _FOLDERS)}. Install tsprune again.")
