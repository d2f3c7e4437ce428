"""Series made up from a seed: a web service with incidents, and small signals for tests and pictures.

The service is a chain of causes (demand, cost of a request, share that fails ...) from which the
metrics follow, so an incident changes all the metrics that its cause reaches.  The incidents stand in a
fixed timetable; a seed changes the noise and how hard each one hits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from tsprune.params import check_choice, check_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from tsprune.types import Floats

    Causes: TypeAlias = dict[str, Floats]

DAY = 288  #: steps of five minutes
WEEKS = 6
#: A Monday; times are naive UTC.
START = "2025-01-06"


@dataclass(frozen=True)
class Incident:
    """One incident of the timetable; `column` is the metric that shows it most."""

    kind: str
    day: int
    clock: str
    minutes: int
    column: str

    @property
    def rows(self) -> slice:
        """The rows that it covers."""
        hour, minute = (int(number) for number in self.clock.split(":"))
        first = self.day * DAY + hour * 12 + minute // 5
        return slice(first, first + self.minutes // 5)


#: Three mild ones in the first three weeks: a history that is mostly clean, but not perfectly.
INCIDENTS = (
    Incident("error_spike", 4, "15:20", 15, "errors"),
    Incident("outage", 10, "10:00", 35, "requests"),
    Incident("noise_burst", 16, "13:00", 120, "latency_ms"),
    Incident("latency_spike", 22, "14:00", 15, "latency_ms"),
    Incident("dip", 23, "18:30", 30, "requests"),
    Incident("latency_shift", 25, "08:00", 360, "latency_ms"),
    Incident("wrong_phase", 27, "01:00", 300, "requests"),
    Incident("slow_leak", 30, "06:00", 1080, "memory_mb"),
    Incident("outage", 32, "20:10", 50, "requests"),
    Incident("flat_line", 34, "09:00", 300, "cpu_percent"),
    Incident("decorrelation", 36, "11:00", 240, "cpu_percent"),
    Incident("noise_burst", 38, "12:00", 180, "latency_ms"),
    Incident("error_spike", 39, "21:00", 15, "errors"),
)
#: A release: from here on the service needs more memory and processor.  It is meant, so it carries no label.
RELEASE = 29 * DAY + 10 * 12


def web_service(random_state: int = 0) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Simulate six weeks of a web service at a step of five minutes.

    Parameters
    ----------
    random_state : int
        Seed; `data/web_service.csv` is the one of seed 0.

    Returns
    -------
    frame : DataFrame, shape (12096, 8)
        `requests` and `lb_requests` (per second; the second is a copy of the first), `latency_ms`, `errors` (count
        per step), `cpu_percent`, `memory_mb`, `replicas` (constant), `room_temp_c` (of no concern); rounded as monitoring does.
    labels : Series of int8
        1 within an incident.
    incidents : DataFrame
        `start`, `end` (times of its first and last row), `kind`, `column`.

    Examples
    --------
    >>> from tsprune.series.synthetic import web_service
    >>> frame, labels, incidents = web_service()
    >>> frame.shape, len(incidents), int(labels.sum())
    ((12096, 8), 13, 548)
    """
    rng = np.random.default_rng(check_count(random_state=random_state, low=0))
    n = WEEKS * 7 * DAY
    index = pd.date_range(START, periods=n, freq="5min", name="time")
    causes = _causes(rng, n)
    labels = pd.Series(np.zeros(n, np.int8), index=index, name="label")
    for incident in INCIDENTS:
        _strike(causes, incident.kind, incident.rows, rng.uniform())
        labels.iloc[incident.rows] = 1
    return pd.DataFrame(_metrics(causes, rng), index=index), labels, _timetable(index)


