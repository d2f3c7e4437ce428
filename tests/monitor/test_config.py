"""JOB.toml: every unknown or wrong key is refused with its line and a way out."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from tsprune.monitor import sections
from tsprune.monitor.config import config_of, load_config, reference
from tsprune.monitor.errors import BadJob
from tsprune.monitor.moments import DAY, HOUR
from tsprune.monitor.template import TEMPLATE

#: Every key of every section.
KEYS = {"name"} | {
    field.name.rstrip("_") for kind in vars(sections).values() if dataclasses.is_dataclass(kind) for field in dataclasses.fields(kind)
}

JOB = """\
name = "taxi"

[source]
kind = "csv"
path = "taxi.csv"

[model]
file = "taxi.tsp"

[alert]
for = "15min"

[[sink]]
kind = "stdout"

[[sink]]
kind = "webhook"
url = "https://example.com/hook"
"""


def refusal(tmp_path, text):
    """What is said of a job file."""
    path = tmp_path / "job.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadJob) as caught:
        load_config(path)
    return str(caught.value)


def test_a_job_file_becomes_a_frozen_record_with_its_defaults(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)

    job = load_config(tmp_path / "job.toml")

    assert (job.name, job.alert.for_, job.schedule.every, job.store.keep) == ("taxi", HOUR // 4, HOUR, 90 * DAY)
    assert [sink.name for sink in job.sinks] == ["stdout", "webhook"]
    assert job.path(job.source.path) == tmp_path / "taxi.csv"
    with pytest.raises(AttributeError):
        job.name = "other"


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ('file = "taxi.tsp"', 'fil = "taxi.tsp"', 8, "model.fil is not a key; did you mean 'file'?"),
        ('file = "taxi.tsp"', 'file = "taxi.tsp"\ntreshold = 0.6', 9, "did you mean 'threshold'?"),
        ('path = "taxi.csv"', "path = 7", 5, "source.path is wrong: 7 is not a text"),
        ('kind = "csv"', 'kind = "cvs"', 4, "source.kind is 'cvs'; did you mean 'csv'?"),
        ('for = "15min"', 'for = "15 minutes"', 11, "alert.for is wrong: '15 minutes' is no duration"),
        ('for = "15min"', 'direction = "up"', 11, "alert.direction is wrong"),
        ('for = "15min"', "min_absolute = -1", 11, "-1 is negative"),
        ('for = "15min"', "group_by = '(a)(b)'", 10, "has 2 groups"),
        ('url = "https://example.com/hook"', 'uri = "https://example.com/hook"', 18, "sink[1].uri is not a key; did you mean 'url'?"),
        ('kind = "webhook"', 'kind = "stdout"', 18, "sink[1].url is not a key"),
        ('kind = "webhook"\nurl = "https://example.com/hook"', 'kind = "stdout"', 16, "sink[1] is named 'stdout', as another one is"),
        ("[alert]", "[alerts]", 10, "alerts is not a key; did you mean 'alert'?"),
        ('name = "taxi"', "name = '../taxi'", 1, "'../taxi' is no name"),
        ('name = "taxi"', "", 1, "name is missing"),
        ('[model]\nfile = "taxi.tsp"', "[model]", 7, "give file, a saved model, or steps"),
        ('path = "taxi.csv"', "", 3, "source.path is missing"),
        ('for = "15min"', "for = ", 11, "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_nearest_name(tmp_path, old, new, line, told):
    assert JOB.count(old) == 1 or old == 'kind = "stdout"'

    said = refusal(tmp_path, JOB.replace(old, new, 1))

    assert f"line {line}" in said
    assert told in said


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"model": {"file": "m", "threshold": 0.5, "alarms_per_week": 1.0}}, "threshold or alarms_per_week, not both"),
        ({"schedule": {"late": "90d"}}, "as long as scores are kept"),
        ({"schedule": {"every": "0.5s"}}, "below a second"),
        ({"refit": {"policy": "every"}, "model": {"file": "m", "history": "20d"}}, "nothing is left to learn from"),
        ({"source": {"kind": "sql", "url": "sqlite:///x", "table": "a", "query": "SELECT 1"}}, "one of table and query"),
        ({"sink": {"kind": "stdout"}}, "write each sink as"),
        ({"model": {"steps": []}}, "the list is empty"),
    ],
)
def test_contradictions_are_refused(sections, told):
    with pytest.raises(BadJob, match=told):
        config_of({"name": "a", "source": {"kind": "csv", "path": "a.csv"}, "model": {"file": "m"}, **sections})


def test_the_written_template_is_a_valid_job_with_every_key_that_it_shows():
    written = TEMPLATE.format(name="taxi", file="taxi.toml")

    assert config_of(tomllib.loads(written)).name == "taxi"
    for line in written.splitlines():
        key, equals, _ = line.removeprefix("# ").partition(" = ")
        if equals and key.isidentifier():
            assert set(tomllib.loads(line.removeprefix("# "))) <= KEYS, line


@pytest.mark.parametrize("seed", range(4))
def test_mutants_of_a_job_file_are_refused_or_read_but_never_crash(tmp_path, seed):
    import numpy as np

    rng = np.random.default_rng(seed)
    path = tmp_path / "job.toml"
    refused = read = 0
    for _ in range(150):
        content = bytearray(JOB.encode())
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(content)))
            match int(rng.integers(3)):
                case 0:
                    content[at] = int(rng.integers(256))
                case 1:
                    del content[at : at + int(rng.integers(1, 9))]
                case _:
                    content[at:at] = bytes(content[at : at + 12])
        path.write_bytes(content)
        try:
            load_config(path)
        except BadJob as error:
            refused += str(path) in str(error)
        else:
            read += 1
    assert refused + read == 150
    assert refused > 50


def test_the_documentation_lists_every_key_as_it_is():
    page = Path(__file__).resolve().parents[2] / "docs" / "jobs.md"
    if not page.exists():
        pytest.skip("needs the folder docs/ of a source checkout")

    told = page.read_text(encoding="utf-8").partition("<!-- reference: begin -->\n")[2].partition("\n<!-- reference: end -->")[0]

    assert told == reference(), "put the text of tsprune.monitor.config.reference() between the marks"


def test_the_job_files_of_the_documentation_and_of_the_example_are_valid():
    root = Path(__file__).resolve().parents[2]
    if not (root / "docs" / "jobs.md").exists():
        pytest.skip("needs the folders docs/ and examples/ of a source checkout")
    shown = re.findall(r"^```toml\n(.*?)^```", (root / "docs" / "jobs.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    assert [config_of(tomllib.loads(text)).name for text in shown] == ["load"]
    assert load_config(root / "examples" / "job" / "load.toml").name == "load"
