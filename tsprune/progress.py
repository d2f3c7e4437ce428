"""Progress of anything that takes more than two seconds: where, how far, how long still.

Uses tqdm where it is installed.  Silent where nobody looks: when stderr is no terminal (and no notebook).
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")

#: Seconds before anything is shown.
PATIENCE = 2.0


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show how far we are; `total` says how many there are where their len() does not.

    >>> from tsprune.progress import track
    >>> sum(track([1, 2, 3], "adding"))
    6
    """
    if not _watched():
        yield from items
    elif importlib.util.find_spec("tqdm") is not None:
        yield from _tqdm(items, what, total)
    else:
        yield from _plain(items, what, len(items) if isinstance(items, Sized) else total)


def _watched() -> bool:
    return sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)


def _tqdm(items: Iterable[T], what: str, total: int | None) -> Iterable[T]:
    from tqdm.auto import tqdm

    bar: Iterable[T] = tqdm(items, desc=what, delay=PATIENCE, leave=False, total=total)
    return bar


def _plain(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    start = time.monotonic()
    shown = False
    for done, item in enumerate(items):
        gone = time.monotonic() - start
        if gone > PATIENCE:
            left = f"{gone / done * (total - done):.0f} s left" if done and total else "going on"
            sys.stderr.write(f"\r{what}: {done} of {total or '?'}, {left}  ")
            sys.stderr.flush()
            shown = True
        yield item
    if shown:
        sys.stderr.write("\r" + " " * 60 + "\r")
