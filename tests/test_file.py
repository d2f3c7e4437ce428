"""Model files: data only, whole or not at all, and refused when damaged, however that was done."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import struct
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

import tsprune as tsp
from tsprune.errors import BadModelFile, BadParameter, BadSeries
from tsprune.model import file


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """A model file for each kind of detector, with every signal and feature stage."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-03-01", periods=700, freq="h", tz="Europe/Berlin")
    x = pd.DataFrame({"a": np.sin(np.arange(700) * np.pi / 12) + rng.normal(size=700) * 0.1, "b": rng.normal(size=700)}, index=index)
    made = {}
    for name in ("iforest", "ocsvm", "lof"):
        steps = [
            tsp.Deseason(),
            tsp.Detrend(length=50),
            tsp.Denoise(window=3),
            tsp.Windows(3),
            tsp.SelectFeatures(),
            tsp.Pruned(name, random_state=0),
        ]
        made[name] = file.to_bytes(tsp.Pipeline(steps).fit(x).freeze())
    return made


def scores(content: bytes) -> np.ndarray:
    model = file.from_bytes(content)
    time = np.datetime64("2026-03-28", "ns") + np.arange(120) * np.timedelta64(1, "h")
    return model.anomaly_score(np.random.default_rng(1).normal(size=(120, 2)), time)


def signed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


@pytest.mark.parametrize("name", ["iforest", "ocsvm", "lof"])
def test_a_file_is_the_model_to_the_bit(contents, name):
    again = file.to_bytes(file.from_bytes(contents[name]))

    assert again == contents[name]
    assert np.isfinite(scores(contents[name])[60:]).all()


@pytest.mark.parametrize("name", ["iforest", "ocsvm", "lof"])
def test_every_flipped_bit_and_every_cut_is_refused(contents, name):
    content = contents[name]
    rng = np.random.default_rng(2)
    for at in rng.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(BadModelFile):
            file.from_bytes(bytes(damaged))
    for at in [*rng.integers(0, len(content), 100), 0, 1, len(content) - 1]:
        with pytest.raises(BadModelFile):
            file.from_bytes(content[:at])


@pytest.mark.parametrize("name", ["iforest", "ocsvm", "lof"])
def test_a_changed_file_with_a_new_seal_is_another_model_or_refused(contents, name):
    body = contents[name][:-32]
    rng = np.random.default_rng(3)
    loaded = 0
    for _ in range(400):
        damaged = bytearray(body)
        for at in rng.integers(20, len(body), rng.integers(1, 4)):
            damaged[at] = int(rng.integers(256))
        try:
            with np.errstate(all="ignore"):
                found = scores(signed(bytes(damaged)))
        except BadModelFile:
            continue
        loaded += 1
        assert not np.isinf(found).any()
        assert np.isfinite(found[80:]).all()
    assert loaded > 20


def edited(content: bytes, change) -> bytes:
    """The file with its header changed, sealed anew."""
    _, number, length = struct.unpack_from("<8sIQ", content)
    header = json.loads(content[20 : 20 + length])
    change(header)
    new = json.dumps(header).encode()
    arrays = content[20 + length : -32]
    old_pad, new_pad = -(20 + length) % 8, -(20 + len(new)) % 8
    return signed(struct.pack("<8sIQ", file.MAGIC, number, len(new)) + new + bytes(new_pad) + arrays[old_pad:])


def first(header: dict, kind: str) -> dict:
    return next(part for part in header["model"]["parts"] if part["kind"] == kind)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.update(extra=1),
        lambda h: h["model"].update(kind="Path"),
        lambda h: h["model"].update(kind="__import__"),
        lambda h: h["model"].update(parts=[]),
        lambda h: h["model"]["parts"].insert(0, deepcopy(h["model"])),
        lambda h: h["arrays"][0].update(shape=[2**62]),
        lambda h: h["arrays"][0].update(shape=[-1]),
        lambda h: h["arrays"][0].update(shape=[2**31, 2**31]),
        lambda h: h["arrays"][0].update(dtype="|O"),
        lambda h: h["arrays"][0].update(dtype="<U1000000"),
        lambda h: h["arrays"].append({"dtype": "<f8", "shape": [1]}),
        lambda h: first(h, "Clock")["facts"].update(step=0),
        lambda h: first(h, "Clock")["facts"].update(kind="lunar"),
        lambda h: first(h, "SeasonProfile")["facts"].update(bins=[10**9]),
        lambda h: first(h, "BlockTrend")["facts"].update(block=2**40),
        lambda h: first(h, "BlockTrend")["facts"].update(channels=["level", "other"]),
        lambda h: first(h, "WindowMatrix")["facts"].update(features=["__class__"] * 9),
        lambda h: first(h, "WindowMatrix")["facts"].update(lengths=[10**9] * 9),
        lambda h: first(h, "Columns")["facts"].update(kept=[10**6]),
        lambda h: first(h, "Smoother")["facts"].update(window=10**9),
        lambda h: first(h, "Level")["facts"].update(threshold="high"),
        lambda h: h["model"]["facts"].update(columns=["a"]),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(contents, change):
    with pytest.raises(BadModelFile):
        scores(edited(contents["iforest"], change))


