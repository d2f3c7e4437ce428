"""Messages leave in the order in which they were written, at least once, and are crossed off only when they have arrived."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tsprune.monitor.errors import BadJob, Refused, Temporary
from tsprune.monitor.secrets import mask
from tsprune.monitor.sinks import open_sink
from tsprune.monitor.tell import described

if TYPE_CHECKING:
    from tsprune.monitor.config import JobConfig
    from tsprune.monitor.log import Log
    from tsprune.monitor.sinks import Sink
    from tsprune.monitor.store import Store

#: Runs that a receiver may refuse a message in before it is set aside, and those behind it get their turn.
_TRIES = 10

#: Messages read at a time.
_AT_ONCE = 500


@dataclass(frozen=True)
class Delivery:
    """What became of the messages of a run."""

    sent: int = 0
    failed: int = 0  # sinks that were out of reach


def deliver(store: Store, config: JobConfig, as_of: int, log: Log) -> Delivery:
    """Hand every waiting message to its sink; a sink that fails keeps its messages for the next run."""
    done = Delivery()
    for section in config.sinks:
        try:
            sink = open_sink(section, config)
            sent = -1
            while sent:
                sent = _some(store, section.name, sink, as_of)
                done = replace(done, sent=done.sent + sent)
            sink.refresh([{**described(alert), "job": store.job} for alert in store.open_alerts() if alert.told_state == "firing"])
        except (Temporary, BadJob) as error:
            done = replace(done, failed=done.failed + 1)
            log.warning("sink failed", sink=section.name, error=mask(str(error)))
    return done


def _some(store: Store, name: str, sink: Sink, as_of: int) -> int:
    """Deliver some of the waiting messages; how many."""
    rows = store.database.query(
        "SELECT id, body, tries FROM outbox WHERE job = ? AND sink = ? AND sent IS NULL ORDER BY id LIMIT ?",
        (store.job, name, _AT_ONCE),
    )
    for number, body, tries in rows:
        try:
            sink.send(json.loads(body))
        except Refused as error:
            final = tries + 1 >= _TRIES
            settled = (as_of, mask(str(error))) if final else (None, None)
            store.database.write("UPDATE outbox SET tries = tries + 1, sent = ?, refused = ? WHERE id = ?", [(*settled, number)])
            if not final:
                raise
        except Temporary:
            store.database.write("UPDATE outbox SET tries = tries + 1 WHERE id = ?", [(number,)])
            raise
        else:
            store.database.write("UPDATE outbox SET tries = tries + 1, sent = ? WHERE id = ?", [(as_of, number)])
    return len(rows)


def waiting(store: Store) -> tuple[int, int]:
    """Messages that are still to be delivered, and those that a receiver would not take."""
    asked = "SELECT COUNT(*) FROM outbox WHERE job = ? AND"
    pending, refused = (store.database.query(f"{asked} {what}", (store.job,))[0][0] for what in ("sent IS NULL", "refused IS NOT NULL"))
    return int(pending), int(refused)
