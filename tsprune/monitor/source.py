"""Where rows come from.  A source is asked for a span of time and keeps no state: what it gave once it gives again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tsprune.model.clock import Clock
from tsprune.monitor import sections as s
from tsprune.monitor.errors import BadJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.rows import Rows


class Source(Protocol):
    """What a run asks of a source."""

    selects: bool  #: whether asking for some series costs less than asking for all

    def read(self, since: int, until: int, series: Sequence[str] | None = None) -> Rows:
        """All rows with since <= time <= until, of some series or of all.

        Raises
        ------
        BadJob, Temporary
            If a table or column is not there; if the source is out of reach.
        """

    def ahead(self, after: int) -> int:
        """Number of rows after a time: those that a wrong clock has stamped with the future."""

    def close(self) -> None:
        """End connections."""


def open_source(config: JobConfig, model: Any) -> Source:
    """The source of a job; the model tells the columns and the clock."""
    section = config.source
    columns = tuple(model.columns)
    if isinstance(section, s.PrometheusSource):
        from tsprune.monitor.prometheus import Prometheus

        return Prometheus(section, config.folder, columns, model.clock)
    names = section.values or columns
    if len(names) != len(columns):
        raise BadJob(f"source.values names {len(names)} columns, and the model has {len(columns)}: {', '.join(columns)}.")
    if isinstance(section, s.SqlSource):
        from tsprune.monitor.sql import Sql

        return Sql(section, config.folder, names, model.clock, config.name)
    from tsprune.monitor.files import Files

    return Files(section, config.folder, names, model.clock, config.name)


@dataclass(frozen=True)
class Blank:
    """The columns and the clock of a source, in place of a model that is still to be learned."""

    columns: tuple[str, ...]
    clock: Clock


def blank_model(config: JobConfig) -> Blank:
    """What the job file tells of columns and clock.

    Raises
    ------
    BadJob
        If it names no columns.
    """
    columns = getattr(config.source, "queries", None) or getattr(config.source, "values", None)
    if not columns:
        raise BadJob("source.values is missing: a job without a model file names the columns to learn from.")
    return Blank(tuple(columns), Clock("time", config.schedule.every, 0, np.empty(0, np.int64), np.zeros(1, np.int64)))
