"""Pieces of a panel on Spark: `engine=SparkSession`; needs `pip install "tsprune[spark]"` and a Java runtime.

Pieces go as rows of a DataFrame through `groupBy("piece").applyInPandas`.  A task that fails is tried again by Spark, as often as
the session says (`spark.task.maxFailures`; `local[2]` never, `local[2,4]` up to four times).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from tsprune.engines import Work

_SCHEMA = "piece long, content binary"
#: Pieces of one job of Spark, for each of its cores.
WAVES = 4


@dataclass(frozen=True)
class Spark:
    """The executors of a session.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
    """

    session: Any

    @property
    def width(self) -> int:
        """Tasks at the same time."""
        return int(self.session.sparkContext.defaultParallelism)

    def map(self, work: Work, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for wave in _waves(pieces, WAVES * self.width):
            yield from self._wave(work, wave)

    def _wave(self, work: Work, pieces: list[bytes]) -> list[bytes]:
        def run(group: pd.DataFrame) -> pd.DataFrame:
            done = [work(bytes(content)) for content in group["content"]]
            return pd.DataFrame({"piece": group["piece"].to_numpy(), "content": done})

        rows = [(number, bytearray(piece)) for number, piece in enumerate(pieces)]
        frame = self.session.createDataFrame(rows, _SCHEMA).repartition(len(pieces), "piece")
        done = frame.groupBy("piece").applyInPandas(run, _SCHEMA).collect()
        return [bytes(row["content"]) for row in sorted(done, key=lambda row: int(row["piece"]))]


def _waves(pieces: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Lists of up to `size` pieces."""
    rest = iter(pieces)
    while some := list(itertools.islice(rest, size)):
        yield some
