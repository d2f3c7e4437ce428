"""What every fitted part of a model is: a frozen dataclass of arrays with one `apply`.

A part is written to a model file as its *spec*: the plain facts go into a JSON header, the
arrays behind it.  The generic codec below does this for every dataclass whose fields carry one of
the annotations of `_READERS`; a part that wants a tighter form (a forest) overrides it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tsprune.errors import BadModelFile, BadParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

    from tsprune.model.clock import Slots
    from tsprune.types import AnyArray, Floats, Json, Matrix


@dataclass(frozen=True)
class Spec:
    """A part as data only: its class name, JSON-able facts, and named arrays."""

    kind: str
    facts: dict[str, Json]
    arrays: dict[str, AnyArray]
    parts: tuple[Spec, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that this part takes in a model file."""
        own = len(json.dumps(self.facts)) + sum(array.nbytes for array in self.arrays.values())
        return own + sum(part.nbytes for part in self.parts)


class Part:
    """Base of the fitted parts: `apply` maps rows to rows, `lookback` says how far back it looks."""

    if TYPE_CHECKING:

        @property
        def n_features(self) -> int:
            """Number of columns that go in; a field or a property of each part."""

    @property
    def lookback(self) -> int:
        """Slots of context that make a row equal to the whole-record result."""
        return 0

    @property
    def min_lookback(self) -> int:
        """Slots of context below which a row has no value (windows only)."""
        return 0

    @property
    def uses_clock(self) -> bool:
        """Whether the values depend on the time of a row, not only on the order of rows."""
        return False

    @property
    def n_out(self) -> int:
        """Number of columns that come out; `n_features` is the number that goes in."""
        return self.n_features

    @property
    def nbytes(self) -> int:
        """Bytes that this part takes in a model file."""
        return self.to_spec().nbytes

    def apply(self, values: Floats, clock: Slots) -> Floats:
        """Map rows (n, d) at their slots to rows (n, d')."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise ValueError if the parts do not agree: called on everything read from a file."""

    def __getstate__(self) -> dict[str, Any]:
        """The fields: what was prepared for scoring is prepared again in another process."""
        return {field.name: self.__dict__[field.name] for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    def to_spec(self) -> Spec:
        """Return the part as data."""
        facts: dict[str, Json] = {}
        arrays: dict[str, AnyArray] = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = value
            else:
                facts[field.name] = list(value) if isinstance(value, tuple) else value
        return Spec(type(self).__name__, facts, arrays)

    @classmethod
    def from_spec(cls, facts: Mapping[str, Json], arrays: Mapping[str, AnyArray], parts: tuple[Part, ...] = ()) -> Self:
        """Build the part from data that may be damaged or hostile.

        Raises
        ------
        BadModelFile
            If a field is missing, unknown, or of another type.
        """
        if parts:
            raise BadModelFile(f"{cls.__name__} holds no other parts.")
        given: dict[str, Any] = {**facts, **arrays}
        fields = {field.name: str(field.type) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}  # type: ignore[arg-type]
        if not needed <= set(given) <= set(fields):  # a file from before a field was there has its default
            raise BadModelFile(f"{cls.__name__} has the fields {sorted(fields)}; the file gives {sorted(given)}.")
        part = cls(**{name: read(kind, given[name], f"{cls.__name__}.{name}") for name, kind in fields.items() if name in given})
        part.check()
        return part


def complete_rows(X: ArrayLike, n_features: int) -> Matrix:
    """Rows for a detector as a contiguous array of double precision, shape (n_samples, n_features).

    Raises
    ------
    BadParameter
        If they have another number of columns.
    """
    rows = np.ascontiguousarray(X, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != n_features:
        raise BadParameter(f"X has shape {rows.shape}; it is (n_samples, {n_features}), one column per feature.")
    return rows


def read(annotation: str, value: Any, where: str) -> Any:
    """Return a value read from a file as the annotated type, or refuse it."""
    if value is None and annotation.endswith("| None"):
        return None
    value = _READERS[annotation.removesuffix("| None").strip()](value)
    if value is None:
        raise BadModelFile(f"{where} is not of type {annotation}; the file is damaged or of another format.")
    return value


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62 else None


def _number(value: Any) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _words(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _wholes(value: Any) -> tuple[int, ...] | None:
    return tuple(value) if isinstance(value, list) and all(_whole(v) is not None for v in value) else None


def _array(dtype: type, ndim: int) -> Callable[[Any], Any]:
    def reader(value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype.newbyteorder("=") != dtype or value.ndim != ndim:
            return None
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return None
        return value.astype(dtype)  # what is read is a view of the file

    return reader


#: How a field of each annotation is read from a file; None means refused.  Arrays are finite, of a fixed number of axes.
_READERS: dict[str, Callable[[Any], Any]] = {
    "int": _whole,
    "float": _number,
    "bool": _flag,
    "str": _word,
    "tuple[str, ...]": _words,
    "tuple[int, ...]": _wholes,
    "Floats": _array(np.float64, 1),
    "Ints": _array(np.int64, 1),
    "Matrix": _array(np.float64, 2),
    "Codes": _array(np.int16, 2),
    "Singles": _array(np.float32, 2),
}