def test_deep_and_odd_json_is_refused():
    for header in (
        b"[" * 100_000,
        b'{"model":NaN,"arrays":[]}',
        b"\xff\xfe",
        b'{"a":' * 50_000,
        b"1" * 10_000,
        b'{"model":{},"arrays":{}}',
    ):
        with pytest.raises(BadModelFile):
            file.from_bytes(signed(struct.pack("<8sIQ", file.MAGIC, 1, len(header)) + header))


def test_another_format_is_refused_by_number(contents):
    content = contents["iforest"]
    with pytest.raises(BadModelFile, match="format 77"):
        file.from_bytes(signed(content[:8] + struct.pack("<I", 77) + content[12:-32]))


def test_what_is_no_model_is_refused_by_name(tmp_path):
    (tmp_path / "x").write_bytes(b"\x80\x04\x95 a pickle, perhaps, and long enough to be looked at twice.............")
    with pytest.raises(BadModelFile, match="not a tsprune model file"):
        tsp.load(tmp_path / "x")


def test_loading_imports_and_executes_nothing(contents, tmp_path):
    import subprocess
    import sys

    (tmp_path / "m.tsp").write_bytes(contents["iforest"])
    code = f"""
import sys, numpy as np, tsprune as tsp, tsprune.model
seen = []
sys.addaudithook(lambda event, args: seen.append(event))
tsp.load({str(tmp_path / "m.tsp")!r})
assert not set(seen) & {{"exec", "compile", "pickle.find_class", "os.system", "subprocess.Popen", "socket.connect"}}, seen
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_may_be_read_by_whom_other_files_may(contents, tmp_path):
    (tmp_path / "other").write_bytes(b"")
    file.from_bytes(contents["iforest"]).save(tmp_path / "m.tsp")

    assert (tmp_path / "m.tsp").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_saving_is_whole_or_not_at_all(contents, tmp_path, monkeypatch):
    target = tmp_path / "m.tsp"
    model = file.from_bytes(contents["iforest"])
    model.save(target)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        model.save(target)

    assert target.read_bytes() == contents["iforest"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.tsp"]


def fsync_of_folders_fails(monkeypatch, number: int) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr("os.fsync", fsync)


@pytest.mark.parametrize("name", ["EINVAL", "ENOTSUP", "EBADF"])
def test_a_model_is_saved_where_folders_cannot_be_synced(contents, tmp_path, monkeypatch, name):
    """Some file systems of networks and containers refuse it; the file itself is synced everywhere."""
    fsync_of_folders_fails(monkeypatch, getattr(errno, name))
    file.from_bytes(contents["iforest"]).save(tmp_path / "m.tsp")
    assert (tmp_path / "m.tsp").read_bytes() == contents["iforest"]


def test_a_folder_on_a_failing_disk_is_no_secret(contents, tmp_path, monkeypatch):
    fsync_of_folders_fails(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        file.from_bytes(contents["iforest"]).save(tmp_path / "m.tsp")


def test_a_model_asks_for_what_it_needs(contents):
    model = file.from_bytes(contents["iforest"])
    with pytest.raises(BadParameter, match="time is None"):
        model.anomaly_score(np.zeros((5, 2)))
    with pytest.raises(BadParameter, match="columns a, b"):
        model.anomaly_score(np.zeros((5, 3)), np.arange(5))
    with pytest.raises(BadSeries, match="infinity at row 1"):
        model.anomaly_score(np.array([[0.0, 0], [np.inf, 0]]), np.arange(2))
    with pytest.raises(BadParameter, match="one per row"):
        model.anomaly_score(np.zeros((5, 2)), np.arange(4))
    assert "Forest" in model.describe()
