"""A job: what JOB.toml describes, to be checked, run, asked and turned back from Python as from the command line."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tsprune.monitor import models
from tsprune.monitor.config import JobConfig, config_of, load_config
from tsprune.monitor.database import locked
from tsprune.monitor.errors import BadJob
from tsprune.monitor.moments import iso, now, spoken
from tsprune.monitor.run import Run, RunResult, new_log
from tsprune.monitor.secrets import expand
from tsprune.monitor.sinks import open_sink
from tsprune.monitor.source import blank_model, open_source
from tsprune.monitor.status import Status, read_status
from tsprune.monitor.store import Store

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from typing import TextIO


@dataclass(frozen=True)
class Job:
    """A configured monitor.

    Examples
    --------
    >>> from tsprune.monitor import Job
    >>> job = Job.of({"name": "taxi", "source": {"kind": "csv", "path": "taxi.csv"}, "model": {"file": "taxi.tsp"}})
    >>> job.config.store_url
    'sqlite:///taxi.db'
    """

    config: JobConfig

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a job file; BadJob names the line of what is wrong."""
        return cls(load_config(path))

    @classmethod
    def of(cls, tables: Mapping[str, Any], folder: str | os.PathLike[str] | None = None) -> Self:
        """A job from the tables of a job file; relative paths begin at `folder`."""
        return cls(config_of(tables, folder=None if folder is None else Path(folder)))

    def run(self, as_of: int | None = None, *, dry_run: bool = False, wait: float = 0.0, log: TextIO | None = None) -> RunResult:
        """Score what is new, keep it, and tell whom it concerns.

        Parameters
        ----------
        as_of : int, optional
            Nanoseconds since 1970 that count as now: rows after it are not seen.  The system clock where not given.
        dry_run : bool
            Write nothing: the result says what would be kept and told.
        wait : float
            Seconds to wait for another run of this job.
        log : text stream, optional
            Gets a line of JSON per event.

        Raises
        ------
        BadJob, BadModelFile, Locked, Temporary
            Everything that was committed before stays, and the next run goes on from there.
        """
        lines = new_log(self.config, log)
        if dry_run:
            with closing(self._store_if_there() or Store.blank(self.config.name)) as store:
                return Run(self.config, store, as_of, lines, dry=True).execute()
        with self._locked(wait), closing(Store.open(self.config)) as store:
            return Run(self.config, store, as_of, lines).execute()

    def status(self, as_of: int | None = None) -> Status:
        """How the job is."""
        with closing(Store.open(self.config, read_only=True)) as store:
            return read_status(store, self.config, as_of)

    def rollback(self) -> str:
        """Put the model before to work again; a sentence on which."""
        with self._locked(0.0), closing(Store.open(self.config)) as store:
            gone, back = models.rollback(store)
        return f"{gone.hash} ({gone.origin}) gives way to {back.hash} ({back.origin}, at work since {iso(back.since)})"

    def silence(self, duration: int, series: str = "*", reason: str = "", *, since: int | None = None) -> str:
        """Tell nobody of some series for a while (nanoseconds); what is still open afterwards is told then."""
        start = now() if since is None else since
        with closing(Store.open(self.config)) as store:
            row = (self.config.name, series, start, start + duration, reason)
            store.database.write("INSERT INTO silences (job, pattern, since, until, reason) VALUES (?, ?, ?, ?, ?)", [row])
        return f"series {series!r} of job {self.config.name!r} are silent for {spoken(duration)}, until {iso(start + duration)}"

    def unsilence(self, series: str = "*") -> str:
        """End the silences of exactly this pattern."""
        with closing(Store.open(self.config)) as store:
            store.database.write(
                "UPDATE silences SET until = ? WHERE job = ? AND pattern = ? AND until > ?", [(now(), self.config.name, series, now())]
            )
        return f"series {series!r} of job {self.config.name!r} are no longer silent"

    def acknowledge(self, key: str, note: str = "seen") -> str:
        """Somebody looks after an alert: it is not told again until it is over.

        Raises
        ------
        BadJob
            If no alert of this job has a key that begins so, or more than one has.
        """
        with closing(Store.open(self.config)) as store:
            keys = [alert.key for alert in store.alerts() if alert.key.startswith(key)]
            if len(keys) != 1:
                raise BadJob(f"{len(keys)} alerts of job {self.config.name!r} have a key that begins with {key!r}; see tsprune status.")
            store.database.write("UPDATE alerts SET acknowledged = ? WHERE key = ?", [(note or "seen", keys[0])])
        return f"alert {keys[0]} is acknowledged"

    def check(self) -> list[str]:
        """Reach everything that a run needs, and change nothing.

        Returns
        -------
        list of str
            A sentence on each part that works.

        Raises
        ------
        BadJob, BadModelFile, Temporary
            On the first that does not.
        """
        found = self._store_if_there()
        with closing(found or Store.blank(self.config.name)) as store:
            active = models.current(store, self.config, now())
        model = blank_model(self.config) if active is None else active.model
        told = ["model: still to be learned" if active is None else f"model: {active.hash}, columns {', '.join(model.columns)}"]
        if active is None or self.config.refit.policy != "never":
            from tsprune.monitor.learn import pipeline_of

            told.append(f"learning: {', '.join(name for name, _ in pipeline_of(self.config.model).named_steps())}")
        with closing(open_source(self.config, model)) as source:
            rows = source.read(now() - self.config.schedule.start, now())
        told.append(
            f"source: {len(rows):,} rows of {len(set(rows.code.tolist())):,} series in the last {spoken(self.config.schedule.start)}"
        )
        told.append(f"store: {'will be made by the first run' if found is None else 'ready'}")
        for section in self.config.sinks:
            open_sink(section, self.config)
            told.append(f"sink {section.name}: {section.kind}")
        return told

    def _locked(self, wait: float) -> AbstractContextManager[None]:
        return locked(self.config.store_url, self.config.folder, self.config.name, wait)

    def _store_if_there(self) -> Store | None:
        url = self.config.store_url
        if url.startswith("sqlite:///") and not self.config.path(expand(url.removeprefix("sqlite:///"))).exists():
            return None
        return Store.open(self.config, read_only=True)
