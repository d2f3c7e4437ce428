"""A database as a job needs it: questions, writes, one transaction at a time, and a lock that dies with its holder.

SQLite comes with Python; every other database goes through SQLAlchemy.  Statements carry `?` where a value is bound.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tsprune.monitor.errors import BadJob, Locked, Temporary
from tsprune.monitor.identifiers import check_identifier
from tsprune.monitor.secrets import expand, mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Seconds that a transaction waits for another one.
PATIENCE = 10.0


class Database(Protocol):
    """What sources and stores ask of a database."""

    dialect: str  # "sqlite", "postgresql", ...

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a question."""

    def write(self, sql: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        """Run a statement once for each row of values."""

    def transaction(self) -> Any:
        """A context whose writes all happen or none does."""

    def compact(self) -> None:
        """Give free space back; raises Temporary if what was written has not reached its place."""

    def close(self) -> None:
        """End the connection."""

    def quoted(self, identifier: str) -> str:
        """A checked name of a table or column, in the quotes of this database."""


def connect(url: str, folder: Path, *, read_only: bool = False) -> Database:
    """Open a database.

    Parameters
    ----------
    url : str
        "sqlite:///PATH" (relative to `folder`), or anything that SQLAlchemy knows; `${NAME}` is taken from the environment.
    folder : Path
    read_only : bool
        Refuse every write, and leave no file behind.

    Raises
    ------
    BadJob, Temporary
        If the URL is of no known form, or there is nobody at that address.
    """
    if url.startswith("sqlite:///"):
        return Sqlite(folder / expand(url.removeprefix("sqlite:///")), read_only=read_only)
    if "://" not in url:
        raise BadJob(f"the url {mask(url)!r} is of no known form; write sqlite:///PATH or postgresql://user:${{PASSWORD}}@host/name.")
    from tsprune.monitor.server import Server

    return Server(expand(url), read_only=read_only)


@contextmanager
def locked(url: str, folder: Path, name: str, wait: float) -> Iterator[None]:
    """A context in which no other process holds the lock of this name at this database.

    Raises
    ------
    Locked
        If another one holds it, and still does after `wait` seconds.
    """
    if not url.startswith("sqlite:///"):
        from tsprune.monitor.server import Server

        with closing(Server(expand(url))) as server, server.locked(name, wait):
            yield
        return
    # The lock of an empty database: held by the kernel for this process, gone with it, and the same on every system.
    path = folder / expand(url.removeprefix("sqlite:///"))
    with _told(path):
        lock = sqlite3.connect(f"{path}.{name}.lock", timeout=wait, isolation_level=None)
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Locked(f"another run of {name!r} is at work on {path}. Wait for it, or give it longer with --wait.") from error
            raise Temporary(f"the lock of {path}: {error}.") from error
        yield


class Sqlite:
    """A SQLite file: write-ahead log, every commit synced."""

    dialect = "sqlite"

    def __init__(self, path: Path | None, *, read_only: bool = False):
        self.path = Path(":memory:") if path is None else path
        if path is None:
            self.connection = sqlite3.connect(":memory:", isolation_level=None)
            return
        if read_only and not path.is_file():
            raise BadJob(f"there is no database {path}.")
        if not path.parent.is_dir():
            raise BadJob(f"there is no folder {path.parent} for the database {path.name}.")
        with _told(path):
            self.connection = self._open(read_only)

    def _open(self, read_only: bool) -> sqlite3.Connection:
        if not read_only:
            connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect on a new file only
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            return connection
        address = f"{self.path.absolute().as_uri()}?mode={self._reading()}"
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _reading(self) -> str:
        """How to read and leave nothing behind.

        A reader needs the log of a file that keeps one: to find it, to make it and take it away again, or, where the folder
        cannot be written, to know that there is none and nobody to write one.
        """
        with self.path.open("rb") as file:
            logs = file.read(20)[18:19] == b"\2"
        if not logs or Path(f"{self.path}-wal").exists():
            return "ro"
        return "rw" if os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK) else "ro&immutable=1"

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _told(self.path):
            return self.connection.execute(sql, values).fetchall()

    def write(self, sql: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        with _told(self.path):
            self.connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _told(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself where it could not go on
                    self.connection.execute("ROLLBACK")
                raise

    def compact(self) -> None:
        with _told(self.path):
            for _ in self.connection.execute("PRAGMA incremental_vacuum"):
                pass
            busy, logged, moved = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy and logged != moved:
            raise Temporary(f"{self.path}: the log could not be written back.")

    def close(self) -> None:
        self.connection.close()

    def quoted(self, identifier: str) -> str:
        # Not in double quotes: where no column has the name, SQLite would take it for a text.
        return ".".join(f"[{part}]" for part in check_identifier(identifier, parts=2))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours: what is wrong with the job, and what the next run heals."""
    try:
        yield
    except sqlite3.Error as error:
        words = str(error)
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise BadJob(f"the database {path} is damaged: {words}. Bring it back from a backup, or move it away to begin anew.") from error
        if code == "SQLITE_ERROR" and isinstance(error, sqlite3.OperationalError):
            raise BadJob(f"the database {path}: {words}.") from error
        raise Temporary(f"the database {path}: {words}.") from error
