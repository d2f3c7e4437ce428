"""The command line: data to stdout, one clear line on stderr when something is wrong, exit codes that mean something."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tsprune.cli import main


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rng = np.random.default_rng(0)
    index = pd.date_range("2026-01-01", periods=1200, freq="h", name="time")
    frame = pd.DataFrame({"load": np.sin(np.arange(1200) * np.pi / 12) + rng.normal(size=1200) * 0.1, "flat": 1.0, "label": 0}, index=index)
    frame.loc[frame.index[900:905], "load"] += 4
    frame.loc[frame.index[900:905], "label"] = 1
    path = tmp_path_factory.mktemp("data") / "metrics.csv"
    frame.drop(frame.index[100:103]).to_csv(path)
    return path


def test_fit_inspect_score_and_fail_on_anomaly(data, tmp_path, capsys):
    model, out = str(tmp_path / "m.tsp"), tmp_path / "scores.csv"

    assert main(["fit", str(data), "--model", model, "--train", "0.6", "--seed", "1"]) == 0
    assert main(["inspect", model]) == 0
    assert "Forest" in capsys.readouterr().out
    assert main(["score", str(data), "--model", model, "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert list(table.columns) == ["time", "score", "alarm"]
    assert len(table) == 1197
    assert table["alarm"].iloc[897:902].sum() >= 3
    assert main(["score", str(data), "--model", model, "--fail-on-anomaly"]) == 1
    assert capsys.readouterr().out.startswith("time,score,alarm\n2026-01-01")


@pytest.mark.parametrize("suffix", [".html", ".json", ".csv"])
def test_report_is_printed_and_written(data, tmp_path, capsys, suffix):
    out = tmp_path / f"r{suffix}"

    assert (
        main(
            [
                "report",
                str(data),
                "--train",
                "0.5",
                "--boot",
                "20",
                "--steps",
                "deseason,windows,iforest",
                "--keep",
                "0.3",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    told = capsys.readouterr()
    assert "deseason" in told.out
    assert "3 missing slots" in told.err
    assert out.stat().st_size > 500
    if suffix == ".json":
        assert json.loads(out.read_text())["facts"]["events"] == 1


def test_without_labels_a_report_is_estimated_on_request(data, tmp_path, capsys):
    pd.read_csv(data).drop(columns="label").to_csv(tmp_path / "plain.csv", index=False)

    assert (
        main(
            [
                "report",
                str(tmp_path / "plain.csv"),
                "--inject",
                "--train",
                "0.5",
                "--boot",
                "20",
                "--steps",
                "windows,iforest",
                "--keep",
                "0.3",
            ]
        )
        == 0
    )
    assert "estimated by injection" in capsys.readouterr().out


def test_where_nothing_is_known_a_blend_is_chosen_and_says_why(data, tmp_path, capsys):
    assert main(["fit", str(data), "--columns", "load", "--steps", "auto", "--model", str(tmp_path / "m.tsp")]) == 0
    assert "members:" in capsys.readouterr().err
    assert main(["score", str(data), "--columns", "load", "--model", str(tmp_path / "m.tsp")]) == 0


def test_doctor_tells_what_is_there(data, capsys):
    assert main(["doctor", str(data)]) == 0
    assert "flat: 1 to 1, median 1; constant" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["doctor", "nowhere.csv"], 2, "no file nowhere.csv"),
        (["doctor", "DATA", "--time", "when"], 2, "'when'"),
        (["report", "DATA", "--label", "truth"], 2, "'truth'"),
        (["report", "DATA", "--steps", "magic,iforest"], 2, "'magic'"),
        (["report", "DATA", "--keep", "lots"], 2, "keep is 'lots'"),
        (["report", "DATA", "--train", "1.5"], 2, "train is 1.5"),
        (["report", "DATA", "--metrics", "brier"], 2, "'brier'"),
        (["report", "DATA", "--out", "r.pdf"], 2, "ends with .html"),
        (["report", "UNLABELLED", "--columns", "load"], 2, "report needs labels"),
        (["doctor", "EMPTY"], 3, "cannot be read"),
        (["doctor", "TEXT"], 3, "no numeric column"),
        (["score", "DATA", "--model", "DATA"], 4, "not a tsprune model file"),
        (["inspect", "nowhere.tsp"], 2, "nowhere.tsp"),
    ],
)
def test_what_goes_wrong_is_one_clear_line(data, tmp_path, capsys, monkeypatch, arguments, code, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").write_text("")
    (tmp_path / "TEXT").write_text("host\na\n")
    pd.read_csv(data).drop(columns="label").to_csv(tmp_path / "UNLABELLED", index=False)
    arguments = [str(data) if word == "DATA" else word for word in arguments]

    assert main(arguments) == code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("tsprune: ")
    assert told in last
    assert "Traceback" not in last


def test_usage_errors_exit_with_two():
    done = subprocess.run([sys.executable, "-m", "tsprune.cli", "score"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "--model" in done.stderr


def test_help_teaches_and_version_is_told(capsys):
    for arguments in (["--help"], ["report", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
    told = capsys.readouterr().out
    assert "tsprune fit metrics.csv" in told
    assert re.search(r"tsprune \d+\.\d+", told)


def test_the_demo_finds_events_and_reloads_its_model(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    told = capsys.readouterr()
    assert "1982-83" in told.out
    assert "same scores to the bit" in told.out
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "demo" / "model.tsp").stat().st_size > 1000


def test_a_report_of_a_chain_tells_what_a_choice_without_labels_is_worth_beside_it(data, capsys):
    assert main(["report", str(data), "--boot", "20"]) == 0

    told = capsys.readouterr().out
    assert "beside it, tsp.choose(history) without labels: vus_pr 0." in told
    assert "(--steps auto reports on it)" in told
