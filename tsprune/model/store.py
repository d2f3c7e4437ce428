"""A fleet as one file of data with random access: what is shared, and one sealed record for each series.

    8 bytes   magic
    4 bytes   format number               little-endian, unsigned
    8 bytes   length of the index         little-endian, unsigned
    index     JSON: length and checksum of what is shared, then names, lengths and checksums of the series
    32 bytes  SHA-256 of all before
    fleet     a model file of its own (`tsprune.model.file`)
    records   one model file for each series, in the order of the index

One series is read without touching the others: its record is sealed, and the index knows which seal it has.  Reading imports
and executes nothing; a damaged or hostile file gives BadModelFile.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tsprune.errors import BadModelFile, BadParameter
from tsprune.model import file
from tsprune.model.format import FORMAT
from tsprune.model.member import Fleet, Member
from tsprune.model.roster import Roster

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEAD = struct.Struct("<8sIQ")
_SEAL = 32
#: Hexadecimal digits of a record's checksum that the index keeps: which record it is; damage is seen by its own seal.
_DIGITS = 16


def write(fleet: Fleet, members: Mapping[str, Member], path: str | os.PathLike[str]) -> None:
    """Write a fleet file: whole or not at all."""
    names = sorted(members)
    records = [file.to_bytes(fleet), *(file.to_bytes(members[name]) for name in names)]
    index = {"names": names, "sizes": [len(record) for record in records], "seals": [_seal(record) for record in records]}
    told = json.dumps(index, separators=(",", ":")).encode()
    head = _HEAD.pack(file.FLEET_MAGIC, FORMAT, len(told)) + told
    file.put(path, [head + hashlib.sha256(head).digest(), *records])


def read(path: str | os.PathLike[str], names: Iterable[str] | None = None) -> tuple[Fleet, Roster]:
    """The fleet of a file, and the facts of all its series or of some.

    Raises
    ------
    BadModelFile
        If the file is no fleet file, is damaged, of another format, or makes no sense.
    BadParameter
        If a series is asked for that is not in the file.
    """
    try:
        with Path(path).open("rb") as source:
            index, start = _index(source)
            return _records(source, index, start, names)
    except BadModelFile as error:
        raise BadModelFile(f"{os.fspath(path)}: {error}") from error


def _records(source: BinaryIO, index: dict[str, Any], start: int, wanted: Iterable[str] | None) -> tuple[Fleet, Roster]:
    sizes, seals = index["sizes"], index["seals"]
    starts = list(accumulate(sizes, initial=start))
    places = {name: k for k, name in enumerate(index["names"], start=1)}
    fleet = _record(source, starts[0], sizes[0], seals[0])
    if not isinstance(fleet, Fleet):
        raise BadModelFile("the file holds no fleet.")

    def member(name: str) -> Member:
        if name not in places:
            raise BadParameter(f"series is {name!r}, which is not among the {len(places)} series of the file.")
        k = places[name]
        found = _record(source, starts[k], sizes[k], seals[k])
        if not isinstance(found, Member):
            raise BadModelFile(f"the record of series {name[:60]!r} is something else.")
        _check(fleet, found)
        return found

    return fleet, Roster.of((name, member(name)) for name in (places if wanted is None else wanted))


def _check(fleet: Fleet, member: Member) -> None:
    try:
        fleet.check_member(member)
    except ValueError as error:
        raise BadModelFile(f"{error}.") from error


def _record(source: BinaryIO, start: int, size: int, seal: str) -> Any:
    source.seek(start)
    content = source.read(size)
    if len(content) != size or _seal(content) != seal:
        raise BadModelFile("a record is not the one that the index names: the file is damaged. Copy or save it again.")
    return file.from_bytes(content)


def _index(source: BinaryIO) -> tuple[dict[str, Any], int]:
    """The index, and where the records begin."""
    total = os.fstat(source.fileno()).st_size
    head = source.read(_HEAD.size)
    if len(head) < _HEAD.size or head[: len(file.FLEET_MAGIC)] != file.FLEET_MAGIC:
        is_model = head[: len(file.MAGIC)] == file.MAGIC
        raise BadModelFile("this is a single model: load it with tsp.load." if is_model else "this is not a tsprune fleet file.")
    _, number, length = _HEAD.unpack(head)
    if number != FORMAT:
        raise BadModelFile(f"the file has format {number}; this version reads format {FORMAT}. Load it with the version that wrote it.")
    start = _HEAD.size + length + _SEAL
    if start > total:
        raise BadModelFile("the index is longer than the file.")
    told, seal = source.read(length), source.read(_SEAL)
    if hashlib.sha256(head + told).digest() != seal:
        raise BadModelFile("the checksum of the index does not fit: the file is damaged. Copy or save it again.")
    try:
        index = json.loads(told)
    except (ValueError, RecursionError) as error:
        raise BadModelFile(f"the index is not JSON: {str(error)[:100]}") from error
    _check_index(index, total - start)
    return index, start


def _check_index(index: Any, room: int) -> None:
    if not isinstance(index, dict) or set(index) != {"names", "sizes", "seals"} or not all(isinstance(own, list) for own in index.values()):
        raise BadModelFile("the index is not of the known form.")
    names, sizes, seals = index["names"], index["sizes"], index["seals"]
    if not len(names) + 1 == len(sizes) == len(seals) or any(type(size) is not int or size < 0 for size in sizes):
        raise BadModelFile("the index does not count its records.")
    if any(not isinstance(name, str) for name in [*names, *seals]) or len(set(names)) < len(names) or sum(sizes) != room:
        raise BadModelFile("the index names a series twice, or its records do not fill the file.")


def _seal(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
