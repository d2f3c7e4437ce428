"""A model as one file of data: nothing in it is executed, imported, or followed.

    8 bytes   magic
    4 bytes   format number            little-endian, unsigned
    8 bytes   length of the header     little-endian, unsigned
    header    JSON: a tree of specs, and a table of arrays (dtype, shape)
    arrays    one after the other in the order of the table, each from a multiple of 8 bytes, little-endian
    32 bytes  SHA-256 of all before

Loading checks sizes, then the checksum, then the schema, then that the parts make sense (indices in range, trees
without cycles, shapes that agree, numbers that are finite).  Only classes named in `tsprune.model.__all__` are built.
A damaged or hostile file gives BadModelFile; it never runs code.  It takes at most four times its size in memory, itself
included, and `LONGEST` bounds what its header takes on top: lists of short texts are some 25 times as large in Python.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from tsprune.errors import BadModelFile, BadParameter
from tsprune.model.format import FORMAT
from tsprune.model.part import Part, Spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsprune.types import AnyArray

MAGIC, FLEET_MAGIC = b"tsprune\n", b"tspfleet"
_HEAD = struct.Struct("<8sIQ")
_SEAL = 32  # bytes of a SHA-256
#: Bytes of a header at the most; that of a chain of eight stages has 2,000, and a name of a column adds its own length and 3.
LONGEST = 2**20
#: How file systems say that they cannot sync a folder (some of networks, FUSE and containers).
UNSYNCED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
_DTYPES = frozenset({"<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "|u1", "<u2", "<u4"})


def to_bytes(part: Part) -> bytes:
    """A part, with all its parts, as the content of a model file.

    Raises
    ------
    BadParameter
        If it has so many columns, or such long names, that the header is longer than `LONGEST`.
    """
    arrays: list[AnyArray] = []
    tree = _tree(part.to_spec(), arrays)
    table = [{"dtype": array.dtype.str, "shape": list(array.shape)} for array in arrays]
    header = json.dumps({"model": tree, "arrays": table}, allow_nan=False, separators=(",", ":")).encode()
    if len(header) > LONGEST:
        raise BadParameter(f"the names and facts of the model take {len(header):,} bytes; a file holds {LONGEST:,}. Give fewer columns.")
    body = [_HEAD.pack(MAGIC, FORMAT, len(header)), header]
    at = _HEAD.size + len(header)
    for array in arrays:
        body += [bytes(-at % 8), array.tobytes()]
        at += -at % 8 + array.nbytes
    content = b"".join(body)
    return content + hashlib.sha256(content).digest()


def from_bytes(content: bytes) -> Part:
    """The part that a model file holds.

    Raises
    ------
    BadModelFile
        If the content is damaged, of another format, or makes no sense.
    """
    header, arrays_at = _header(content)
    try:
        arrays = _arrays(header["arrays"], content, arrays_at)
        return _build(header["model"], arrays, depth=0)
    except BadModelFile:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise BadModelFile(f"the model file makes no sense: {error}. Save the model again.") from error


def write(part: Part, path: str | os.PathLike[str]) -> None:
    """Write a model file: whole or not at all, also when the machine stops half-way."""
    put(path, [to_bytes(part)])


def put(path: str | os.PathLike[str], pieces: Iterable[bytes], mode: int | None = None) -> None:
    """Write a file of these pieces, whole or not at all: readers see the old one or the new, also after a power cut.

    Without a mode it is one that the process gives to every file.
    """
    target = Path(path)
    # opened as any file is, so that those who may read the folder's files may read the model
    temporary = target.parent / f".{target.name}.{os.urandom(6).hex()}"
    try:
        with temporary.open("xb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Have the folder know its new file for good, where the file system can do that: the file itself is written by then."""
    if os.name != "posix":
        return  # elsewhere a folder is not opened
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise
    finally:
        os.close(handle)


