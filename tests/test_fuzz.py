"""Thousands of damaged and hostile model files: refused, or another model with finite scores; never a crash, a hang, a flood of memory.

A thousand files by default; `TSPRUNE_FUZZ=10000` for as many as one likes.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
import tracemalloc
from functools import cache

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

import tsprune as tsp
from tsprune.detect import to_part
from tsprune.errors import BadModelFile
from tsprune.model import file
from tsprune.prune.nodes import collapse
from tsprune.prune.reference import cascade

COUNT = int(os.environ.get("TSPRUNE_FUZZ", "1000"))
#: CPU seconds that a file may take to be read and to score a hundred rows.
SECONDS = 1.0
#: Memory while a file is read, itself included: a multiple of its size, of the JSON in its header (an empty list is 3 bytes there and 64
#: in Python), and what reading any file takes.
MULTIPLE, OF_HEADER, FLOOR = 4, 25, 64_000
ODD = (0, -1, 1, 2**31, 2**53, -(2**62), 10**400, 1e308, -1e308, 1e-320, 0.5, None, True, "", "x" * 5000, [], [[]], {}, [2**40] * 3, "NaN")
ODD_NUMBERS = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -1.0, 2.0**31)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 2)) + np.sin(np.arange(500) * np.pi / 12)[:, None]
ROWS = RNG.normal(size=(100, 2))


@cache
def contents() -> tuple[bytes, ...]:
    """Models of each kind, with every kind of part before the detector; and a cascade alone in its chain."""
    steps = [tsp.Deseason(period=24), tsp.Detrend(length=24), tsp.Denoise(window=3), tsp.Windows(3), tsp.SelectFeatures()]
    models = [tsp.Pipeline([*steps, detector]).fit(X).freeze() for detector in ("iforest", "ocsvm", "lof")]
    cut = tsp.Pipeline([*steps, tsp.Pruned("iforest", keep=0.1, guard=None, random_state=0)]).fit(X).freeze()
    quick = tsp.Pipeline(["lof"]).fit(X).freeze()
    quick = type(quick)(quick.clock, quick.columns, quick.parts, cascade(quick.detector, random_state=0), quick.level)
    return tuple(file.to_bytes(model) for model in (*models, cut, quick))


def signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def split(content: bytes) -> tuple[dict, bytes, int]:
    """Header, arrays with their padding, and where they begin."""
    _, _, length = struct.unpack_from("<8sIQ", content)
    return json.loads(content[20 : 20 + length]), content[20 + length : -32], 20 + length


def joined(header: dict, arrays: bytes, began: int) -> bytes:
    new = json.dumps(header).encode()
    return signed(struct.pack("<8sIQ", file.MAGIC, 1, len(new)) + new + bytes(-(20 + len(new)) % 8) + arrays[-began % 8 :])


# -- ways to harm a file, with a valid checksum or without -------------------------------------------------------------------


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    harmed = bytearray(content)
    for at in rng.integers(len(content), size=rng.integers(1, 5)):
        harmed[at] ^= 1 << int(rng.integers(8))
    return bytes(harmed)


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content))]


def spliced(content: bytes, rng: np.random.Generator) -> bytes:
    other = contents()[rng.integers(len(contents()))]
    at = int(rng.integers(min(len(content), len(other))))
    return content[:at] + other[at:]


def resealed(content: bytes, rng: np.random.Generator) -> bytes:
    harm = (flipped, truncated, spliced)[rng.integers(3)]
    return signed(harm(content[:-32], rng))


def bytes_written(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes anywhere behind the head, sealed anew."""
    harmed = bytearray(content[:-32])
    at = int(rng.integers(20, len(harmed) - 8))
    harmed[at : at + rng.integers(1, 9)] = rng.bytes(8)[: rng.integers(1, 9)]
    return signed(bytes(harmed))


def facts_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """A value somewhere in the header becomes an odd one, goes, or is doubled."""
    header, arrays, began = split(content)
    at = header
    while isinstance(at, dict | list) and at:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[rng.integers(len(keys))]
        if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.15:
            break
        at = at[key]
    if rng.random() < 0.1:
        del at[key]
    elif isinstance(at, list) and rng.random() < 0.1:
        at.insert(0, at[key])
    else:
        at[key] = ODD[rng.integers(len(ODD))]
    return joined(header, arrays, began)


