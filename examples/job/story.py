"""A night on call: rows arrive in PostgreSQL, a job runs every hour, one host misbehaves, Alertmanager hears of it.

Everything is started and stopped by this script, in a temporary folder, on free ports of this machine.  It needs the Debian packages
postgresql and prometheus-alertmanager, and `pip install 'tsprune[sql]'`:

    python examples/job/story.py
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa

import tsprune as tsp

HERE = Path(__file__).resolve().parent
HOSTS = ("web-1", "web-2", "web-3")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)  # PostgreSQL runs as a user of its own
        with postgres(folder) as database, alertmanager(folder):
            shutil.copy(HERE / "load.toml", folder)
            tell(folder, database)


def tell(folder: Path, database: sa.Engine) -> None:
    """The story itself."""
    index = pd.date_range("2026-03-01", "2026-04-10", freq="h", tz="UTC", name="at")
    rng = np.random.default_rng(0)
    daily = 50 + 20 * np.sin(2 * np.pi * index.hour / 24)
    hosts = pd.DataFrame({host: daily + rng.normal(0, 2, len(index)) for host in HOSTS}, index=index)
    hosts.loc["2026-04-09 02:00":"2026-04-09 04:00", "web-2"] += 60  # somebody's backup
    rows = hosts.melt(ignore_index=False, var_name="host", value_name="load").reset_index()

    print("learning from March")
    march = hosts.loc["2026-03", "web-1"].rename("load")
    model = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(3), tsp.Pruned("iforest", random_state=0)]).fit(march).freeze()
    model.save(folder / "load.tsp")
    print(model.describe())

    for moment in pd.date_range("2026-04-09 00:10", "2026-04-09 09:10", freq="h", tz="UTC"):
        with database.begin() as connection:  # what has been measured since the last hour
            sa_rows = rows[(rows["at"] <= moment) & (rows["at"] > moment - (pd.Timedelta("1h") if moment.hour else pd.Timedelta("9D")))]
            sa_rows.to_sql("metrics", connection, if_exists="append", index=False)
        done = tsprune("run", "load.toml", "--as-of", moment.isoformat(), cwd=folder)
        print(f"{moment:%H:%M} exit code {done.returncode}; firing: {', '.join(firing()) or '-'}")
        if moment.hour == 3:
            assert "web-2" in firing()
    print(tsprune("status", "load.toml", cwd=folder).stdout)
    print((folder / "alerts.csv").read_text())

    alerts = pd.read_csv(folder / "alerts.csv")
    assert set(alerts["series"]) == {"web-2"}
    assert list(alerts["event"]) == ["firing", "resolved"]
    assert 'tsprune_alerts_open{tsprune_job="load"} 0' in (folder / "load.prom").read_text()
    with database.connect() as connection:
        scored = connection.execute(sa.text("SELECT COUNT(*), COUNT(DISTINCT (series, time)) FROM tsprune.named_scores")).one()
    assert scored[0] == scored[1], "a row was scored twice"
    print(f"{scored[0]:,} rows scored, each once; one incident, one alert, resolved by itself")


def tsprune(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What the scheduler starts."""
    return subprocess.run([sys.executable, "-m", "tsprune.cli", *arguments], cwd=cwd, capture_output=True, text=True)


def firing() -> list[str]:
    """What Alertmanager shows."""
    with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['AM_PORT']}/api/v2/alerts?active=true", timeout=5) as answer:
        return sorted(alert["labels"]["series"] for alert in json.load(answer))


# -- servers, as a test would start them --------------------------------------------------------------------------------


@contextmanager
def postgres(folder: Path) -> Iterator[sa.Engine]:
    user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    os.environ |= {"DB_PASSWORD": "correct-horse", "DB_PORT": str(free_port())}
    word = folder / "word"
    word.write_text(os.environ["DB_PASSWORD"])
    word.chmod(0o644)
    data = folder / "pg"
    subprocess.run(
        [program("initdb"), "-D", data, "-U", "monitor", "--pwfile", word, "-A", "scram-sha-256", "--no-sync"],
        check=True, capture_output=True, cwd="/", **user,
    )  # fmt: skip
    options = ["-D", data, "-p", os.environ["DB_PORT"], "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with running([program("postgres"), *options], int(os.environ["DB_PORT"]), cwd="/", **user):
        engine = sa.create_engine(f"postgresql+psycopg://monitor:{os.environ['DB_PASSWORD']}@127.0.0.1:{os.environ['DB_PORT']}/postgres")
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def alertmanager(folder: Path) -> Iterator[None]:
    os.environ["AM_PORT"] = str(free_port())
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    options = [f"--config.file={config}", f"--storage.path={folder / 'am'}", f"--web.listen-address=127.0.0.1:{os.environ['AM_PORT']}"]
    with running([program("prometheus-alertmanager", "alertmanager"), *options, "--cluster.listen-address="], int(os.environ["AM_PORT"])):
        yield


@contextmanager
def running(command: list[str | Path], port: int, **options: object) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        for _ in range(300):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(0.5)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=15)


def program(*names: str) -> str:
    places = [*os.environ["PATH"].split(os.pathsep), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    found = next((path for name in names if (path := shutil.which(name, path=os.pathsep.join(places)))), None)
    if found is None:
        raise SystemExit(f"this story needs {names[0]}: apt install postgresql prometheus-alertmanager")
    return found


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


if __name__ == "__main__":
    main()
