"""A file as a newcomer brings it: day-first dates on a wall clock, gaps, duplicates, texts between the numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tsprune.cli import main
from tsprune.series.io import read_file


@pytest.fixture(scope="module")
def meter(tmp_path_factory):
    """Ten weeks of quarter hours in Berlin with the autumn's clock change; its doubled hour holds a duplicated row."""
    wall = pd.date_range("2025-10-01", "2025-11-30", freq="15min", tz="UTC").tz_convert("Europe/Berlin")
    rng = np.random.default_rng(0)
    heat = 50 + 30 * np.sin((wall.hour + wall.minute / 60) * np.pi / 12) + rng.normal(0, 2, len(wall))
    frame = pd.DataFrame(
        {"Zeitstempel": wall.tz_localize(None).strftime("%d.%m.%Y %H:%M"), "heat": heat.round(1).astype(str), "meter": "HM-17"}
    )
    change = int(np.flatnonzero(wall == pd.Timestamp("2025-10-26 00:30", tz="UTC"))[0])
    frame.loc[100:104, "heat"] = "n/a"
    frame = pd.concat([frame.drop(index=range(900, 960)), frame.iloc[[change]], frame.iloc[2000:2005]]).sort_index(kind="stable")
    file = tmp_path_factory.mktemp("meter") / "meter.csv"
    frame.to_csv(file, index=False)
    return file, wall


def test_dates_with_dots_begin_with_the_day_and_raise_no_warning(meter):
    file, wall = meter
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = read_file(file, time="Zeitstempel")

    assert loaded.frame.index[0] == wall[0].tz_localize(None)
    assert loaded.frame.index[-1] == wall[-1].tz_localize(None)


def test_the_doubled_hour_is_told_apart_by_the_order_of_rows_even_with_duplicates_elsewhere(meter):
    file, wall = meter
    index = read_file(file, time="Zeitstempel", zone="Europe/Berlin").frame.index

    assert index.is_monotonic_increasing
    assert index.duplicated().sum() == 6
    assert set(index) <= set(wall)


def test_doctor_names_gaps_duplicates_and_the_clock(meter, capsys):
    assert main(["doctor", str(meter[0]), "--time", "Zeitstempel", "--zone", "Europe/Berlin"]) == 0
    told = capsys.readouterr().out

    assert "6 rows in a slot already taken" in told
    assert "60 missing slots" in told
    assert "5 missing: those rows get no score" in told
    assert "its clock changes" in told
