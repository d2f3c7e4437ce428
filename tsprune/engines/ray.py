"""Pieces of a panel on Ray: `engine="ray"`, on the cluster that `ray.init` was called for, or on this machine; needs `pip install ray`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsprune.engines import in_order

if TYPE_CHECKING:
    from tsprune.engines import Work

#: How often a piece is tried again when its worker dies.
RETRIES = 3


@dataclass(frozen=True)
class Ray:
    """The workers of a running Ray."""

    width: int

    @classmethod
    def started(cls) -> Ray:
        """Of the cluster that is there; without one, of this machine."""
        import ray

        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False)
        return cls(max(1, int(ray.cluster_resources().get("CPU", 1))))

    def map(self, work: Work, pieces: Iterable[bytes]) -> Iterator[bytes]:
        import ray

        def run(piece: bytes) -> bytes:
            return work(piece)

        task = ray.remote(max_retries=RETRIES)(run)
        yield from in_order(pieces, task.remote, ray.get, self.width)
