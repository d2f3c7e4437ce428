"""Long Parquet data sets larger than memory: read in batches, learned bucket by bucket, scored as they stream by.

Learning needs the whole history of a series at once, so a first pass deals the rows out to temporary files, each series into one of
them.  Scoring needs no more than the last rows of each series, which are kept from batch to batch: scores are those of one batch,
and stand in the order of the rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tsprune.engines import engine_for
from tsprune.errors import BadParameter, BadSeries
from tsprune.panel.fit import fit_pieces
from tsprune.panel.frames import Names
from tsprune.panel.model import PanelModel, Recipe
from tsprune.panel.plan import Plan
from tsprune.panel.rows import Rows
from tsprune.panel.sample import key_of
from tsprune.panel.score import score_rows
from tsprune.panel.tail import Tail

if TYPE_CHECKING:
    from tsprune.pipeline import Pipeline
    from tsprune.types import Ints

#: Rows that are read at a time, and rows of a bucket, about.
BATCH, BUCKET = 1 << 18, 1 << 19
#: Bytes of a column that are read at a time.  Arrow would read the whole file ahead, and hold it till its end.
BUFFER = 1 << 20
_RECORD = np.dtype([("code", "<i4"), ("time", "<i8"), ("value", "<f8")])


def fit_parquet(
    path: str | os.PathLike[str],
    pipeline: Pipeline | None = None,
    *,
    id: str = "unique_id",  # noqa: A002
    time: str = "ds",
    value: str = "y",
    engine: Any = "serial",
    clusters: int | Literal["auto"] = "auto",
    sample: int = 20_000,
    random_state: int = 0,
    n_jobs: int | None = None,
    scratch: str | os.PathLike[str] | None = None,
) -> PanelModel:
    """Learn from a long Parquet file, or a folder of them, of any size: the model that `fit` gives for the same rows.

    Parameters
    ----------
    path : path
        A file, or a folder whose `*.parquet` files are read in order of name.
    scratch : path, optional
        Where temporary files go: 20 bytes for each row.
    pipeline, id, time, value, engine, clusters, sample, random_state, n_jobs
        As in `fit`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 300), "ds": np.tile(np.arange(300), 2)})
    >>> frame["y"] = np.random.default_rng(0).normal(size=600)
    >>> frame.to_parquet(folder / "rows.parquet")
    >>> model = tsp.panel.fit_parquet(folder, tsp.Pipeline([tsp.Windows(8, "point"), "iforest"]), clusters=1)
    >>> tsp.panel.score_parquet(model, folder, folder / "scores.pq")
    600
    """
    plan = Plan.of(pipeline, random_state)
    names = Names(id, time, value)
    runner = engine_for(engine, n_jobs)
    with tempfile.TemporaryDirectory(prefix="tsprune-", dir=scratch) as folder:
        buckets = _dealt(path, names, Path(folder))
        return fit_pieces(buckets.pieces, plan, runner, clusters=clusters, sample=sample, recipe=Recipe(pipeline, random_state))


def score_parquet(
    model: PanelModel,
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    id: str = "unique_id",  # noqa: A002
    time: str = "ds",
    value: str = "y",
    engine: Any = "serial",
    n_jobs: int | None = None,
) -> int:
    """Score a long Parquet file, or a folder of them, of any size; the rows of each series stand in order of time.

    Parameters
    ----------
    model : PanelModel
    path : path
        As in `fit_parquet`.
    out : path
        A Parquet file with the columns id, time and "score" for each row, in the order of the rows.
    id, time, value, engine, n_jobs
        As in `score`.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    BadSeries
        If the rows of a series go back in time from one batch to the next.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, runner, tail = Names(id, time, value), engine_for(engine, n_jobs), Tail(model)
    count = 0
    target = Path(out)
    part = target.with_name(f".{target.name}.part")
    writer = None
    try:
        for batch in _batches(path, names):
            rows = _rows(batch, names)
            model.check(rows)
            before = tail.before(rows)
            scores = rows.in_source_order(score_rows(model, rows, before, runner))
            tail.keep(rows, before)
            table = pa.table({id: batch.column(id), time: batch.column(time), "score": scores})
            writer = writer or pq.ParquetWriter(part, table.schema)
            writer.write_table(table)
            count += len(rows)
        if writer is None:
            raise BadSeries(f"{os.fspath(path)} holds no row.")
        writer.close()
        part.replace(target)
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)
    return count


# -- reading ----------------------------------------------------------------------------------------------------------------------


