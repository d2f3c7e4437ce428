"""Names in a database: of tables and columns, and of locks."""

from __future__ import annotations

import hashlib
import re

from tsprune.monitor.errors import BadJob


def check_identifier(name: str, parts: int = 1) -> tuple[str, ...]:
    """The parts of a table or column name, which hold nothing but letters, digits, `_`, `$` and blanks.

    >>> from tsprune.monitor.identifiers import check_identifier
    >>> check_identifier("public.metrics", parts=2)
    ('public', 'metrics')
    """
    split = tuple(name.split("."))
    if len(split) > parts or not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$ ]{0,62}", part) for part in split):
        raise BadJob(f"{name!r} is not taken as a name of a table or column: use letters, digits and _; for anything else write a query.")
    return split


def lock_number(name: str) -> int:
    """A name as the 64-bit number that advisory locks want."""
    return int.from_bytes(hashlib.sha256(b"tsprune:" + name.encode()).digest()[:8], "big", signed=True)
