"""Range queries of a Prometheus server as a source: one value per series and slot of the model's clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np

from tsprune.monitor.errors import BadJob, Refused, Temporary
from tsprune.monitor.moments import SECOND
from tsprune.monitor.raw import between
from tsprune.monitor.rows import Rows, clean
from tsprune.monitor.secrets import token
from tsprune.monitor.web import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tsprune.monitor.sections import PrometheusSource
    from tsprune.types import Floats

#: Points of one series that Prometheus gives in one answer.
_POINTS = 10_000


class Prometheus:
    """PromQL expressions, one per column of the model, joined by the labels that name a series."""

    selects = False

    def __init__(self, section: PrometheusSource, folder: Path, columns: tuple[str, ...], clock: Any):
        if set(section.queries) != set(columns):
            raise BadJob(f"source.queries has the columns {sorted(section.queries)}, and the model has {sorted(columns)}.")
        if clock.kind != "time" or clock.step < SECOND // 1000 or clock.step % (SECOND // 1000):
            raise BadJob("Prometheus counts in milliseconds: it cannot give the steps of this model's clock.")
        self.queries = [section.queries[column] for column in columns]
        self.section, self.clock = section, clock
        secret = token(section.token_env, section.token_file, folder)
        self.server = Server(section.url, secret, section.allow_http, section.timeout)
        self.server.check()

    def read(self, since: int, until: int, series: Sequence[str] | None = None) -> Rows:
        step, origin = self.clock.step, self.clock.origin
        first, last = -(-(since - origin) // step), (until - origin) // step
        found: dict[str, int] = {}
        pieces = [
            (found.setdefault(name, len(found)), column, slots, values)
            for column in range(len(self.queries))
            for start in range(first, last + 1, _POINTS)
            for name, slots, values in self._answers(self.queries[column], start, min(start + _POINTS - 1, last))
        ]
        if not pieces:
            return Rows.none(len(self.queries))
        return between(self._joined(tuple(found), pieces), since, until, series)

    def _joined(self, names: tuple[str, ...], pieces: Sequence[tuple[int, int, Any, Floats]]) -> Rows:
        code = np.concatenate([np.full(len(slots), number, np.int64) for number, _, slots, _ in pieces])
        slot = np.concatenate([slots for _, _, slots, _ in pieces])
        column = np.concatenate([np.full(len(slots), which) for _, which, slots, _ in pieces])
        keys, at = np.unique(np.column_stack([code, slot]), axis=0, return_inverse=True)
        values = np.full((len(keys), len(self.queries)), np.nan)
        values[at.ravel(), column] = np.concatenate([values for *_, values in pieces])
        return Rows.of(names, keys[:, 0], keys[:, 1] * self.clock.step + self.clock.origin, values)

    def ahead(self, after: int) -> int:
        """Prometheus stamps by its own clock."""
        return 0

    def close(self) -> None:
        """Each question is a connection of its own."""

    def _answers(self, query: str, first: int, last: int) -> Iterator[tuple[str, Any, Floats]]:
        """Name, slots and values of each series between two slots."""
        start, end = (_seconds(slot * self.clock.step + self.clock.origin) for slot in (first, last))
        asked = urlencode({"query": query, "start": start, "end": end, "step": _seconds(self.clock.step)})
        try:
            answer = self.server.send("/api/v1/query_range", asked.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
        except Refused as error:
            raise BadJob(f"Prometheus refuses the query {query!r}: {error}") from error
        for result in _matrix(answer):
            points = result["values"]
            times = np.array([float(point[0]) for point in points])
            slots = np.rint((times * SECOND - self.clock.origin) / self.clock.step).astype(np.int64)
            yield self._name(result["metric"]), slots, np.array([float(point[1]) for point in points])

    def _name(self, labels: Mapping[str, str]) -> str:
        chosen = sorted(labels) if self.section.series is None else self.section.series
        kept = [(label, str(labels.get(label, ""))) for label in chosen if label != "__name__"]
        if self.section.series is not None and len(kept) == 1:
            return clean(kept[0][1])
        return clean("{" + ",".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in kept) + "}")


def _matrix(answer: bytes) -> list[dict[str, Any]]:
    try:
        content = json.loads(answer)
        if content["status"] != "success" or content["data"]["resultType"] != "matrix":
            raise Temporary(f"Prometheus answered {str(content)[:200]}")
        result: list[dict[str, Any]] = content["data"]["result"]
    except (ValueError, KeyError, TypeError) as error:
        raise Temporary(f"the answer is not Prometheus': {answer[:100]!r}") from error
    return result


def _seconds(moment: int) -> str:
    """Exact decimal seconds."""
    whole, rest = divmod(moment, SECOND)
    return f"{whole}.{rest:09d}"
