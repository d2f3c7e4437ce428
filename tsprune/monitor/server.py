"""A database server through SQLAlchemy."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tsprune.monitor.errors import BadJob, Locked, Temporary
from tsprune.monitor.identifiers import check_identifier, lock_number
from tsprune.monitor.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Seconds between two tries to get a lock.
_PAUSE = 0.1

#: How a session is told to refuse every write.
_READ_ONLY = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}

#: How PostgreSQL says that a statement would write.
_NOT_READING = "25006"

#: What stands in quotes, the marks of values, and colons that SQLAlchemy would take for a name.
_TOKENS = re.compile(r"""'[^']*'|"[^"]*"|\?|(?<![:\\]):(?=\w)""")


class Server:
    """Any database that SQLAlchemy knows, to be read; a PostgreSQL one also to be written."""

    def __init__(self, url: str, *, read_only: bool = False):
        try:
            import sqlalchemy
        except ImportError as error:
            raise BadJob(f"{mask(url)} needs SQLAlchemy: pip install 'tsprune[sql]'.") from error
        self._text = sqlalchemy.text
        self.address = mask(url)
        with self._told():
            url = re.sub(r"^postgres(?:ql)?://", "postgresql+psycopg://", url)
            self.engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool, connect_args=_arguments(url))
            self.dialect = self.engine.dialect.name
            self.connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if read_only and self.dialect in _READ_ONLY:
                self.connection.exec_driver_sql(_READ_ONLY[self.dialect])

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._told():
            return [tuple(row) for row in self.connection.execute(self._text(_named(sql)), _values(values))]

    def write(self, sql: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        given = [_values(row) for row in rows]
        if given:
            with self._told():
                self.connection.execute(self._text(_named(sql)), given if given[0] else None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._bare("BEGIN")
        try:
            yield
            self._bare("COMMIT")
        except BaseException:
            with suppress(Temporary, BadJob):  # a lost connection has rolled back already
                self._bare("ROLLBACK")
            raise

    def _bare(self, word: str) -> None:
        with self._told():
            self.connection.exec_driver_sql(word)

    @contextmanager
    def locked(self, name: str, wait: float) -> Iterator[None]:
        # An advisory lock belongs to its session: the server lets it go when the connection ends, however it ends.
        number, until = lock_number(name), time.monotonic() + wait
        with self._told():
            while not self.query("SELECT pg_try_advisory_lock(?)", (number,))[0][0]:
                if time.monotonic() >= until:
                    raise Locked(f"another run of {name!r} is at work on {self.address}. Wait for it, or give it longer with --wait.")
                time.sleep(_PAUSE)
            yield

    def compact(self) -> None:
        """A server looks after its own space."""

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()

    def quoted(self, identifier: str) -> str:
        quote = self.engine.dialect.identifier_preparer.quote_identifier
        return ".".join(quote(part) for part in check_identifier(identifier, parts=3))

    @contextmanager
    def _told(self) -> Iterator[None]:
        from sqlalchemy import exc

        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError) as error:
            kind = BadJob if getattr(getattr(error, "orig", None), "sqlstate", "") == _NOT_READING else Temporary
            raise kind(f"{self.address}: {_first_line(error)}") from error
        except (exc.SQLAlchemyError, ImportError) as error:
            raise BadJob(f"{self.address}: {_first_line(error)}") from error


def _named(sql: str) -> str:
    """`?` as names; colons, and what stands in quotes, as themselves.

    >>> from tsprune.monitor.server import _named
    >>> _named("SELECT '?', now()::date WHERE a = ? AND b = ?")
    "SELECT '?', now()::date WHERE a = :v0 AND b = :v1"
    """
    count = iter(range(sql.count("?")))
    return _TOKENS.sub(lambda match: f":v{next(count)}" if match[0] == "?" else re.sub(r":(?=\w)", r"\:", match[0]), sql)


def _values(row: Sequence[Any]) -> dict[str, Any]:
    return {f"v{i}": value for i, value in enumerate(row)}


def _arguments(url: str) -> dict[str, Any]:
    return {"connect_timeout": 10} if url.startswith("postgresql") else {}


def _first_line(error: Exception) -> str:
    return mask(str(getattr(error, "orig", None) or error).strip().splitlines()[0]) if str(error).strip() else type(error).__name__