def _files(path: str | os.PathLike[str]) -> list[Path]:
    root = Path(path)
    files = sorted(root.glob("*.parquet")) if root.is_dir() else [root]
    if not files or not files[0].exists():
        raise BadParameter(f"path is {os.fspath(path)!r}; it is a Parquet file, or a folder with files *.parquet.")
    return files


def _batches(path: str | os.PathLike[str], names: Names) -> Iterator[Any]:
    import pyarrow.parquet as pq

    for file in _files(path):
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER) as source:
            lacking = {names.id, names.time, names.value} - set(source.schema_arrow.names)
            if lacking:
                raise BadParameter(f"{file} has no column {sorted(lacking)[0]!r}; name the columns by id=, time= and value=.")
            yield from source.iter_batches(BATCH, columns=[names.id, names.time, names.value])


def _rows(batch: Any, names: Names) -> Rows:
    import pyarrow as pa

    ids = batch.column(names.id)
    ids = ids if pa.types.is_dictionary(ids.type) else ids.dictionary_encode()
    if ids.null_count or batch.column(names.time).null_count:
        raise BadSeries(f"a row has no {names.id!r} or no {names.time!r}. Leave such rows out.")
    told = [str(name) for name in ids.dictionary.to_pylist()]
    code = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    used, code = np.unique(code, return_inverse=True)
    kind = batch.column(names.time).type
    stamps = pa.types.is_timestamp(kind)
    if not stamps and not pa.types.is_integer(kind):
        raise BadSeries(f"column {names.time!r} is of type {kind}; it holds timestamps or whole numbers.")
    stamp = (
        batch.column(names.time).cast(pa.timestamp("ns", kind.tz)).cast(pa.int64()) if stamps else batch.column(names.time).cast(pa.int64())
    )
    value = batch.column(names.value).cast(pa.float64()).to_numpy(zero_copy_only=False)
    zone = kind.tz if stamps else None
    return Rows.of([told[k] for k in used], code, stamp.to_numpy(zero_copy_only=False), value, stamps=stamps, zone=zone)


# -- learning: deal the rows out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Buckets:
    """Temporary files with whole series each."""

    files: list[Path]
    names: list[str]
    stamps: bool
    zone: str | None

    def pieces(self, wanted: Iterable[str] | None = None) -> Iterator[Rows]:
        """The series of each file; or those that are wanted."""
        asked = set(wanted or ())
        chosen = None if wanted is None else {k for k, name in enumerate(self.names) if name in asked}
        for file in self.files:
            if not file.exists():
                continue
            records = np.fromfile(file, _RECORD)
            if chosen is not None:
                records = records[np.isin(records["code"], list(chosen))]
            if len(records):
                used, code = np.unique(records["code"], return_inverse=True)
                told = [self.names[k] for k in used]
                yield Rows.of(told, code, records["time"].astype(np.int64), records["value"].copy(), stamps=self.stamps, zone=self.zone)


def _dealt(path: str | os.PathLike[str], names: Names, folder: Path) -> _Buckets:
    """Deal the rows out, so that a bucket holds whole series and fits in memory."""
    import pyarrow.parquet as pq

    total = sum(pq.ParquetFile(file).metadata.num_rows for file in _files(path))
    files = [folder / f"{k}.rows" for k in range(max(1, -(-total // BUCKET)))]
    codes: dict[str, int] = {}
    bucket_of: list[int] = []
    kind: set[tuple[bool, str | None]] = set()
    for batch in _batches(path, names):
        rows = _rows(batch, names)
        kind.add((rows.stamps, rows.zone))
        for name in rows.names:
            if name not in codes:
                codes[name] = len(codes)
                bucket_of.append(key_of(name, 0) % len(files))
        _deal(rows, codes, np.array(bucket_of), files)
    if len(kind) != 1:
        raise BadSeries("the files hold no row." if not kind else "the files disagree on the type or zone of their times.")
    return _Buckets(files, list(codes), *kind.pop())


def _deal(rows: Rows, codes: dict[str, int], bucket_of: Ints, files: list[Path]) -> None:
    own = np.array([codes[name] for name in rows.names], dtype=np.int64)
    records = np.empty(len(rows), _RECORD)
    records["code"], records["time"], records["value"] = own[rows.code], rows.time, rows.value
    bucket = bucket_of[own][rows.code]
    order = np.argsort(bucket, kind="stable")
    bounds = np.searchsorted(bucket[order], np.arange(len(files) + 1))
    for k in np.flatnonzero(np.diff(bounds)):
        with files[k].open("ab") as out:
            records[order[bounds[k] : bounds[k + 1]]].tofile(out)
