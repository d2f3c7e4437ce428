"""Real servers for the tests, started from what the system has installed, on free ports, in folders of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def program(*names: str) -> str:
    """The path of a program, or a skip that names it."""
    places = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    found = next((path for name in names if (path := shutil.which(name, path=os.pathsep.join(places)))), None)
    if found is None:
        pytest.skip(f"needs {names[0]} (a Debian package)")
    return found


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server; its URL, with the password in ${PG_WORD}."""
    initdb, server = program("initdb"), program("postgres")
    user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}  # it refuses to run as root
    data, port = folder / "pg", free_port()
    if user:
        for above in [folder, *folder.parents][:-2]:
            above.chmod(above.stat().st_mode | 0o011)
        folder.chmod(0o777)
    word = folder / "word"
    word.write_text("s3cret-word")
    word.chmod(0o644)
    command = [initdb, "-D", data, "-U", "monitor", "--pwfile", word, "-A", "scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C"]
    made = subprocess.run(command, capture_output=True, text=True, cwd="/", **user)
    if made.returncode:
        pytest.skip(f"initdb cannot work here: {made.stderr.strip().splitlines()[-1]}")
    options = ["-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with _running([server, *options], lambda: _listens(port), cwd="/", **user):
        os.environ["PG_WORD"] = "s3cret-word"
        try:
            yield f"postgresql://monitor:${{PG_WORD}}@127.0.0.1:{port}/postgres"
        finally:
            del os.environ["PG_WORD"]


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[str]:
    """A Prometheus server that scrapes a target of ours every second."""
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: world, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    port = free_port()
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    with _running([program("prometheus"), *options], lambda: _ready(port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """An Alertmanager that tells nobody."""
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port = free_port()
    options = [
        f"--config.file={config}",
        f"--storage.path={folder / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running([program("prometheus-alertmanager", "alertmanager"), *options], lambda: _ready(port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(command, is_up, **options) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
    try:
        until = time.monotonic() + 60
        while not is_up():
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                pytest.skip(f"{Path(str(command[0])).name} does not start here: {process.communicate()[1].strip().splitlines()[-1:]}")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # to PostgreSQL: do not wait for clients
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False
