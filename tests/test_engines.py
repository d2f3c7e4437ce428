"""Engines change who does the work, never the result; a worker that is killed changes nothing."""

from __future__ import annotations

import os
import pathlib
import shutil

import numpy as np
import pytest
from fleets import wide_fleet

import tsprune as tsp
from tsprune.engines import Serial, Threads, engine_for, in_order
from tsprune.errors import BadParameter
from tsprune.model import file
from tsprune.panel.frames import Names, read_frame
from tsprune.panel.score import _pieces, _score_bytes

WIDE = wide_fleet(6)
PIPELINE = tsp.Pipeline([tsp.Deseason(24), tsp.Windows(8, "point"), "subspace"])


@pytest.fixture(scope="module")
def model():
    return tsp.panel.fit(WIDE, PIPELINE, clusters=1)


def same_as_serial(engine, model) -> None:
    """Fit and scores by an engine are those of the serial run, to the bit."""
    fitted = tsp.panel.fit(WIDE, PIPELINE, clusters=1, engine=engine)
    assert file.to_bytes(fitted.fleet) == file.to_bytes(model.fleet)
    assert {name: file.to_bytes(member) for name, member in fitted.members.items()} == {
        name: file.to_bytes(member) for name, member in model.members.items()
    }
    assert tsp.panel.score(fitted, WIDE, engine=engine).equals(tsp.panel.score(model, WIDE))
    new = tsp.panel.score(fitted, WIDE[400:], context=WIDE[380:400], engine=engine)
    assert new.equals(tsp.panel.score(model, WIDE)[400:])


def killing_once(marker: str):
    """Work that kills its own process the first time anybody does it."""

    def work(content: bytes) -> bytes:
        import os
        import signal

        from tsprune.panel.score import _score_bytes

        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return _score_bytes(content)
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    return work


def survives_a_kill(engine, model, marker: pathlib.Path) -> None:
    """The results with a worker killed on the way are those of the serial run."""
    rows = read_frame(WIDE, Names()).rows
    pieces = list(_pieces(model, rows, None, 2))
    assert len(pieces) > 1
    assert list(engine.map(killing_once(str(marker)), pieces)) == [_score_bytes(piece) for piece in pieces]
    assert marker.exists()


def test_threads_give_the_serial_result(model):
    same_as_serial("threads", model)


def test_results_come_in_the_order_of_the_pieces_and_few_pieces_are_held():
    """Starting is never more than twice the width ahead of finishing."""
    ahead, most = 0, 0

    def start(piece: bytes) -> bytes:
        nonlocal ahead, most
        ahead += 1
        most = max(most, ahead)
        return piece

    def finish(piece: bytes) -> bytes:
        nonlocal ahead
        ahead -= 1
        return piece

    pieces = [bytes([k]) for k in range(50)]
    assert list(in_order(pieces, start, finish, width=2)) == pieces
    assert most == 5


def test_an_engine_is_known_by_what_it_is():
    assert engine_for("serial") == Serial()
    assert engine_for("threads", 3) == Threads(3)
    assert engine_for("threads", -1).width == os.cpu_count()
    assert engine_for("threads").width == os.cpu_count()
    for unknown in ("dask", None, 3, np):
        with pytest.raises(BadParameter, match="engine is"):
            engine_for(unknown)


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_dask_with_two_processes_gives_the_serial_result(model, dask_client):
    assert engine_for(dask_client).width == 2
    same_as_serial(dask_client, model)


def test_a_dask_worker_that_is_killed_changes_nothing(model, dask_client, tmp_path):
    survives_a_kill(engine_for(dask_client), model, tmp_path / "killed")


@pytest.fixture(scope="module")
def spark_session():
    sql = pytest.importorskip("pyspark.sql", reason="needs pyspark")
    if shutil.which("java") is None:
        pytest.skip("needs a Java runtime for Spark")
    builder = sql.SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false").config("spark.driver.memory", "1g")
    session = builder.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def test_spark_with_two_cores_gives_the_serial_result(model, spark_session):
    assert engine_for(spark_session).width == 2
    same_as_serial(spark_session, model)


def test_a_spark_worker_that_is_killed_changes_nothing(model, spark_session, tmp_path):
    survives_a_kill(engine_for(spark_session), model, tmp_path / "killed")


@pytest.fixture(scope="module")
def ray_cluster():
    ray = pytest.importorskip("ray", reason="needs ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield "ray"
    ray.shutdown()


def test_ray_gives_the_serial_result(model, ray_cluster):
    same_as_serial(ray_cluster, model)


def test_a_ray_worker_that_is_killed_changes_nothing(model, ray_cluster, tmp_path):
    survives_a_kill(engine_for(ray_cluster), model, tmp_path / "killed")
