"""One file for a fleet: random access, series in and out, and no damage or malice gets through."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fleets import wide_fleet

import tsprune as tsp
from tsprune.errors import BadModelFile, BadParameter
from tsprune.model import file, store
from tsprune.model.member import Fleet

WIDE = wide_fleet(6)
PIPELINE = tsp.Pipeline(
    [tsp.Deseason(24), tsp.Detrend(length=48), tsp.Windows(4, "point"), tsp.Pruned("iforest", keep=0.1, guard=None, random_state=0)]
)


@pytest.fixture(scope="module")
def model():
    return tsp.panel.fit(WIDE, PIPELINE, clusters=2)


@pytest.fixture(scope="module")
def content(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("fleet") / "fleet.tspf"
    model.save(path)
    return path.read_bytes()


def read(content: bytes, tmp_path, series=None):
    path = tmp_path / "x.tspf"
    path.write_bytes(content)
    return tsp.panel.load(path, series)


def test_a_fleet_comes_back_as_it_was_saved(model, content, tmp_path):
    loaded = read(content, tmp_path)
    assert loaded.series == model.series
    assert tsp.panel.score(loaded, WIDE).equals(tsp.panel.score(model, WIDE))
    loaded.save(tmp_path / "again.tspf")
    assert (tmp_path / "again.tspf").read_bytes() == content


def test_one_series_is_read_without_the_others(content, model, tmp_path, monkeypatch):
    """Of the file, the index, what is shared, and one record."""
    sizes = []
    original = store._record
    monkeypatch.setattr(store, "_record", lambda source, start, size, seal: sizes.append(size) or original(source, start, size, seal))
    one = read(content, tmp_path, ["host-4"])
    assert one.series == ("host-4",)
    assert len(sizes) == 2
    assert tsp.panel.score(one, WIDE[["host-4"]]).equals(tsp.panel.score(model, WIDE)[["host-4"]])
    with pytest.raises(BadParameter, match="'nobody'"):
        read(content, tmp_path, ["nobody"])


def test_series_come_and_go_without_a_refit(model):
    new = WIDE[["host-0"]].rename(columns={"host-0": "new"})
    more = model.add(tsp.panel.learn(model, new))
    assert more.series == (*model.series, "new")
    assert more.fleet is model.fleet
    assert tsp.panel.score(more, new)["new"].equals(tsp.panel.score(model, WIDE)["host-0"].rename("new"))
    assert tsp.panel.score(more, WIDE).equals(tsp.panel.score(model, WIDE))
    less = more.remove(["host-1", "new"])
    assert "host-1" not in less.series
    assert tsp.panel.score(less, WIDE[["host-2"]]).equals(tsp.panel.score(model, WIDE)[["host-2"]])
    with pytest.raises(BadParameter, match="not among"):
        less.remove(["host-1"])


def test_a_series_of_another_fleet_is_not_taken_in(model):
    other = tsp.panel.fit(WIDE[:300], PIPELINE, clusters=2)
    with pytest.raises(BadParameter, match="another fleet"):
        model.add(other)


def test_a_series_with_a_new_step_brings_its_clock(model):
    index = WIDE.index[0] + np.arange(600) * np.timedelta64(10, "m")
    new = WIDE[["host-0"]].iloc[np.arange(600) % 400].set_axis(index).rename(columns={"host-0": "fast"})
    more = model.add(tsp.panel.learn(model, new, tsp.Pipeline([tsp.Deseason(), *PIPELINE.steps[1:]])))
    assert len(more.fleet.clocks) == 2
    assert tsp.panel.score(more, new).notna().to_numpy().mean() > 0.9
    assert tsp.panel.score(more, WIDE).equals(tsp.panel.score(model, WIDE))


def test_a_record_takes_hundreds_of_bytes(model):
    assert model.facts()["bytes"].between(200, 2000).all()


def fleet_of_offsets(n: int, zone: str | None) -> pd.DataFrame:
    """Series of one step, each reported at its own second, as agents do; one of another step."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2026-03-20", tz=zone)
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{k}",
                "ds": start + pd.Timedelta(seconds=17 * k) + np.arange(300) * pd.Timedelta(hours=1 if k else 2),
                "y": rng.normal(size=300),
            }
        )
        for k in range(n)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_series_that_report_at_seconds_of_their_own_share_their_calendar_in_a_file(tmp_path, zone):
    """A clock takes 24 bytes where it took a part of the header: a fleet of 5,000 offsets could not be saved."""
    frame = fleet_of_offsets(30, zone)
    model = tsp.panel.fit(frame, tsp.Pipeline([tsp.Windows(4, "point"), "subspace"]), clusters=1)
    assert len(model.fleet.clocks) == 30
    few = model.only(["s1"])
    one = len(file.to_bytes(replace(few.fleet, clocks=few.fleet.clocks[:1])))
    assert len(file.to_bytes(model.fleet)) < one + 40 * 30 + 400
    model.save(tmp_path / "fleet.tspf")
    loaded = tsp.panel.load(tmp_path / "fleet.tspf")
    assert [file.to_bytes(clock) for clock in loaded.fleet.clocks] == [file.to_bytes(clock) for clock in model.fleet.clocks]
    assert tsp.panel.score(loaded, frame).equals(tsp.panel.score(model, frame))


