"""Where the pieces of a panel are worked on: here, in threads, or on a cluster.

An engine runs one function over pieces and gives the results back in their order.  Pieces and results are bytes of data, and a
result depends on its piece alone: whoever works on it, and how often, the results are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tsprune.errors import BadParameter
from tsprune.params import n_threads

__all__ = ["Engine", "Serial", "Threads", "engine_for", "in_order"]

Work = Callable[[bytes], bytes]
T = TypeVar("T")


class Engine(Protocol):
    """Runs a function over pieces."""

    @property
    def width(self) -> int:
        """Pieces it works on at the same time."""

    def map(self, work: Work, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The results, in the order of the pieces; few pieces are held at a time."""


@dataclass(frozen=True)
class Serial:
    """One piece after the other.

    >>> from tsprune.engines import Serial
    >>> list(Serial().map(bytes.upper, [b"a", b"b"]))
    [b'A', b'B']
    """

    width: int = 1

    def map(self, work: Work, pieces: Iterable[bytes]) -> Iterator[bytes]:
        return map(work, pieces)


@dataclass(frozen=True)
class Threads:
    """Threads of this process: worth it where the work is in machine code, as in scoring.

    >>> from tsprune.engines import Threads
    >>> list(Threads(2).map(bytes.upper, [b"a", b"b"]))
    [b'A', b'B']
    """

    width: int

    def map(self, work: Work, pieces: Iterable[bytes]) -> Iterator[bytes]:
        with ThreadPoolExecutor(self.width) as pool:
            yield from in_order(pieces, lambda piece: pool.submit(work, piece), lambda future: future.result(), self.width)


def in_order(pieces: Iterable[bytes], start: Callable[[bytes], T], finish: Callable[[T], bytes], width: int) -> Iterator[bytes]:
    """Start the pieces, twice `width` of them ahead, and give their results in order."""
    running: deque[T] = deque()
    for piece in pieces:
        running.append(start(piece))
        if len(running) > 2 * width:
            yield finish(running.popleft())
    while running:
        yield finish(running.popleft())


def engine_for(engine: Any, n_jobs: int | None = None) -> Engine:
    """The engine that a user means: "serial", "threads", "ray", a Dask Client, or a SparkSession.

    `n_jobs` is for "threads": as in scikit-learn, but all cores where it is not given.

    Raises
    ------
    BadParameter
        If it is none of these, or n_jobs is 0.

    Examples
    --------
    >>> from tsprune.engines import engine_for
    >>> engine_for("threads", n_jobs=2)
    Threads(width=2)
    """
    family = type(engine).__module__.partition(".")[0]
    if engine == "serial":
        return Serial()
    if engine == "threads":
        return Threads(n_threads(-1 if n_jobs is None else n_jobs))
    if engine == "ray":
        from tsprune.engines.ray import Ray

        return Ray.started()
    if family == "distributed" and hasattr(engine, "submit"):
        from tsprune.engines.dask import Dask

        return Dask(engine)
    if family == "pyspark" and hasattr(engine, "createDataFrame"):
        from tsprune.engines.spark import Spark

        return Spark(engine)
    raise BadParameter(f"engine is {engine!r}; it is 'serial', 'threads', 'ray', a dask.distributed.Client, or a SparkSession.")