def _causes(rng: np.random.Generator, n: int) -> Causes:
    """What drives the service while nothing happens."""
    after = (np.arange(n) >= RELEASE).astype(np.float64)
    return {
        "demand": _demand(np.arange(n) / DAY) * np.exp(0.05 * _red_noise(rng, n, 24) + 0.02 * rng.normal(size=n)),
        "cost": 1.0 + 0.12 * after,  # processor time of a request
        "slowness": np.ones(n),  # factor on the latency
        "jitter": np.full(n, 0.05),  # spread of the latency
        "failing": np.full(n, 2e-4),  # share of the requests
        "leak": 160.0 * after,  # megabytes
        "stuck": np.zeros(n),  # 1 where the processor metric is not refreshed
    }


def _demand(days: Floats) -> Floats:
    """Expected share of the peak: two humps on a working day, a late and lower one at the weekend."""
    hour = days % 1.0 * 24.0
    working = 0.22 + 0.62 * _hump(hour, 11.0, 3.2) + 0.75 * _hump(hour, 19.5, 2.8)
    weekend = 0.24 + 0.55 * _hump(hour, 15.0, 4.5)
    share = np.interp((days - 0.2) % 7.0, [0.0, 4.9, 5.1, 6.9, 7.0], [0.0, 0.0, 1.0, 1.0, 0.0])
    return (1.0 - share) * working + share * weekend


def _hump(hour: Floats, centre: float, width: float) -> Floats:
    away = (hour - centre + 12.0) % 24.0 - 12.0
    return np.exp(-((away / width) ** 2))


def _red_noise(rng: np.random.Generator, n: int, memory: int) -> Floats:
    """Noise of standard deviation 1 that forgets within about `memory` steps."""
    weight = 2.0 / (memory + 1.0)
    to_one = np.sqrt((2.0 - weight) / weight)  # an exponential mean of white noise spreads by 1 / to_one
    noise = rng.normal(size=n) * to_one
    noise[0] /= to_one  # the first value has no past to be averaged with
    return pd.Series(noise).ewm(alpha=weight, adjust=False).mean().to_numpy()


def _metrics(causes: Causes, rng: np.random.Generator) -> dict[str, Floats]:
    """The eight metrics that follow from the causes."""
    n = len(causes["demand"])
    requests = (240.0 * causes["demand"]).round(1)
    load = requests / 240.0 * causes["cost"]
    cpu = pd.Series(14.0 + 58.0 * load + 1.2 * rng.normal(size=n)).clip(0.0, 100.0)
    latency = (70.0 + 45.0 * load**3) * causes["slowness"] * np.exp(causes["jitter"] * rng.normal(size=n))
    memory = 1450.0 + 120.0 * causes["demand"] + causes["leak"] + 14.0 * _red_noise(rng, n, 36) + 3.0 * rng.normal(size=n)
    room = 21.5 + 0.7 * np.sin(2 * np.pi * (np.arange(n) / DAY - 0.4)) + 0.5 * _red_noise(rng, n, 3 * DAY) + 0.05 * rng.normal(size=n)
    return {
        "requests": requests,
        "latency_ms": latency.round(1),
        "errors": rng.poisson(requests * 300.0 * causes["failing"]),
        "cpu_percent": cpu.mask(causes["stuck"] > 0).ffill().round(1).to_numpy(),
        "memory_mb": memory.round(1),
        "lb_requests": requests,
        "replicas": np.full(n, 4),
        "room_temp_c": room.round(2),
    }


def _strike(causes: Causes, kind: str, rows: slice, luck: float) -> None:
    """Let an incident change its causes; `luck` in [0, 1) is how hard it hits."""
    if kind in _FACTORS:
        cause, low, high = _FACTORS[kind]
        causes[cause][rows] *= low + (high - low) * luck
    if kind == "outage":
        causes["failing"][rows] = 0.3
    elif kind == "slow_leak":
        causes["leak"][rows] += np.linspace(0.0, 200.0 + 120.0 * luck, rows.stop - rows.start)
    elif kind == "flat_line":
        causes["stuck"][rows] = 1.0
    elif kind == "wrong_phase":  # a crawler: the afternoon of three days ago in the middle of the night
        back = 3 * DAY - DAY // 2
        causes["demand"][rows] = causes["demand"][rows.start - back : rows.stop - back] * (0.95 + 0.1 * luck)


