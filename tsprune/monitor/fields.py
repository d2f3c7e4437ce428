"""A table of the job file becomes a frozen dataclass: every key is known, every value is read, every refusal has its line."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from tsprune.errors import BadParameter
from tsprune.monitor.errors import BadJob
from tsprune.monitor.moments import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Reader = Callable[[Any], Any]

T = TypeVar("T")

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*[.=]""")


class Place:
    """A key of the job file, and where it stands."""

    def __init__(self, text: str, file: str, path: tuple[str | int, ...] = ()):
        self.text, self.file, self.path = text, file, path

    def at(self, *keys: str | int) -> Place:
        """The place of a key below this one."""
        return Place(self.text, self.file, (*self.path, *keys))

    @property
    def name(self) -> str:
        """The key as people write it: `sink[1].url`."""
        return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).removeprefix(".")

    @property
    def line(self) -> int:
        """The line of the key; that of its table where the key is not written out."""
        return _line(self.text, self.path)

    def refuse(self, what: str) -> BadJob:
        """The error that names file, line and key."""
        return BadJob(f"{self.file}, line {self.line}: {self.name}{' ' if self.path else ''}{what}")


def _line(text: str, path: tuple[str | int, ...]) -> int:
    best, best_line = 0, 1
    table: tuple[str | int, ...] = ()
    seen: dict[tuple[str | int, ...], int] = {}
    for number, row in enumerate(text.splitlines(), start=1):
        header = _HEADER.fullmatch(row)
        key = _KEY.match(row)
        if header:
            names = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            seen[names] = seen.get(names, -1) + (header[1] == "[[")
            table = (*names, seen[names]) if header[1] == "[[" else names
            here = table
        elif key:
            here = (*table, key[1] or key[2] or key[3])
        else:
            continue
        if len(here) > best and here == path[: len(here)]:
            best, best_line = len(here), number
    return best_line


def setting(read: Reader, default: Any = dataclasses.MISSING, *, what: str) -> Any:
    """A field of a table: how its value is read, its default, written as in the file (without one it must be given), what it is."""
    facts = {"read": read, "written": default, "what": what}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=facts)
    return dataclasses.field(default=default if default is None else read(default), metadata=facts)


def reference(kind: type) -> str:
    """The keys of a table as Markdown.

    >>> from tsprune.monitor.fields import reference
    >>> from tsprune.monitor.sections import Textfile
    >>> print(reference(Textfile).splitlines()[2])
    | `textfile` | none | such as `/var/lib/prometheus/node-exporter/NAME.prom` |
    """
    lines = ["| key | default | what |", "| --- | --- | --- |"]
    for field in dataclasses.fields(kind):
        written = field.metadata["written"]
        default = "**needed**" if written is dataclasses.MISSING else "none" if written is None else f"`{json.dumps(written)}`"
        lines.append(f"| `{field.name.rstrip('_')}` | {default} | {field.metadata['what']} |")
    return "\n".join(lines)


def read_table(kind: type[T], table: Any, place: Place) -> T:
    """Build a dataclass from a table.

    Raises
    ------
    BadJob
        If a key is unknown (the nearest known one is named), missing, or has a value that its reader refuses.
    """
    if not isinstance(table, dict):
        raise place.refuse(f"is {table!r}; it is a table of keys and values.")
    readers: dict[str, Reader] = {f.name.rstrip("_"): f.metadata["read"] for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    names = {f.name.rstrip("_"): f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in readers:
            raise place.at(key).refuse(f"is not a key{nearest(key, readers)}")
    given = {names[key]: _read(readers[key], value, place.at(key)) for key, value in table.items()}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in given and field.default is dataclasses.MISSING:
            raise place.at(field.name.rstrip("_")).refuse("is missing.")
    try:
        return kind(**given)
    except BadParameter as error:
        raise place.refuse(f"makes no sense: {error}") from error


def _read(read: Reader, value: Any, place: Place) -> Any:
    try:
        return read(value)
    except BadJob:
        raise
    except BadParameter as error:
        raise place.refuse(f"is wrong: {error}") from error


def nearest(word: str, known: Iterable[str]) -> str:
    """Words that end a sentence on an unknown name.

    >>> from tsprune.monitor.fields import nearest
    >>> nearest("treshold", ["file", "threshold"])
    "; did you mean 'threshold'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(word), names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; the keys here are {', '.join(names)}."


# -- readers: a value of the file in, the value of the field out, or BadParameter ---------------------------------------------


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise BadParameter(f"{value!r} is not a text.")
    return value


def name(value: Any) -> str:
    """A name that is safe in file names, locks and labels."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise BadParameter(f"{value!r} is no name; it is up to 64 letters, digits and _ . - and begins with a letter or digit.")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise BadParameter(f"{value!r} is neither true nor false.")
    return value


def number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise BadParameter(f"{value!r} is not a finite number.")
    return float(value)


def positive(value: Any) -> float:
    """A number above or equal to 0."""
    if number(value) < 0.0:
        raise BadParameter(f"{value!r} is negative; it is a number of at least 0.")
    return float(value)


def whole(value: Any) -> int:
    """A whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadParameter(f"{value!r} is not a whole number of at least 0.")
    return value


def duration(value: Any) -> int:
    """Nanoseconds of a text such as "15min"."""
    return parse_duration(text(value))


def words(value: Any) -> tuple[str, ...]:
    """One text, or a list of different ones."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not listed or len(set(map(str, listed))) < len(listed):
        raise BadParameter(f"{value!r} is not a list of different texts.")
    return tuple(text(word) for word in listed)


def texts(value: Any) -> Mapping[str, str]:
    """A table of texts."""
    if not isinstance(value, dict):
        raise BadParameter(f"{value!r} is not a table of texts.")
    return {text(key): text(word) for key, word in value.items()}


def choice(*allowed: str) -> Reader:
    """One of some words."""

    def read(value: Any) -> str:
        if value not in allowed:
            close = difflib.get_close_matches(str(value), allowed, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise BadParameter(f"{value!r} is not one of {', '.join(map(repr, allowed))}.{hint}")
        return str(value)

    return read