def read(path: str | os.PathLike[str]) -> Part:
    """Read a model file.

    Raises
    ------
    BadModelFile
        If the file is not a model, is damaged, of another format, or makes no sense.
    """
    try:
        return from_bytes(Path(path).read_bytes())
    except BadModelFile as error:
        raise BadModelFile(f"{os.fspath(path)}: {error}") from error


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    if len(content) < _HEAD.size + _SEAL or content[: len(MAGIC)] != MAGIC:
        is_fleet = content[: len(FLEET_MAGIC)] == FLEET_MAGIC
        raise BadModelFile("this is a fleet: load it with tsp.panel.load." if is_fleet else "this is not a tsprune model file.")
    _, number, length = _HEAD.unpack_from(content)
    if number != FORMAT:
        raise BadModelFile(f"the file has format {number}; this version reads format {FORMAT}. Load it with the version that wrote it.")
    if hashlib.sha256(memoryview(content)[:-_SEAL]).digest() != content[-_SEAL:]:
        raise BadModelFile("the checksum does not fit: the file is damaged. Copy or save it again.")
    if length > min(len(content) - _HEAD.size - _SEAL, LONGEST):
        raise BadModelFile(f"the header is longer than the file, or than {LONGEST:,} bytes.")
    try:
        header = json.loads(content[_HEAD.size : _HEAD.size + length].decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadModelFile(f"the header is not JSON: {str(error)[:100]}") from error
    if not isinstance(header, dict) or set(header) != {"model", "arrays"} or not isinstance(header["arrays"], list):
        raise BadModelFile("the header does not hold a model and its arrays.")
    return header, _HEAD.size + length


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _arrays(table: list[Any], content: bytes, at: int) -> dict[int, AnyArray]:
    """The arrays of the table, as views of the file; each stands behind the one before, so none reaches beyond the end."""
    arrays: dict[int, AnyArray] = {}
    end = len(content) - _SEAL
    for entry in table:
        dtype, shape = entry["dtype"], entry["shape"]
        if dtype not in _DTYPES or not isinstance(shape, list) or len(shape) > 4:
            raise BadModelFile(f"an array is of dtype {str(dtype)[:20]!r}, which model files do not hold.")
        if any(type(size) is not int or size < 0 for size in shape):
            raise BadModelFile("the shape of an array is not of whole numbers.")
        at += -at % 8
        count = math.prod(shape)
        if count * np.dtype(dtype).itemsize > end - at:
            raise BadModelFile("an array is longer than the file.")
        arrays[len(arrays)] = np.frombuffer(content, np.dtype(dtype), count, at).reshape(shape)
        at += count * np.dtype(dtype).itemsize
    if at != end:
        raise BadModelFile("the file is longer than its arrays.")
    return arrays


def _tree(spec: Spec, arrays: list[AnyArray]) -> dict[str, Any]:
    places = {}
    for name, array in spec.arrays.items():
        places[name] = len(arrays)
        arrays.append(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")))
    return {"kind": spec.kind, "facts": spec.facts, "arrays": places, "parts": [_tree(part, arrays) for part in spec.parts]}


def _build(tree: dict[str, Any], arrays: dict[int, AnyArray], depth: int) -> Part:
    """A part of its own arrays, which are taken away: what parts make of one array cannot be made many times."""
    from tsprune import model

    if set(tree) != {"kind", "facts", "arrays", "parts"} or depth > 4:
        raise BadModelFile("a part is not of the known form.")
    kind = tree["kind"]
    if not isinstance(kind, str) or kind not in model.__all__:
        raise BadModelFile(f"the file holds a part named {str(kind)[:60]!r}, which this version does not know.")
    places = tree["arrays"]
    if any(type(place) is not int or place not in arrays for place in places.values()) or len(set(places.values())) < len(places):
        raise BadModelFile("a part names an array that is not there, or that another one has.")
    own = {name: arrays.pop(place) for name, place in places.items()}
    parts = tuple(_build(part, arrays, depth + 1) for part in tree["parts"])
    built = getattr(model, kind).from_spec(tree["facts"], own, parts)
    assert isinstance(built, Part)
    return built
