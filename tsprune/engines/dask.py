"""Pieces of a panel on the workers of a Dask cluster: `engine=Client(...)`; needs `pip install "tsprune[dask]"`.

Each piece travels with its task, not as scattered data: a worker that dies takes nothing along that cannot be sent again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsprune.engines import in_order

if TYPE_CHECKING:
    from tsprune.engines import Work

#: How often a piece is tried again after an error; pieces of workers that die are sent again besides.
RETRIES = 3


@dataclass(frozen=True)
class Dask:
    """The workers that a client knows.

    Parameters
    ----------
    client : dask.distributed.Client
    """

    client: Any

    @property
    def width(self) -> int:
        """Threads of all workers."""
        return max(1, sum(self.client.nthreads().values()))

    def map(self, work: Work, pieces: Iterable[bytes]) -> Iterator[bytes]:
        def start(piece: bytes) -> Any:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sending large graph", UserWarning)  # pieces are sent on purpose, see above
                return self.client.submit(work, piece, retries=RETRIES, pure=False)

        yield from in_order(pieces, start, lambda future: future.result(), self.width)