def numbers_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Numbers of one array become odd ones."""
    header, _, began = split(content)
    table, at, places = header["arrays"], began + -began % 8, []
    for entry in table:
        at += -at % 8
        size = int(np.prod(entry["shape"])) * np.dtype(entry["dtype"]).itemsize
        places.append((at, size, np.dtype(entry["dtype"])))
        at += size
    begin, size, dtype = places[rng.integers(len(places))]
    body = bytearray(content[:-32])
    if size:
        values = np.frombuffer(bytes(body[begin : begin + size]), dtype).copy()
        chosen = rng.integers(len(values), size=rng.integers(1, 4))
        odd = ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))]
        with np.errstate(all="ignore"):
            values[chosen] = odd if dtype.kind == "f" else rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, endpoint=True)
        body[begin : begin + size] = values.tobytes()
    return signed(bytes(body))


UNSEALED, SEALED = (flipped, truncated, spliced), (resealed, bytes_written, facts_changed, numbers_changed)


@pytest.mark.parametrize("harm", UNSEALED, ids=lambda harm: harm.__name__)
def test_a_file_without_a_valid_checksum_is_refused(harm):
    rng = np.random.default_rng(1)
    for i in range(COUNT // 7):
        content = contents()[i % len(contents())]
        harmed = harm(content, rng)
        if harmed not in contents():
            with pytest.raises(BadModelFile):
                file.from_bytes(harmed)


@pytest.mark.parametrize("harm", SEALED, ids=lambda harm: harm.__name__)
def test_a_file_with_a_valid_checksum_is_refused_or_gives_finite_scores(harm):
    rng = np.random.default_rng(2)
    slowest = 0.0
    for i in range(COUNT // 7):
        harmed = harm(contents()[i % len(contents())], rng)
        begin = time.process_time()
        try:
            with np.errstate(all="ignore"):
                scores = file.from_bytes(harmed).anomaly_score(ROWS)
        except BadModelFile:
            continue
        finally:
            slowest = max(slowest, time.process_time() - begin)
        assert len(scores) == len(ROWS)
        assert np.isfinite(scores[~np.isnan(scores)]).all()
    assert slowest < SECONDS


def memory(content: bytes, path) -> int:
    """Most bytes held at once while a file is read."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        file.read(path)
    except BadModelFile:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


def allowed(content: bytes) -> int:
    length = min(len(content), file.LONGEST, int.from_bytes(content[12:20], "little"))
    return MULTIPLE * len(content) + OF_HEADER * length + FLOOR


@pytest.mark.parametrize("harm", SEALED, ids=lambda harm: harm.__name__)
def test_reading_takes_little_memory_whatever_a_file_claims(harm, tmp_path):
    rng = np.random.default_rng(3)
    for i in range(COUNT // 40):
        harmed = harm(contents()[i % len(contents())], rng)
        assert memory(harmed, tmp_path / "harmed") < allowed(harmed)


@pytest.mark.parametrize(("n_features", "sample"), [(2, 256), (32, 4000), (200, 256), (300, 4000)])
def test_reading_a_forest_takes_four_times_its_file(n_features, sample, tmp_path):
    rows = np.random.default_rng(5).normal(size=(5000, n_features))
    whole = to_part(IsolationForest(max_samples=sample, random_state=0).fit(rows))
    contents = [file.to_bytes(whole)]
    if sample == 256:
        contents.append(file.to_bytes(collapse(whole, rows, whole.n_parts // 4, random_state=0)))
    for content in contents:
        file.from_bytes(content)
        assert memory(content, tmp_path / "forest") < MULTIPLE * len(content) + FLOOR


@pytest.mark.parametrize("filler", ["[]", "{}", '"ab"', "1.5", '"\\ud83d\\ude00"'])
def test_a_header_of_many_small_things_takes_little_memory(filler, tmp_path):
    header = f'{{"model":[{",".join([filler] * 100_000)}],"arrays":[]}}'.encode()
    content = signed(struct.pack("<8sIQ", file.MAGIC, 1, len(header)) + header)
    with pytest.raises(BadModelFile):
        file.from_bytes(content)
    assert memory(content, tmp_path / "crowded") < allowed(content)


def test_two_parts_cannot_claim_one_array():
    header, arrays, began = split(contents()[1])
    boundary = next(part for part in header["model"]["parts"] if part["kind"] == "Boundary")
    clone = json.loads(json.dumps(boundary))
    header["model"]["parts"].insert(-2, clone)
    with pytest.raises(BadModelFile, match="another one has"):
        file.from_bytes(joined(header, arrays, began))


def test_a_header_longer_than_a_file_may_have_is_neither_written_nor_read():
    rows = tsp.Pipeline(["ocsvm"]).fit(X).freeze()
    wide = type(rows)(rows.clock, ("x" * file.LONGEST, "y"), rows.parts, rows.detector, rows.level)
    with pytest.raises(ValueError, match="Give fewer columns"):
        file.to_bytes(wide)
    content = signed(struct.pack("<8sIQ", file.MAGIC, 1, 2 * file.LONGEST) + b" " * 2 * file.LONGEST)
    with pytest.raises(BadModelFile, match="header is longer"):
        file.from_bytes(content)


def test_a_hundred_trees_take_70_kilobytes_and_a_tenth_of_their_nodes_10():
    rows = np.random.default_rng(4).normal(size=(5000, 32))
    whole = to_part(IsolationForest(random_state=0).fit(rows))

    assert len(file.to_bytes(whole)) <= 70_000
    assert len(file.to_bytes(collapse(whole, rows, whole.n_parts // 10, random_state=0))) <= 10_000
