"""A log of JSON lines: one line per event, each with the run it belongs to, whatever a series is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tsprune.monitor.moments import iso, now
from tsprune.monitor.secrets import mask

if TYPE_CHECKING:
    from typing import TextIO


class Log:
    """Writes to a stream, or nowhere."""

    def __init__(self, stream: TextIO | None, job: str, run: str):
        self.stream, self.job, self.run = stream, job, run

    def info(self, event: str, **facts: Any) -> None:
        """Something went as it should."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Something that a person may want to look at."""
        self._write("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """The run ends here."""
        self._write("error", event, facts)

    def _write(self, level: str, event: str, facts: dict[str, Any]) -> None:
        if self.stream is not None:
            told = {name: mask(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
            line = {"time": iso(now()), "level": level, "job": self.job, "run": self.run, "event": event, **told}
            with suppress(OSError, ValueError):  # a log that cannot be written stops nothing
                self.stream.write(json.dumps(line) + "\n")
                self.stream.flush()
