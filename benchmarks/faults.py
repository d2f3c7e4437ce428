"""A monitoring job that is killed, started many times at once, out of disk, and run ten thousand times with things going wrong.

The experiments are the tests' own (tests/monitor/faults.py, soak.py), with larger numbers.  Each compares the store and what the
receiver was told with an undisturbed run, or with the model's scores on the whole record.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def options(arguments: Sequence[str]) -> dict[str, int]:
    """What may follow the topic on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, metavar="N", help="runs that are killed (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=10_000, metavar="N", help="runs in simulated time (default: %(default)s)")
    parser.add_argument("--crowd", type=int, default=32, metavar="N", help="runs at once (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="... so many times (default: %(default)s)")
    return vars(parser.parse_args(arguments))


def run(quick: bool = False, kills: int = 1000, runs: int = 10_000, crowd: int = 32, rounds: int = 100) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from monitor import faults, soak
    from monitor.world import model_bytes

    kills, runs, crowd, rounds = (30, 250, 8, 5) if quick else (kills, runs, crowd, rounds)
    model = model_bytes()
    total = faults.Loss()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _timed(f"{crowd} runs at once, {rounds} times"):
            seen, loss = faults.crowd(folder / "crowd", crowd, rounds)
            told = f"{seen.runs} runs: {seen.worked} worked, {seen.locked} found it locked, {seen.killed} killed at work or waiting"
            print(f"  {told}; {seen.overlaps} at work together, {seen.stuck} stuck; {_lost(loss)}")
            total += loss
            total.other += seen.overlaps + seen.stuck
        with _timed("every write of a short run fails: I/O error once, disk full and read-only from there on"):
            (folder / "disk").mkdir()
            found = faults.disk(folder / "disk", model)
            print(
                "  no C compiler here: left out" if found is None else f"  {found[0]} writes, {found[1].faults} faults; {_lost(found[1])}"
            )
            total += faults.Loss() if found is None else found[1]
        with _timed(f"{runs:,} hourly runs in simulated time, 5 % of them with a fault"):
            done = soak.soak(folder / "soak", runs)
            print(
                f"  {done.faults} faults; {done.wrong_scores} wrong scores, {done.wrong_alerts} wrong alerts, {done.untold} alerts untold"
            )
            print(f"  half-way and at the end: store {done.bytes_half:,} and {done.bytes_end:,} bytes, ", end="")
            print(f"memory {done.memory_half:,} and {done.memory_end:,} kB, files open {done.files_half} and {done.files_end}")
            total.other += done.wrong_scores + done.wrong_alerts + done.untold
        with _timed(f"{kills:,} kills -9 at random moments"):
            loss = faults.kills(folder / "kills", kills)
            total += loss
    if total.other:
        print(f"{total.other} other differences")
    print(f"faults: {loss.faults} kills, {total.rows_lost} rows lost, {total.rows_doubled} doubled, {total.alerts_lost} alerts lost")
    if not total.nothing:
        raise SystemExit(1)


def _lost(loss: Any) -> str:
    return f"{loss.rows_lost} rows lost, {loss.rows_doubled} doubled, {loss.alerts_lost} alerts lost, {loss.other} other differences"


class _timed:
    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        print(f"{self.what} ...", flush=True)
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        print(f"  {time.perf_counter() - self.began:.0f} s", flush=True)