#: Incidents that multiply one cause: the cause, and the range of the factor.
_FACTORS = {
    "error_spike": ("failing", 15.0, 30.0),
    "latency_spike": ("slowness", 2.5, 3.5),
    "latency_shift": ("slowness", 1.25, 1.45),
    "noise_burst": ("jitter", 3.0, 5.0),
    "outage": ("demand", 0.02, 0.05),
    "dip": ("demand", 0.5, 0.6),
    "decorrelation": ("cost", 0.35, 0.55),
}


def _timetable(index: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "start": index[[incident.rows.start for incident in INCIDENTS]],
            "end": index[[incident.rows.stop - 1 for incident in INCIDENTS]],
            "kind": [incident.kind for incident in INCIDENTS],
            "column": [incident.column for incident in INCIDENTS],
        }
    )


def signal(name: str, n: int = 1008, random_state: int = 0) -> pd.Series | pd.DataFrame:
    """A small signal without anomalies, hourly from 2024-01-01, with residual noise of standard deviation 1 or so.

    Parameters
    ----------
    name : str
        "noise", "walk", "daily" (period 24), "weekly" (periods 24 and 168), "drift" (daily on a slow trend), "pulse" (a sharp
        beat every 50 rows), "constant", or "coupled" (a DataFrame: `a` and `b` follow one cause, `c` does not).
    n : int
        Number of rows.
    random_state : int
        Seed.

    Examples
    --------
    >>> from tsprune.series.synthetic import signal
    >>> bool(signal("daily", n=480).autocorr(24) > 0.9)
    True
    """
    check_choice(_SIGNALS, name=name)
    rng = np.random.default_rng(check_count(random_state=random_state, low=0))
    index = pd.date_range("2024-01-01", periods=check_count(n=n), freq="h", name="time")
    values = _SIGNALS[name](np.arange(n, dtype=np.float64), rng)
    return pd.DataFrame(values, index=index) if isinstance(values, dict) else pd.Series(values, index=index, name="value")


def _daily(rows: Floats, rng: np.random.Generator) -> Floats:
    return 50.0 + 10.0 * np.sin(2 * np.pi * rows / 24) + 4.0 * np.cos(4 * np.pi * rows / 24) + rng.normal(size=len(rows))


def _weekly(rows: Floats, rng: np.random.Generator) -> Floats:
    return _daily(rows, rng) - 12.0 * (rows % 168 >= 120)


def _drift(rows: Floats, rng: np.random.Generator) -> Floats:
    return _daily(rows, rng) + 15.0 * np.sin(2 * np.pi * rows / 800)


def _pulse(rows: Floats, rng: np.random.Generator) -> Floats:
    phase = rows % 50
    return 20.0 * np.exp(-(((phase - 20) / 2) ** 2)) + 6.0 * np.exp(-(((phase - 32) / 5) ** 2)) + 0.5 * rng.normal(size=len(rows))


def _coupled(rows: Floats, rng: np.random.Generator) -> Causes:
    cause = _daily(rows, rng) + 3.0 * _red_noise(rng, len(rows), 12)
    return {
        "a": cause + 0.5 * rng.normal(size=len(rows)),
        "b": 100.0 + 3.0 * cause + rng.normal(size=len(rows)),
        "c": _red_noise(rng, len(rows), 12) + rng.normal(size=len(rows)),
    }


_SIGNALS: dict[str, Callable[[Floats, np.random.Generator], Floats | Causes]] = {
    "noise": lambda rows, rng: rng.normal(size=len(rows)),
    "walk": lambda rows, rng: np.cumsum(rng.normal(size=len(rows))),
    "daily": _daily,
    "weekly": _weekly,
    "drift": _drift,
    "pulse": _pulse,
    "constant": lambda rows, _: np.full(len(rows), 5.0),
    "coupled": _coupled,
}
