"""A small world for a job to live in: hourly series in a database, a pruned model, a job file, and what should come of it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tsprune.monitor import Job
from tsprune.monitor.moments import DAY, HOUR, parse_time

#: Where time begins.
START = parse_time("2026-01-05")


@cache
def model_bytes(length: int = 3, recalibrate: int | None = None, min_length: int = 1) -> bytes:
    """A pruned forest on windows of hourly rows with a daily season, as a model file."""
    import pandas as pd

    import tsprune as tsp
    from tsprune.model import file

    index = pd.date_range("2025-11-01", periods=24 * 60, freq="h", tz="UTC", name="time")
    history = pd.Series(daily(index.asi8 // 1000 * 1000 if index.unit == "ns" else index.as_unit("ns").asi8, 99), index=index, name="load")
    steps = [tsp.Deseason(24), tsp.Windows(length), tsp.Pruned("iforest", keep=0.2, guard=None, random_state=0)]
    if recalibrate is not None or min_length > 1:
        steps.append(tsp.Threshold(rate=0.02, recalibrate=recalibrate, min_length=min_length))
    return file.to_bytes(tsp.Pipeline(steps).fit(history).freeze())


def daily(time: Any, seed: int) -> Any:
    """A daily pattern with noise, one value per time."""
    time = np.asarray(time, dtype=np.int64)
    noise = np.random.default_rng(seed).normal(size=len(time))
    return 50.0 + 20.0 * np.sin(2 * np.pi * (time % DAY) / DAY) + noise


@dataclass
class World:
    """A folder with a source, a model and a job file; `values` are (n_hours, n_series)."""

    folder: Path
    names: tuple[str, ...]
    time: Any
    values: Any
    tables: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, *, n_series: int = 3, days: int = 12, content: bytes | None = None, **sections: Any) -> World:
        """Series with a burst and a spike each; job sections as keywords."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "m.tsp").write_bytes(model_bytes() if content is None else content)
        names = tuple(f"host-{i}" for i in range(n_series))
        time = START + HOUR * np.arange(24 * days)
        values = np.column_stack([daily(time, i) for i in range(n_series)])
        for i in range(n_series):
            values[30 + 11 * i : 34 + 11 * i, i] += 60.0
            values[-40 - 7 * i, i] -= 70.0
        world = cls(folder, names, time, values)
        world.fill()
        world.configure(**sections)
        return world

    def fill(self, until: int | None = None) -> None:
        """Put all rows into the source, or those up to a time."""
        with sqlite3.connect(self.folder / "data.db") as source:
            source.execute("CREATE TABLE IF NOT EXISTS metrics (time TEXT, host TEXT, load REAL)")
            rows = [
                (str(np.datetime64(int(t), "ns").astype("datetime64[s]")), name, float(value))
                for t, row in zip(self.time, self.values, strict=True)
                if until is None or t <= until
                for name, value in zip(self.names, row, strict=True)
            ]
            source.executemany("INSERT INTO metrics VALUES (?, ?, ?)", rows)
        source.close()

    def take_out(self, hours: range) -> None:
        """Rows that were never written."""
        kept = ~np.isin(np.arange(len(self.time)), hours)
        self.time, self.values = self.time[kept], self.values[kept]
        (self.folder / "data.db").unlink()
        self.fill()

    def configure(self, **sections: Any) -> None:
        """Write the job file: a daily job on the source, with alerts to a file, unless a section says otherwise."""
        self.tables = {
            "name": "job",
            "schedule": {"every": "1d", "start": "30d"},
            "source": {"kind": "sql", "url": "sqlite:///data.db", "table": "metrics", "series": "host"},
            "model": {"file": "m.tsp"},
            "sink": [{"kind": "file", "path": "alerts.jsonl"}],
            "metrics": {"textfile": "job.prom"},
            **sections,
        }
        (self.folder / "job.toml").write_text(toml(self.tables), encoding="utf-8")

    @property
    def job(self) -> Job:
        return Job.load(self.folder / "job.toml")

    def day(self, number: float) -> int:
        """A moment so many days after the start, between two rows."""
        return START + round(number * DAY) + HOUR // 2

    def run(self, as_of: int, **options: Any) -> Any:
        return self.job.run(as_of, **options)

    # -- what came of it --------------------------------------------------------------------------------------------

    def ask(self, question: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        store = sqlite3.connect(self.folder / "job.db")
        try:
            return store.execute(question, values).fetchall()
        finally:
            store.close()

    def ledger(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything a store must agree in, however many runs it took."""
        return {
            "scores": self.ask("SELECT series, time, model, score, alarm FROM named_scores ORDER BY series, time, model"),
            "series": self.ask("SELECT name, settled, newest, episode FROM series ORDER BY name"),
            "alerts": self.ask("SELECT key, kind, state, first, fired, last, over, n_rows, peak, told FROM alerts ORDER BY key"),
            "days": self.ask("SELECT day, n_rows, n_scored, n_alarms, scores, inputs, spread FROM days ORDER BY day"),
            "messages": self.ask("SELECT sink, key FROM outbox ORDER BY sink, key"),
        }

    def told(self, path: str = "alerts.jsonl") -> list[dict[str, Any]]:
        """Messages that the file sink has."""
        file = self.folder / path
        return [json.loads(line) for line in file.read_text().splitlines() if line] if file.exists() else []

    def expected_scores(self, until: int) -> list[tuple[str, int, float | None]]:
        """Every row's score from the model itself, all rows at once: what the store must hold."""
        from tsprune.model import file

        model: Any = file.from_bytes((self.folder / "m.tsp").read_bytes())
        seen = self.time <= until
        found = []
        for name, column in sorted(zip(self.names, self.values.T, strict=True)):
            scores = model.anomaly_score(column[seen], self.time[seen])
            found += [(name, int(t), None if np.isnan(s) else float(s)) for t, s in zip(self.time[seen], scores, strict=True)]
        return found


def toml(tables: dict[str, Any]) -> str:
    """Tables as the text of a job file."""
    plain = [f"{key} = {_value(value)}" for key, value in tables.items() if not _is_table(value)]
    for key, value in tables.items():
        if isinstance(value, dict):
            plain += [f"\n[{key}]", *(f"{_key(name)} = {_value(word)}" for name, word in value.items())]
        elif _is_table(value):
            for item in value:
                plain += [f"\n[[{key}]]", *(f"{_key(name)} = {_value(word)}" for name, word in item.items())]
    return "\n".join(plain) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(name: str) -> str:
    return json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(word)}" for name, word in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
