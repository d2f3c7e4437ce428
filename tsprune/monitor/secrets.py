"""Secrets come from the environment or from files, and leave no trace in messages."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tsprune.monitor.errors import BadJob

if TYPE_CHECKING:
    from pathlib import Path

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+(@)")

#: Values that were read as secrets in this process: `mask` takes them out of every text.
_SEEN: set[str] = set()


def expand(text: str) -> str:
    """Put environment variables in place of `${NAME}`; what they hold counts as secret.

    Raises
    ------
    BadJob
        If a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise BadJob(f"the job needs the environment variable {match[1]}, and it is not set.")
        _SEEN.add(found)
        return found

    return _VARIABLE.sub(value, text)


def token(env: str | None, file: str | None, folder: Path) -> str | None:
    """The token that a variable or a file holds, or None where neither is named."""
    if env is not None:
        return expand(f"${{{env}}}")
    if file is None:
        return None
    try:
        found = (folder / file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadJob(f"the token file {file} cannot be read: {error}") from error
    _SEEN.add(found)
    return found


def mask(text: str) -> str:
    """A text without passwords of URLs and without the secrets read so far.

    >>> from tsprune.monitor.secrets import mask
    >>> mask("postgresql://me:hush@host/db is down")
    'postgresql://me:***@host/db is down'
    """
    for secret in sorted(_SEEN, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return _PASSWORD.sub(r"\1***\2", text)
