"""JOB.toml as a frozen dataclass: unknown keys, wrong values and contradictions are refused with their line."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprune.errors import BadParameter
from tsprune.monitor import fields as f
from tsprune.monitor import sections as s
from tsprune.monitor.errors import BadJob
from tsprune.monitor.fields import Place, read_table
from tsprune.monitor.moments import DAY

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

#: The section of each kind.
_SOURCES: dict[str, type[Any]] = {"csv": s.FileSource, "parquet": s.FileSource, "sql": s.SqlSource, "prometheus": s.PrometheusSource}
_SINKS: dict[str, type[Any]] = {"stdout": s.StdoutSink, "file": s.FileSink, "webhook": s.WebhookSink, "alertmanager": s.AlertmanagerSink}


@dataclass(frozen=True)
class JobConfig:
    """A job: what JOB.toml says, checked."""

    name: str
    source: s.Source
    model: s.ModelChoice
    schedule: s.Schedule
    alert: s.AlertRules
    sinks: tuple[s.Sink, ...]
    store: s.Keeping
    metrics: s.Textfile
    refit: s.Refit
    folder: Path  # relative paths begin here

    @property
    def store_url(self) -> str:
        """Where the store is."""
        return self.store.url or f"sqlite:///{self.name}.db"

    def path(self, given: str) -> Path:
        """A path of the job file."""
        return self.folder / given


def load_config(path: str | os.PathLike[str]) -> JobConfig:
    """Read a job file.

    Raises
    ------
    BadJob
        With the line, and for an unknown name the nearest one that is known.
    """
    file = Path(path)
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadJob(f"{file} cannot be read: {error}") from error
    try:
        tables = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadJob(f"{file} is not TOML: {error}") from error
    return config_of(tables, folder=file.absolute().parent, place=Place(content, str(file)))


def config_of(tables: Mapping[str, Any], *, folder: Path | None = None, place: Place | None = None) -> JobConfig:
    """A job from the tables of a job file.

    >>> from tsprune.monitor.config import config_of
    >>> job = config_of({"name": "taxi", "source": {"kind": "csv", "path": "taxi.csv"}, "model": {"file": "taxi.tsp"}})
    >>> job.store_url, job.schedule.patience // 3600_000_000_000
    ('sqlite:///taxi.db', 3)
    """
    place = place or Place("", "the job")
    sections = ("name", "source", "model", "schedule", "alert", "sink", "store", "metrics", "refit")
    for key in tables:
        if key not in sections:
            raise place.at(key).refuse(f"is not a key{f.nearest(key, sections)}")
    for key in ("name", "source", "model"):
        if key not in tables:
            raise place.at(key).refuse("is missing.")
    try:
        title = f.name(tables["name"])
    except BadParameter as error:
        raise place.at("name").refuse(f"is wrong: {error}") from error
    sinks = tables.get("sink", [{"kind": "stdout"}])
    if not isinstance(sinks, list):
        raise place.at("sink").refuse("is a table; write each sink as [[sink]].")
    config = JobConfig(
        name=title,
        source=_by_kind(_SOURCES, tables["source"], place.at("source")),
        model=read_table(s.ModelChoice, tables["model"], place.at("model")),
        schedule=read_table(s.Schedule, tables.get("schedule", {}), place.at("schedule")),
        alert=read_table(s.AlertRules, tables.get("alert", {}), place.at("alert")),
        sinks=tuple(_by_kind(_SINKS, sink, place.at("sink", i)) for i, sink in enumerate(sinks)),
        store=read_table(s.Keeping, tables.get("store", {}), place.at("store")),
        metrics=read_table(s.Textfile, tables.get("metrics", {}), place.at("metrics")),
        refit=read_table(s.Refit, tables.get("refit", {}), place.at("refit")),
        folder=folder or Path.cwd(),
    )
    _agree(config, place)
    return config


def reference() -> str:
    """All sections of a job file as Markdown: docs/jobs.md holds this text.

    >>> from tsprune.monitor.config import reference
    >>> reference().splitlines()[0]
    '### `[source]` with `kind = "csv"` or `"parquet"`'
    """
    parts = {
        '[source]` with `kind = "csv"` or `"parquet"': s.FileSource,
        '[source]` with `kind = "sql"': s.SqlSource,
        '[source]` with `kind = "prometheus"': s.PrometheusSource,
        "[model]": s.ModelChoice,
        "[schedule]": s.Schedule,
        "[alert]": s.AlertRules,
        '[[sink]]` with `kind = "stdout"': s.StdoutSink,
        '[[sink]]` with `kind = "file"': s.FileSink,
        '[[sink]]` with `kind = "webhook"': s.WebhookSink,
        '[[sink]]` with `kind = "alertmanager"': s.AlertmanagerSink,
        "[store]": s.Keeping,
        "[metrics]": s.Textfile,
        "[refit]": s.Refit,
    }
    return "\n\n".join(f"### `{title}`\n\n{kind.__doc__}\n\n{f.reference(kind)}" for title, kind in parts.items())


def _by_kind(kinds: Mapping[str, type[Any]], table: Any, place: Place) -> Any:
    if not isinstance(table, dict) or "kind" not in table:
        raise place.at("kind").refuse(f"is missing; it is one of {', '.join(kinds)}.")
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in kinds:
        raise place.at("kind").refuse(f"is {kind!r}{f.nearest(str(kind), kinds)}")
    return read_table(kinds[kind], table, place)


def _agree(config: JobConfig, place: Place) -> None:
    names = [sink.name for sink in config.sinks]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise place.at("sink", i).refuse(f"is named {name!r}, as another one is; give each sink its own name.")
    if config.refit.policy != "never" and config.model.history <= 2 * config.refit.recent:
        raise place.at("model", "history").refuse("is no longer than twice refit.recent: nothing is left to learn from.")
    if config.schedule.late >= config.store.keep:
        raise place.at("schedule", "late").refuse("is as long as scores are kept.")
    if config.schedule.every > 400 * DAY:
        raise place.at("schedule", "every").refuse("is above 400 days.")
