"""Three hundred hostile names and values through every way out: nothing breaks out of its place."""

from __future__ import annotations

import csv
import http.server
import json
import re
import sqlite3
import threading
from html.parser import HTMLParser

import numpy as np
import pytest
from monitor.world import HOUR, START, World

from tsprune.monitor.errors import BadJob
from tsprune.monitor.identifiers import check_identifier
from tsprune.monitor.rows import clean
from tsprune.monitor.secrets import mask
from tsprune.monitor.textfile import render

SEEDS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "';alert(1);//", "</title><script>x</script>",
    "javascript:alert(1)", "{{7*7}}", "${jndi:ldap://x}", "{0.__class__}", "%s%n%x", "=1+1", "=cmd|' /C calc'!A0", "@SUM(1+1)", "+1+1", "-1+1",
    "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "＝1+1", "'; DROP TABLE scores; --", '"; DROP TABLE scores; --', "a' OR '1'='1", "a\\", 'a"b', "a\\\"b",
    "a\nb", "a\r\nb", "a\u2028b", "a\u2029b", "a\x1b[31mred", "a\x00b", "a\x07b", "\ud800", "\u202eevil", "../../etc/passwd", "/etc/passwd", "..\\..\\x",
    "CON", "a" * 5000, "", " ", "💥" * 50, "ß̈", '{"json": true}', "null", "NaN", "0", "-", "$a_$ x", "a,b;c\td", '"quoted"', "a}b{c=\"d\"", "# HELP x",
)  # fmt: skip


def hostile():
    """The seeds, alone and grown together."""
    grown = [a + b for a in SEEDS[:32:2] for b in SEEDS[1:42:2]]
    return list(dict.fromkeys(clean(name) for name in [*SEEDS, *grown]))[:300]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.handlers = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.handlers += [name for name, value in attrs if name.startswith("on") or (value or "").startswith("javascript")]


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One job over all hostile names, each with an alert that is open; the world, and what the webhook got."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sinks = [
        {"kind": "file", "path": "alerts.jsonl"},
        {"kind": "file", "path": "alerts.csv", "format": "csv", "name": "table"},
        {"kind": "webhook", "url": f"http://127.0.0.1:{server.server_port}/hook"},
    ]
    world = World.make(tmp_path_factory.mktemp("hostile") / "w", sink=sinks, alert={"cool_down": "20d"})
    names = hostile()
    with sqlite3.connect(world.folder / "data.db") as source:
        source.execute("DELETE FROM metrics")
        rows = [
            (str(np.datetime64(START + HOUR * i, "ns").astype("datetime64[s]")), n, 50.0 + (900.0 if i == 5 else 0.0))
            for n in names
            for i in range(8)
        ]
        source.executemany("INSERT INTO metrics VALUES (?, ?, ?)", rows)
    source.close()
    with open(world.folder / "log.jsonl", "w", encoding="utf-8") as log:
        world.job.run(START + 8 * HOUR, log=log)
    server.shutdown()
    return world, names, server.got


def test_there_are_three_hundred_of_them_and_each_is_told(told):
    _, names, got = told

    assert len(names) == 300
    assert {alert["series"] for message in got for alert in message["alerts"]} == set(names)


def test_no_name_opens_a_tag_or_a_handler_on_the_page(told):
    world, _, _ = told
    page, usual = Tags(), Tags()
    page.feed(world.job.status(START + 8 * HOUR).to_html())

    usual.feed(world.job.status(START + 8 * HOUR).to_html().partition("<ul>")[0])
    assert page.tags - usual.tags == {"ul", "li", "code"}
    assert page.handlers == []


def test_no_cell_of_the_table_is_a_formula_and_no_name_ends_its_row(told):
    world, _, got = told
    with open(world.folder / "alerts.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == sum(len(message["alerts"]) for message in got)
    for row in rows:
        assert None not in row
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "@", "+", "-")) or re.fullmatch(r"-?[\d.e+-]+", cell), cell
            assert "\n" not in cell
            assert "\r" not in cell


def test_each_line_of_json_is_one_message_and_gives_the_name_back(told):
    world, names, _ = told

    lines = (world.folder / "alerts.jsonl").read_text(encoding="ascii").split("\n")

    assert {alert["series"] for line in lines if line for alert in json.loads(line)["alerts"]} == set(names)
    assert all(json.loads(line)["event"] for line in (world.folder / "log.jsonl").read_text(encoding="ascii").split("\n") if line)


def test_every_metric_line_is_whole(told):
    world, names, _ = told
    metric = re.compile(r'tsprune_[a-z_]+\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\} \S+')
    everything = render("job", [("alert_open", {"series": name}, 1.0) for name in names])

    for text in ((world.folder / "job.prom").read_text(encoding="utf-8"), everything):
        for line in text.removesuffix("\n").split("\n"):
            assert metric.fullmatch(line) or re.fullmatch(r"# (HELP|TYPE) tsprune_[a-z_]+ [\w ,.':;-]+", line), line
    assert everything.count("\n") <= 102  # labels are bounded


def test_the_store_has_every_name_and_all_its_tables(told):
    world, names, _ = told

    assert {name for (name,) in world.ask("SELECT name FROM series")} == set(names)
    assert {"scores", "alerts", "outbox", "runs"} <= {name for (name,) in world.ask("SELECT name FROM sqlite_master")}


def test_no_file_is_named_after_a_series(told):
    world, _, _ = told

    assert sorted(path.name for path in world.folder.iterdir()) == sorted(
        ["alerts.csv", "alerts.jsonl", "data.db", "job.db", "job.db.job.lock", "job.prom", "job.toml", "log.jsonl", "m.tsp"]
    )


def test_status_prints_no_control_character(told):
    world, _, _ = told

    text = str(world.job.status(START + 8 * HOUR))

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


@pytest.mark.parametrize("name", [n for n in SEEDS if not re.fullmatch(r"[A-Za-z_][\w$ ]*", n, re.ASCII)][:40])
def test_no_hostile_name_passes_for_a_table_or_a_column(name):
    with pytest.raises(BadJob):
        check_identifier(name)


def test_secrets_leave_no_trace(world, monkeypatch, capsys):
    from tsprune.cli import main

    monkeypatch.setenv("HOOK_TOKEN", "hush-hush-token")
    monkeypatch.setenv("DB_PASSWORD", "hush-hush-word")
    world.configure(
        sink=[{"kind": "webhook", "url": "http://127.0.0.1:9/${DB_PASSWORD}", "token_env": "HOOK_TOKEN"}], store={"url": "sqlite:///job.db"}
    )

    main(["run", str(world.folder / "job.toml"), "--as-of", "2026-01-16"])
    main(["status", str(world.folder / "job.toml")])

    captured = capsys.readouterr()
    files = "".join(path.read_text(errors="replace") for path in world.folder.iterdir() if path.suffix in (".prom", ".db", ".jsonl"))
    assert "cannot be reached" in captured.err
    assert "hush" not in captured.out + captured.err + files
    assert mask("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_a_sink_that_is_a_link_is_not_followed(world):
    (world.folder / "elsewhere").write_text("mine\n")
    (world.folder / "alerts.jsonl").symlink_to(world.folder / "elsewhere")

    assert world.run(world.day(11)).exit_code == 75
    assert (world.folder / "elsewhere").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.com/hook", "not encrypted"),
        ("file:///etc/passwd", "not of the form"),
        ("https://", "not of the form"),
        ("x", "not of the form"),
    ],
)
def test_an_address_that_is_not_safe_is_refused(world, url, told):
    from tsprune.monitor.web import Server

    with pytest.raises(BadJob, match=told):
        Server(url).check()