@pytest.mark.parametrize("change", [{"calendars": 1}, {"calendars": -1}, {"steps": 0}, {"origins": -1}, {"origins": 2**61}])
def test_clocks_that_make_no_sense_are_refused(change):
    model = tsp.panel.fit(fleet_of_offsets(3, None), tsp.Pipeline([tsp.Windows(4, "point"), "subspace"]), clusters=1)
    spec = model.fleet.to_spec()
    for name, value in change.items():
        spec.arrays[name][1] = value
    with pytest.raises((BadModelFile, ValueError)):
        Fleet.from_spec(spec.facts, spec.arrays, model.fleet.clocks[:1] + model.fleet.windows + model.fleet.detectors)


def test_more_clocks_than_a_file_holds_are_refused_with_the_way_out(tmp_path, monkeypatch):
    model = tsp.panel.fit(fleet_of_offsets(6, None), tsp.Pipeline([tsp.Windows(4, "point"), "subspace"]), clusters=1)
    monkeypatch.setattr("tsprune.model.member.MOST_CLOCKS", 5)
    with pytest.raises(BadParameter, match=r"6 clocks.*holds 5.*Round times to the step"):
        model.save(tmp_path / "fleet.tspf")
    assert not list(tmp_path.iterdir())


def signed(content: bytes, change) -> bytes:
    """The file with its index changed, and sealed anew."""
    _, number, length = struct.unpack_from("<8sIQ", content)
    index = json.loads(content[20 : 20 + length])
    change(index)
    told = json.dumps(index).encode()
    head = struct.pack("<8sIQ", file.FLEET_MAGIC, number, len(told)) + told
    return head + hashlib.sha256(head).digest() + content[20 + length + 32 :]


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.update(extra=1),
        lambda index: index["names"].pop(),
        lambda index: index.update(names={}),
        lambda index: index["names"].__setitem__(1, index["names"][0]),
        lambda index: index["names"].__setitem__(1, 7),
        lambda index: index["sizes"].__setitem__(1, -1),
        lambda index: index["sizes"].__setitem__(1, 2**62),
        lambda index: index["sizes"].__setitem__(1, 1.5),
        lambda index: index["seals"].__setitem__(1, "0" * 16),
        lambda index: index["seals"].__setitem__(1, None),
        lambda index: index["sizes"].__setitem__(slice(1, 3), [index["sizes"][1] + 8, index["sizes"][2] - 8]),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(content, change, tmp_path):
    with pytest.raises(BadModelFile):
        read(signed(content, change), tmp_path)


def test_a_fleet_read_as_a_model_and_a_model_read_as_a_fleet_say_who_reads_them(model, tmp_path):
    model.save(tmp_path / "fleet.tspf")
    model.model(WIDE.columns[0]).save(tmp_path / "one.tsp")
    with pytest.raises(BadModelFile, match=r"a fleet: load it with tsp\.panel\.load"):
        tsp.load(tmp_path / "fleet.tspf")
    with pytest.raises(BadModelFile, match=r"a single model: load it with tsp\.load"):
        tsp.panel.load(tmp_path / "one.tsp")


def test_any_damage_is_seen(content, tmp_path):
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(BadModelFile):
            read(bytes(damaged), tmp_path)
    for at in [*rng.integers(0, len(content), 40).tolist(), 0, 1, len(content) - 1]:
        with pytest.raises(BadModelFile):
            read(content[:at], tmp_path)


def test_records_that_change_places_are_refused(content, tmp_path):
    """Each record is sealed; the index knows which seal belongs to which series."""
    _, _, length = struct.unpack_from("<8sIQ", content)
    index = json.loads(content[20 : 20 + length])
    start = 20 + length + 32
    bounds = start + np.cumsum([0, *index["sizes"]])
    first, second = (content[bounds[k] : bounds[k + 1]] for k in (1, 2))
    if len(first) != len(second):
        pytest.skip("the two records differ in length")
    swapped = content[: bounds[1]] + second + first + content[bounds[3] :]
    with pytest.raises(BadModelFile, match="not the one that the index names"):
        read(swapped, tmp_path)


def test_a_member_that_does_not_fit_its_fleet_is_refused(model, tmp_path):
    member = replace(model.members["host-0"], detector=7)
    store.write(model.fleet, {"x": member}, tmp_path / "x.tspf")
    with pytest.raises(BadModelFile, match="do not fit"):
        tsp.panel.load(tmp_path / "x.tspf")


@pytest.mark.parametrize("which", ["fleet", "member"])
def test_a_changed_record_with_a_new_seal_is_another_one_or_refused(model, which):
    """No crash, no score that is infinite: semantic checks stand behind the checksums."""
    part = model.fleet if which == "fleet" else model.members["host-2"]
    body = file.to_bytes(part)[:-32]
    rng = np.random.default_rng(1)
    loaded = 0
    for _ in range(300):
        damaged = bytearray(body)
        for at in rng.integers(20, len(body), 2):
            damaged[at] = int(rng.integers(256))
        try:
            found = file.from_bytes(bytes(damaged) + hashlib.sha256(damaged).digest())
            fleet, member = (found, model.members["host-2"]) if which == "fleet" else (model.fleet, found)
            fleet.check_member(member)
        except (BadModelFile, ValueError):
            continue
        loaded += 1
        with np.errstate(all="ignore"):
            scores = fleet.model("x", member).anomaly_score(WIDE["host-2"].to_numpy()[:80], WIDE.index.to_numpy()[:80])
        assert not np.isinf(scores).any()
    assert loaded > 20


def test_saving_is_whole_or_not_at_all(model, content, tmp_path, monkeypatch):
    target = tmp_path / "fleet.tspf"
    model.save(target)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        model.remove(["host-0"]).save(target)
    assert target.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.tspf"]
