"""Arrays, parts and rows as bytes: what travels between the machines of a cluster is data only."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprune.panel.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsprune.types import AnyArray

_LENGTH = struct.Struct("<Q")


def pack(arrays: Mapping[str, AnyArray], **facts: Any) -> bytes:
    """Named arrays and plain facts as bytes.

    >>> import numpy as np
    >>> from tsprune.panel.wire import pack, unpack
    >>> arrays, facts = unpack(pack({"x": np.arange(3)}, name="a"))
    >>> arrays["x"].tolist(), facts
    ([0, 1, 2], {'name': 'a'})
    """
    table = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    header = json.dumps({"facts": facts, "arrays": table}).encode()
    return b"".join([_LENGTH.pack(len(header)), header, *(np.ascontiguousarray(array).tobytes() for array in arrays.values())])


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and facts of `pack`; arrays are read-only."""
    (length,) = _LENGTH.unpack_from(content)
    header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
    at = _LENGTH.size + length
    arrays = {}
    for name, (dtype, shape) in header["arrays"].items():
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(content, np.dtype(dtype), count, at).reshape(shape)
        at += count * np.dtype(dtype).itemsize
    return arrays, header["facts"]


def blobs(contents: list[bytes]) -> dict[str, AnyArray]:
    """Several pieces of bytes as two arrays for `pack`.

    >>> from tsprune.panel.wire import blobs, unblob
    >>> unblob(blobs([b"ab", b"", b"c"]))
    [b'ab', b'', b'c']
    """
    sizes = np.array([len(content) for content in contents], dtype=np.int64)
    return {"sizes": sizes, "bytes": np.frombuffer(b"".join(contents), np.uint8)}


def unblob(arrays: Mapping[str, Any]) -> list[bytes]:
    """The pieces that `blobs` was given."""
    joined, ends = arrays["bytes"].tobytes(), np.cumsum(arrays["sizes"])
    return [joined[end - size : end] for end, size in zip(ends.tolist(), arrays["sizes"].tolist(), strict=True)]


def rows_to_bytes(rows: Rows) -> bytes:
    """Rows of series; their places in a source stay behind."""
    arrays = {"code": rows.code, "time": rows.time, "value": rows.value}
    return pack(arrays, names=list(rows.names), stamps=rows.stamps, zone=rows.zone)


def rows_from_bytes(content: bytes) -> Rows:
    """What `rows_to_bytes` was given."""
    arrays, facts = unpack(content)
    return Rows(tuple(facts["names"]), arrays["code"], arrays["time"], arrays["value"], facts["stamps"], facts["zone"])
