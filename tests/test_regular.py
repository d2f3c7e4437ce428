"""Files and rows of unknown making: found, counted, and dealt with by a stated policy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tsprune.errors import BadParameter, BadSeries
from tsprune.series.doctor import examine
from tsprune.series.io import read_file
from tsprune.series.regular import regularise
from tsprune.series.split import split_at


@pytest.fixture
def frame() -> pd.DataFrame:
    index = pd.date_range("2026-01-01", periods=100, freq="h")
    return pd.DataFrame({"x": np.arange(100.0)}, index=index)


def test_rows_out_of_order_are_sorted_and_counted(frame):
    regular = regularise(frame.iloc[[*range(50), 60, 55, *range(61, 100)]])

    assert regular.frame.index.is_monotonic_increasing
    assert regular.found["n_unsorted"] == 1


@pytest.mark.parametrize("name", ["order", "duplicates", "gaps", "irregular"])
def test_each_policy_can_refuse(frame, name):
    messy = pd.concat([frame, frame.iloc[[10]]]).drop(frame.index[40:45])
    messy = messy.set_axis(messy.index.where(messy.index != frame.index[70], frame.index[70] + pd.Timedelta("20min")))
    with pytest.raises(BadSeries, match=f"{name}='raise'"):
        regularise(messy, **{name: "raise"})


def test_duplicates_are_kept_dropped_or_masked(frame):
    double = pd.concat([frame, frame.iloc[[10]] + 0.5]).sort_index(kind="stable")

    assert len(regularise(double).frame) == 101
    assert regularise(double, duplicates="fix").frame["x"].iloc[10] == 10.5
    assert regularise(double, duplicates="mask").frame["x"].isna().sum() == 2


def test_short_gaps_are_filled_on_request_and_long_ones_never(frame):
    holed = frame.drop(frame.index[[20, 21, 50, 51, 52, 53, 54]])
    filled = regularise(holed, gaps="fix").frame

    assert len(filled) == 95
    assert filled["x"].loc[frame.index[20]] == pytest.approx(20.0)


def test_off_grid_rows_are_moved_or_masked(frame):
    moved = frame.set_axis(frame.index.where(frame.index != frame.index[30], frame.index[30] + pd.Timedelta("20min")))

    assert regularise(moved, irregular="fix").frame.index[30] == frame.index[30]
    assert regularise(moved, irregular="mask").frame["x"].isna().sum() == 1


def test_an_unknown_policy_is_named(frame):
    with pytest.raises(BadParameter, match="gaps is 'guess'"):
        regularise(frame, gaps="guess")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_file_becomes_a_frame_with_times_and_labels(tmp_path, frame, suffix):
    table = frame.reset_index(names="timestamp").assign(label=0, host="a", _mark=1.0)
    path = tmp_path / f"m{suffix}"
    table.to_parquet(path) if suffix == ".parquet" else table.to_csv(path, index=False)

    loaded = read_file(path)

    assert (loaded.frame.index == frame.index).all()
    assert list(loaded.frame.columns) == ["x"]
    assert set(loaded.left_out) == {"host", "_mark"}
    assert loaded.labels is not None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_since_1970_are_times(tmp_path, frame, unit):
    path = tmp_path / "m.csv"
    frame.assign(time=frame.index.as_unit(unit).asi8).to_csv(path, index=False)

    assert (read_file(path).frame.index == frame.index).all()


def test_texts_with_offsets_are_utc(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("time,x\n2026-03-29T01:00:00+01:00,1\n2026-03-29T03:00:00+02:00,2\n")

    assert read_file(path).frame.index.tolist() == [pd.Timestamp("2026-03-29 00:00", tz="UTC"), pd.Timestamp("2026-03-29 01:00", tz="UTC")]


def test_a_zone_makes_wall_clock_times_unambiguous(tmp_path):
    wall = pd.date_range("2026-10-24", periods=72, freq="h", tz="Europe/Berlin")
    path = tmp_path / "m.csv"
    pd.DataFrame({"time": wall.tz_localize(None), "x": 1.0}).to_csv(path, index=False)

    assert (read_file(path, zone="Europe/Berlin").frame.index == wall).all()


@pytest.mark.parametrize(
    ("header", "first", "second", "time"),
    [
        ("Zeitstempel,load", "03.11.2025 10:00,1", "03.11.2025 11:00,2", "Zeitstempel"),
        ("host,at,load", "10.0.0.1,2026-01-05T10:00Z,1", "10.0.0.1,2026-01-05T11:00Z,2", "at"),
        ("from,to,load", "2026-01-05,2026-01-06,1", "2026-01-06,2026-01-07,2", None),
        ("version,load", "1.2.3,1", "1.2.4,2", None),
        ("build,load", "2026-01-05-rc0,1", "2026-01-06-rc1,2", None),
        ("installed,load", "2026-01-05,1", "2026-01-05,2", None),
        ("born,load", "1990-05-01,1", "1961-02-03,2", None),
    ],
)
def test_the_only_column_of_dates_is_the_time_whatever_its_name(tmp_path, header, first, second, time):
    path = tmp_path / "x.csv"
    path.write_text("\n".join([header, first, second]))

    loaded = read_file(path)

    assert loaded.time == time
    assert isinstance(loaded.frame.index, pd.DatetimeIndex) == (time is not None)


@pytest.mark.parametrize(
    ("content", "options", "error", "told"),
    [
        ("time,x\n2026-01-01,1\n", {"time": "when"}, BadParameter, "'when'"),
        ("time,x\n2026-01-01,1\n", {"zone": "Mars/Base"}, BadParameter, "Mars/Base"),
        ("time,x\nyesterday,1\n", {}, BadSeries, "cannot be understood"),
        ("time,host\n2026-01-01,a\n", {}, BadSeries, "no numeric column"),
        ("time,x\n", {}, BadSeries, "no rows"),
        ("", {}, BadSeries, "cannot be read"),
        ("time,x,label\n2026-01-01,1,2\n", {}, BadSeries, "a label is 0"),
    ],
)
def test_a_file_of_no_use_is_refused_by_name(tmp_path, content, options, error, told):
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(error, match=told):
        read_file(path, **options)


def test_the_doctor_says_what_is_there_and_what_would_be_done(tmp_path, frame):
    path = tmp_path / "m.csv"
    frame.drop(frame.index[5:8]).assign(flat=1.0, host="a").rename_axis("time").to_csv(path)

    told = "\n".join(examine(read_file(path)))

    for said in (
        "97 rows",
        "step 01:00:00",
        "3 missing slots: missing slots count as missing",
        "flat: 1 to 1, median 1; constant",
        "left out: host",
    ):
        assert said in told


def test_the_doctor_recognises_a_wall_clock_without_a_zone(tmp_path):
    wall = pd.date_range("2026-03-20", "2026-04-10", freq="h", tz="Europe/Berlin").tz_localize(None)
    path = tmp_path / "m.csv"
    pd.DataFrame({"time": wall, "x": 1.0}).to_csv(path, index=False)

    assert "--zone" in "\n".join(examine(read_file(path)))


def test_a_split_is_by_share_or_by_time(frame):
    assert split_at(frame, 0.25) == 25
    assert split_at(frame, "2026-01-02") == 24
    with pytest.raises(BadParameter, match=r"train is 1\.5"):
        split_at(frame, 1.5)
    with pytest.raises(BadSeries, match="leaves 0"):
        split_at(frame, "2020-01-01")
