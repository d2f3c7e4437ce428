"""SIGTERM ends a run within two seconds, wherever it is."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tsprune.monitor.errors import RETRY, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that a run has to roll back and close; then the process ends as it stands, which the store survives as well.
GRACE = 1.5


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Stopped`; if that is not heard, since a library is deep in a loop of its own, end the process.

    Signals are heard by the main thread only: in any other nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ears, mouth = socket.socketpair()
    mouth.setblocking(False)
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    woken = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(ears, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        mouth.close()
        ears.close()


def _stop(number: int, _: Any) -> None:
    for again in (signal.SIGTERM, signal.SIGINT):  # a second one must not disturb the end
        signal.signal(again, signal.SIG_IGN)
    raise Stopped(f"stopped by {signal.Signals(number).name}")


def _watch(ears: socket.socket, over: threading.Event) -> None:
    """Wait for a signal; the interpreter may be too busy to tell the main thread of it."""
    try:
        heard = ears.recv(1)
    except OSError:
        return
    if heard and not over.wait(GRACE):
        os._exit(RETRY)
