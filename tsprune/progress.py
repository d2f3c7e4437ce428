"""Progress of anything that takes more than two seconds: where, how far, how long still.

Uses tqdm where it is installed.  Silent where nobody looks: when stderr is no terminal (and no notebook).
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: Seconds before anything is shown.
PATIENCE = 2.0


def track(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield the items and show how far we are.

    >>> from tsprune.progress import track
    >>> sum(track([1, 2, 3], "adding"))
    6
    """
    if not _watched():
        yield from items
    elif importlib.util.find_spec("tqdm") is not None:
        yield from _tqdm(items, what)
    else:
        yield from _plain(items, what)


def _watched() -> bool:
    return sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)


def _tqdm(items: Sequence[T], what: str) -> Iterable[T]:
    from tqdm.auto import tqdm

    bar: Iterable[T] = tqdm(items, desc=what, delay=PATIENCE, leave=False)
    return bar


def _plain(items: Sequence[T], what: str) -> Iterator[T]:
    start = time.monotonic()
    shown = False
    for done, item in enumerate(items):
        gone = time.monotonic() - start
        if gone > PATIENCE:
            left = gone / done * (len(items) - done) if done else float("nan")
            sys.stderr.write(f"\r{what}: {done} of {len(items)}, {left:.0f} s left  ")
            sys.stderr.flush()
            shown = True
        yield item
    if shown:
        sys.stderr.write("\r" + " " * 60 + "\r")
