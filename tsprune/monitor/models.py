"""The models of a job: which one is at work, which were before, and how to go back.

Their bytes are kept in the store, so that a new model, its threshold and the fact that it is at work change in one
transaction.  A model file that is replaced on disk is a deployment: it goes to work with the next run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tsprune.errors import BadModelFile
from tsprune.model import file
from tsprune.model.level import Level
from tsprune.monitor.errors import BadJob

if TYPE_CHECKING:
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.store import Store

_COLUMNS = "id, hash, content, threshold, calibrated, since, origin, verdict, previous"


@dataclass(frozen=True)
class Active:
    """A model at work."""

    id: int  # in the store; -1 where it is not there yet
    hash: str
    content: bytes
    model: Any
    threshold: float
    calibrated: bool  # whether the threshold is as the job wants it
    since: int
    origin: str  # "file", "refit"
    verdict: str = ""
    previous: int | None = None

    @property
    def level(self) -> Level:
        """What makes an alarm of a score: as the model has it, or the threshold of the job."""
        own = getattr(self.model, "level", None)
        return own if isinstance(own, Level) and own.threshold == self.threshold else Level(self.threshold)


def loaded(content: bytes, *, since: int, origin: str, verdict: str = "") -> Active:
    """A model from the bytes of a model file.

    Raises
    ------
    BadModelFile
        If they are no model, or one that cannot be scheduled since it learned on row numbers.
    """
    model: Any = file.from_bytes(content)
    if not hasattr(model, "anomaly_score") or not hasattr(model, "clock"):
        raise BadModelFile(f"the file holds a {type(model).__name__}, not a whole model.")
    if model.clock.kind == "index":
        raise BadModelFile("the model learned on row numbers; a job needs one that learned on timestamps.")
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Active(-1, digest, content, model, float(model.threshold), False, since, origin, verdict)


def with_threshold(active: Active, config: JobConfig) -> Active:
    """The threshold of the job file stands above all others."""
    if config.model.threshold is not None:
        return replace(active, threshold=config.model.threshold, calibrated=True)
    return active if config.model.alarms_per_week is not None else replace(active, calibrated=True)


def current(store: Store, config: JobConfig, as_of: int) -> Active | None:
    """The model at work: a new file where there is one, else what the store has; None where one is still to be learned."""
    rows = store.database.query("SELECT model, deployed FROM jobs WHERE job = ?", (store.job,))
    number, deployed = rows[0] if rows else (None, None)
    on_disk = _from_disk(config, as_of)
    if on_disk is not None and on_disk.hash != deployed:
        return with_threshold(replace(on_disk, previous=number), config)
    return None if number is None else with_threshold(at(store, number), config)


def at(store: Store, number: int) -> Active:
    """A model of the store."""
    rows = store.database.query(f"SELECT {_COLUMNS} FROM models WHERE id = ? AND job = ?", (number, store.job))  # noqa: S608
    if not rows:
        raise BadJob(f"the store has no model {number}.")
    _, _, content, threshold, calibrated, since, origin, verdict, previous = rows[0]
    active = loaded(bytes(content), since=since, origin=origin, verdict=verdict)
    return replace(active, id=number, threshold=threshold, calibrated=bool(calibrated), previous=previous)


def _from_disk(config: JobConfig, as_of: int) -> Active | None:
    if config.model.file is None:
        return None
    path = config.path(config.model.file)
    try:
        content, changed = path.read_bytes(), path.stat().st_mtime_ns
    except OSError as error:
        raise BadModelFile(f"{path} cannot be read: {error}") from error
    try:
        return loaded(content, since=min(changed, as_of), origin="file")
    except BadModelFile as error:
        raise BadModelFile(f"{path}: {error}") from error


def activate(store: Store, active: Active) -> Active:
    """Put a model to work, and keep the one before for a rollback; on a model of the store, change its threshold."""
    database = store.database
    with database.transaction():
        if active.id >= 0:
            changed = (active.threshold, int(active.calibrated), active.id)
            database.write("UPDATE models SET threshold = ?, calibrated = ? WHERE id = ?", [changed])
            return active
        row = (
            store.job,
            active.hash,
            active.content,
            active.threshold,
            int(active.calibrated),
            active.since,
            active.origin,
            active.verdict,
        )
        number = database.query(
            "INSERT INTO models (job, hash, content, threshold, calibrated, since, origin, verdict, previous) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (*row, active.previous),
        )[0][0]
        _point(store, number, active.hash if active.origin == "file" else None)
    return replace(active, id=number)


def rollback(store: Store) -> tuple[Active, Active]:
    """Put the model before to work again: the one that goes, and the one that comes.

    Raises
    ------
    BadJob
        If there is none before.
    """
    rows = store.database.query("SELECT model FROM jobs WHERE job = ?", (store.job,))
    if not rows or rows[0][0] is None:
        raise BadJob(f"job {store.job!r} has no model at work yet.")
    gone = at(store, rows[0][0])
    if gone.previous is None:
        raise BadJob(f"job {store.job!r} has no model before {gone.hash}: it is the first.")
    back = at(store, gone.previous)
    with store.database.transaction():
        _point(store, back.id, None)
    return gone, back


def _point(store: Store, number: int, deployed: str | None) -> None:
    store.database.write("INSERT INTO jobs (job) VALUES (?) ON CONFLICT (job) DO NOTHING", [(store.job,)])
    store.database.write("UPDATE jobs SET model = ? WHERE job = ?", [(number, store.job)])
    if deployed is not None:
        store.database.write("UPDATE jobs SET deployed = ? WHERE job = ?", [(deployed, store.job)])


def tried(store: Store) -> int | None:
    """When a refit was last tried."""
    rows = store.database.query("SELECT tried FROM jobs WHERE job = ?", (store.job,))
    return rows[0][0] if rows else None


def note_try(store: Store, as_of: int) -> None:
    """Remember that a refit was tried, whatever came of it."""
    store.database.write("UPDATE jobs SET tried = ? WHERE job = ?", [(as_of, store.job)])
