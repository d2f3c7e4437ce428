"""The series that come with the package, and the generator behind one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsprune as tsp
from tsprune.errors import BadParameter
from tsprune.series import datasets
from tsprune.series.synthetic import DAY, RELEASE, signal, web_service

NAMES = datasets.list()
DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def service():
    return web_service()


def runs(labels: pd.Series) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last time of each run of ones, the slow way."""
    found, open_since, before = [], None, None
    for time, label in labels.items():
        if label and open_since is None:
            open_since = time
        if not label and open_since is not None:
            found.append((open_since, before))
            open_since = None
        before = time
    return found if open_since is None else [*found, (open_since, before)]


def episodes_of_the_readme() -> list[list[str]]:
    """The cells of the table of episodes, row by row."""
    lines = (DATA / "README.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith(("| 19", "| 20"))]


def test_the_two_series_are_listed_by_name():
    assert tsp.datasets.list() == ("elnino", "web_service")


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_holds_values_and_labels_on_one_regular_time_index(name):
    data = datasets.load(name)

    assert isinstance(data.frame.index, pd.DatetimeIndex)
    assert data.frame.index.name == "time"
    assert data.frame.index.tz is None
    step = {"1 month": "MS", "5 minutes": "5min"}[data.facts["step"]]
    assert data.frame.index.equals(pd.date_range(data.frame.index[0], periods=len(data.frame), freq=step))
    assert data.labels.index.equals(data.frame.index)
    assert data.labels.dtype == np.int8
    assert set(data.labels) == {0, 1}
    assert "label" not in data.frame.columns
    assert np.isfinite(data.frame.to_numpy(float)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_facts_count_and_name_the_events(name):
    data = datasets.load(name)

    assert data.facts["name"] == name
    assert data.facts["n_events"] == len(data.facts["events"]) == len(runs(data.labels))
    assert 0 < data.facts["train_share"] < 1
    assert {"title", "source", "licence", "real", "unit", "step", "periods"} <= set(data.facts)


@pytest.mark.parametrize("name", NAMES)
def test_the_suggested_split_leaves_most_events_to_judge_by_and_a_few_cycles_to_learn_from(name):
    data = datasets.load(name)
    cut = int(len(data.frame) * data.facts["train_share"])

    assert len(runs(data.labels[cut:])) > len(data.facts["events"]) / 2
    assert cut >= 3 * max(data.facts["periods"])


def test_changing_what_was_loaded_changes_nothing_for_the_next_one():
    first = datasets.load("elnino")
    first.frame.iloc[0] = -1.0
    first.facts["events"].clear()

    again = datasets.load("elnino")

    assert again.frame.iloc[0, 0] == 23.11
    assert len(again.facts["events"]) == 8


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(BadParameter, match=r"name is 'taxi'.*'elnino', 'web_service'"):
        datasets.load("taxi")


def test_a_dataset_prints_as_one_sentence():
    assert str(datasets.load("elnino")).endswith("732 rows x 1, 8 events on 108 rows")


def test_the_folder_inside_the_package_comes_first_and_the_checkout_s_second(tmp_path, monkeypatch):
    inside, beside = tmp_path / "inside", tmp_path / "beside"
    for folder, value in ((inside, 1.5), (beside, 2.5)):
        folder.mkdir()
        (folder / "elnino.csv").write_text(f"time,value,label\n2000-01-01,{value},1\n")
    monkeypatch.setattr(datasets, "_FOLDERS", (inside, beside))

    assert datasets.load("elnino").frame["value"].tolist() == [1.5]
    (inside / "elnino.csv").unlink()
    assert datasets.load("elnino").frame["value"].tolist() == [2.5]
    (beside / "elnino.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"elnino\.csv is in neither"):
        datasets.load("elnino")


def test_the_sea_temperatures_are_those_that_statsmodels_ships():
    from statsmodels.datasets import elnino as source

    table = source.load_pandas().data
    ours = datasets.load("elnino").frame["value"]

    for year in (1950, 1983, 2010):
        np.testing.assert_array_equal(ours[str(year)], table[table["YEAR"] == year].to_numpy()[0, 1:])
    assert ours.sum() == pytest.approx(table.drop(columns="YEAR").to_numpy().sum(), rel=1e-12)
    assert "public domain" in source.COPYRIGHT


def test_the_labelled_months_are_the_episodes_that_the_readme_lists():
    data = datasets.load("elnino")
    found = [(start.strftime("%Y-%m"), end.strftime("%Y-%m")) for start, end in runs(data.labels)]

    assert [(first, last) for _, first, last, *_ in episodes_of_the_readme()] == found
    assert [name for name, *_ in episodes_of_the_readme()] == data.facts["events"]


def test_the_sea_off_peru_was_warm_in_every_labelled_episode_and_by_how_much_the_readme_says():
    data = datasets.load("elnino")
    value = data.frame["value"]
    anomaly = value - value.groupby(value.index.month).transform("median")
    means = [round(float(anomaly[start:end].mean()), 1) for start, end in runs(data.labels)]

    assert means == [float(row[-1]) for row in episodes_of_the_readme()]
    assert min(means) > 0.5
    assert anomaly[data.labels == 0].median() < 0.0


def test_the_service_file_is_what_the_generator_makes_and_small(service):
    frame, labels, _ = service
    data = datasets.load("web_service")

    pd.testing.assert_frame_equal(data.frame, frame, check_freq=False, check_index_type=False)
    pd.testing.assert_series_equal(data.labels, labels, check_freq=False, check_index_type=False)
    assert (DATA / "web_service.csv").stat().st_size < 1_500_000


def test_the_generator_is_seeded():
    first, labels, _ = web_service(random_state=3)
    again, _, _ = web_service(random_state=3)
    other, others, _ = web_service(random_state=4)

    pd.testing.assert_frame_equal(first, again)
    assert not first["requests"].equals(other["requests"])
    assert labels.equals(others)


def test_the_service_has_a_constant_a_copied_and_an_unrelated_metric(service):
    frame, _, _ = service

    assert frame["replicas"].nunique() == 1
    assert frame["lb_requests"].equals(frame["requests"])
    by_phase = frame - frame.groupby(np.arange(len(frame)) % (7 * DAY)).transform("median")
    related = by_phase.drop(columns="replicas").corr()["requests"]
    assert related["cpu_percent"] > 0.7
    assert abs(related["room_temp_c"]) < 0.1


def test_the_requests_follow_the_day_and_the_week(service):
    requests = service[0]["requests"]
    by_hour = requests.groupby(requests.index.hour).mean()

    assert by_hour.max() > 2.5 * by_hour.min()
    assert requests[requests.index.day_of_week >= 5].max() < 0.9 * requests[requests.index.day_of_week < 5].max()


def test_the_first_three_weeks_are_mostly_clean_but_not_perfectly(service):
    early = service[1][: 21 * DAY]

    assert len(runs(early)) == 3
    assert 0.0 < early.mean() < 0.01


def test_the_release_raises_memory_and_carries_no_label(service):
    frame, labels, _ = service
    before, after = (frame["memory_mb"].iloc[part] for part in (slice(RELEASE - DAY, RELEASE), slice(RELEASE, RELEASE + DAY // 2)))

    assert after.median() - before.median() > 100.0
    assert labels.iloc[RELEASE - DAY : RELEASE + DAY // 2].sum() == 0


def test_every_incident_shows_in_the_metric_that_its_table_names(service):
    frame, labels, incidents = service
    assert len(incidents) == 13
    assert incidents["kind"].nunique() == 10
    for incident in incidents.itertuples():
        values = frame[incident.column]
        usual = values.where(labels == 0)
        phase = np.arange(len(frame)) % (7 * DAY)
        expected = usual.groupby(phase).transform("median")
        spread = 1.4826 * (usual - expected).abs().median()
        during = (values - expected)[incident.start : incident.end]
        assert during.abs().max() > 3.5 * spread, incident
        assert (labels[incident.start : incident.end] == 1).all()


@pytest.mark.parametrize("name", ["noise", "walk", "daily", "weekly", "drift", "pulse", "constant", "coupled"])
def test_a_small_signal_is_finite_seeded_and_as_long_as_asked(name):
    short = signal(name, n=500, random_state=1)

    assert len(short) == 500
    assert np.isfinite(short.to_numpy()).all()
    assert short.equals(signal(name, n=500, random_state=1))
    assert name == "constant" or not short.equals(signal(name, n=500, random_state=2))


def test_coupled_columns_go_together_but_for_one():
    together = signal("coupled").corr()

    assert together.loc["a", "b"] > 0.9
    assert abs(together.loc["a", "c"]) < 0.3


@pytest.mark.parametrize("wrong", [{"name": "sine"}, {"name": "daily", "n": 0}, {"name": "daily", "random_state": -1}])
def test_a_signal_refuses_what_it_does_not_know(wrong):
    with pytest.raises(BadParameter):
        signal(**wrong)
