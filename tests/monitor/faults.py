"""What can happen to a job while it is at work: killed, started twice, out of disk.  Each experiment compares with an undisturbed run.

Runs are forked from a process that has everything loaded: a run takes milliseconds, and any moment of it can be hit.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from monitor.world import World

from tsprune.monitor import sweep
from tsprune.monitor.errors import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Loss:
    """What an experiment has cost; everything but `faults` has to be 0."""

    faults: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    alerts_lost: int = 0
    other: int = 0  # differences of any other kind: a row's score, an alert's facts, the order of messages

    def __add__(self, more: Loss) -> Loss:
        return Loss(*(getattr(self, name) + getattr(more, name) for name in Loss.__dataclass_fields__))

    @property
    def nothing(self) -> bool:
        return self.rows_lost == self.rows_doubled == self.alerts_lost == self.other == 0


def compared(world: World, undisturbed: World) -> Loss:
    """What the store and the receiver of a world lack, or have too much."""
    ours, theirs = world.ledger(), undisturbed.ledger()
    rows, expected = (Counter((s, t) for s, t, *_ in ledger["scores"]) for ledger in (ours, theirs))
    told = [message["key"] for message in world.told()]
    first_told = list(dict.fromkeys(told))
    outbox = [key for (key,) in world.ask("SELECT key FROM outbox ORDER BY id")]
    return Loss(
        rows_lost=sum((expected - rows).values()),
        rows_doubled=sum((rows - expected).values()),
        alerts_lost=len({message["key"] for message in undisturbed.told()} - set(told)),
        other=sum(ours[name] != theirs[name] for name in theirs) + (first_told != outbox),
    )


def forked(act: Callable[[], Any], *, kill_after: float | None = None, by: int = signal.SIGKILL) -> int:
    """Act in a process of its own, which may be killed; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        code = 70
        try:
            code = getattr(act(), "exit_code", 0)
        except BaseException as error:
            code = exit_code(error)
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, by)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def short_slices(slots: int = 24) -> Iterator[None]:
    """Runs of many transactions: a slice of rows is so many slots."""
    before = sweep._FEWEST, sweep._ROWS
    sweep._FEWEST, sweep._ROWS = slots, 0
    try:
        yield
    finally:
        sweep._FEWEST, sweep._ROWS = before


# -- killed -------------------------------------------------------------------------------------------------------------


def kills(folder: Path, count: int, *, seed: int = 0, days: tuple[int, ...] = (3, 6, 9, 12), **sections: Any) -> Loss:
    """Kill runs at random moments, and start them again, until so many were hit; as many worlds as it takes."""
    rng = np.random.default_rng(seed)
    sections = {"schedule": {"every": "1d", "start": "4d"}, **sections}
    with short_slices():
        undisturbed = World.make(folder / "undisturbed", **sections)
        began = time.perf_counter()
        for day in days:
            forked(lambda day=day: undisturbed.run(undisturbed.day(day)))
        usual = (time.perf_counter() - began) / len(days)
        loss, number = Loss(), 0
        while loss.faults < count:
            world = World.make(folder / f"killed-{number}", **sections)
            hit = 0
            for day in days:
                hits, usual = _until_done(world, day, usual, rng)
                hit += hits
            loss, number = loss + Loss(faults=hit) + compared(world, undisturbed), number + 1
            shutil.rmtree(world.folder)
    return loss


def _until_done(world: World, day: int, usual: float, rng: np.random.Generator) -> tuple[int, float]:
    """Run a day's job until it comes through: how often it was killed before, and how long a run seems to take just now."""
    hits = 0
    while hits < 20 and forked(lambda: world.run(world.day(day)), kill_after=rng.uniform(0.0, usual)) < 0:
        hits, usual = hits + 1, 1.15 * usual
    assert forked(lambda: world.run(world.day(day))) == 0
    return hits, 0.8 * usual


# -- started twice ------------------------------------------------------------------------------------------------------


@dataclass
class Crowd:
    """Many runs of one job at once."""

    runs: int = 0
    worked: int = 0
    locked: int = 0
    killed: int = 0
    overlaps: int = 0  # of two runs at work at the same time
    stuck: int = 0  # rounds that did not end, or in which nobody could work


def crowd(folder: Path, processes: int, rounds: int, *, seed: int = 0) -> tuple[Crowd, Loss]:
    """Start many runs of one job at once, kill one of them in every other round; wait for those that wait."""
    rng = np.random.default_rng(seed)
    undisturbed, world = (World.make(folder / name, days=14) for name in ("undisturbed", "crowd"))
    days = np.linspace(1, 13, rounds)
    seen = Crowd()
    for number, day in enumerate(days):
        undisturbed.run(undisturbed.day(day))
        codes = _together(world, day, processes, victim=number % 2 == 1, rng=rng)
        seen.runs += len(codes)
        seen.worked += codes.count(0)
        seen.locked += codes.count(5)
        seen.killed += codes.count(-signal.SIGKILL)
        seen.stuck += not set(codes) <= {0, 5, -signal.SIGKILL} or world.run(world.day(day), wait=5.0).exit_code != 0
    spans = sorted(world.ask("SELECT started, ended FROM runs WHERE ended IS NOT NULL"))
    seen.overlaps = sum(later < ended for (_, ended), (later, _) in pairwise(spans))
    return seen, compared(world, undisturbed)


def _together(world: World, day: float, processes: int, *, victim: bool, rng: np.random.Generator) -> list[int]:
    start, go = os.pipe()
    pids = []
    for number in range(processes):
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.close(go)
                os.read(start, 1)
                code = world.run(world.day(day), wait=20.0 if number % 4 == 0 else 0.0).exit_code
            except BaseException as error:
                code = exit_code(error)
            finally:
                os._exit(code)
        pids.append(pid)
    os.close(start)
    os.close(go)  # all begin
    if victim:
        time.sleep(rng.uniform(0.0, 0.05))
        os.kill(pids[int(rng.integers(processes))], signal.SIGKILL)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


# -- a disk that fails --------------------------------------------------------------------------------------------------

#: Each call that changes a file below a folder is counted; from the chosen one on, or there alone, it fails.
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[4096];
static long at = -1, seen = 0, fired = 0;
static int number = 0, sticky = 0;

void shim_arm(const char *where, long position, int error, int stays) {
    strncpy(folder, where, sizeof folder - 1);
    at = position; number = error; sticky = stays; seen = 0; fired = 0;
}
long shim_fired(void) { return fired; }

static int fails(const char *path) {
    if (at < 0 || strncmp(path, folder, strlen(folder)) != 0) return 0;
    seen++;
    if (seen == at || (sticky && seen > at)) { fired++; errno = number; return 1; }
    return 0;
}
static int fails_at(int file) {
    char link[64], path[4096];
    struct stat facts;
    if (at < 0 || fstat(file, &facts) != 0 || S_ISDIR(facts.st_mode)) return 0; /* SQLite goes on when a folder will not sync */
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path);
}
#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, #name)
#define ON_FILE(result, name, declared, given) \
    result name declared { typedef result (*kind) declared; REAL(name, kind); return fails_at(file) ? -1 : real given; }

ON_FILE(ssize_t, write, (int file, const void *data, size_t n), (file, data, n))
ON_FILE(ssize_t, pwrite, (int file, const void *data, size_t n, off_t from), (file, data, n, from))
ON_FILE(ssize_t, pwrite64, (int file, const void *data, size_t n, off64_t from), (file, data, n, from))
ON_FILE(int, fsync, (int file), (file))
ON_FILE(int, fdatasync, (int file), (file))
ON_FILE(int, ftruncate, (int file, off_t length), (file, length))
ON_FILE(int, ftruncate64, (int file, off64_t length), (file, length))
ON_FILE(int, fallocate, (int file, int mode, off_t from, off_t n), (file, mode, from, n))

int rename(const char *from, const char *to) {
    typedef int (*kind)(const char *, const char *); REAL(rename, kind);
    return fails(to) ? -1 : real(from, to);
}
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        typedef int (*kind)(const char *, int, ...); REAL(name, kind); \
        va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
        if ((flags & O_CREAT) && access(path, F_OK) != 0 && fails(path)) return -1; \
        return real(path, flags, mode); }
OPEN(open)
OPEN(open64)
"""

#: Each way to fail: the error, and whether it stays.
FAILURES = {"I/O error": (errno.EIO, False), "disk full": (errno.ENOSPC, True), "read-only": (errno.EROFS, True)}


def built_shim(folder: Path) -> Path | None:
    """The shim as a library, or None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    source, library = folder / "shim.c", folder / "shim.so"
    source.write_text(_SHIM)
    made = subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], capture_output=True)
    return library if made.returncode == 0 else None


def disk(folder: Path, model: bytes, *, stride: int = 1) -> tuple[int, Loss] | None:
    """Let each write of a short run fail, in a fresh copy each: how many writes there are, and what it cost; None without a compiler.

    With a stride the errors that stay are tried at every so many-th write only.
    """
    library = built_shim(folder)
    if library is None:
        return None
    (folder / "m.tsp").write_bytes(model)
    path = os.pathsep.join(p for p in sys.path if p)
    told = subprocess.run(
        [sys.executable, __file__, folder, folder / "m.tsp", str(stride)],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    positions, *loss = map(int, told.stdout.split())
    return positions, Loss(*loss)


def _disk(folder: Path, model: bytes, stride: int) -> tuple[int, Loss]:
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    base, undisturbed = (World.make(folder / name, n_series=1, days=4, content=model) for name in ("base", "undisturbed"))
    for day in (2, 3):
        undisturbed.run(undisturbed.day(day))
    base.run(base.day(2))
    positions, loss = 0, Loss()
    for number, sticky in FAILURES.values():
        for position in range(1, 10_000, stride if sticky else 1):
            world = World(folder / "faulty", base.names, base.time, base.values)
            shutil.copytree(base.folder, world.folder)
            fired, code, before = _failing(shim, world, position, number, sticky)
            if fired:
                loss.faults += 1
                loss.other += code == 0 or not _is_sound(world, before, undisturbed)
                world.run(world.day(3))
                loss += compared(world, undisturbed)
            shutil.rmtree(world.folder)
            if not fired:
                positions = max(positions, position - 1)
                break
    return positions, loss


def _failing(shim: Any, world: World, position: int, number: int, sticky: bool) -> tuple[bool, int, dict[str, Any]]:
    before = world.ledger()
    reads, writes = os.pipe()

    def act() -> Any:
        shim.shim_arm(str(world.folder).encode(), position, number, int(sticky))
        try:
            return world.run(world.day(3))
        finally:
            fired = shim.shim_fired()
            shim.shim_arm(b"", -1, 0, 0)
            os.write(writes, b"1" if fired else b"0")

    code = forked(act)
    fired = os.read(reads, 1) == b"1"
    os.close(reads)
    os.close(writes)
    return fired, code, before


def _is_sound(world: World, before: dict[str, Any], undisturbed: World) -> bool:
    """Every committed transaction is there whole: nothing that was known is gone, nothing is there that does not belong."""
    if world.ask("PRAGMA integrity_check") != [("ok",)]:
        return False
    now, whole = world.ledger(), undisturbed.ledger()
    return set(before["scores"]) <= set(now["scores"]) <= set(whole["scores"]) and set(now["messages"]) <= set(whole["messages"])


if __name__ == "__main__":  # the part that runs under the shim
    found = _disk(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), int(sys.argv[3]))
    print(found[0], *(getattr(found[1], name) for name in Loss.__dataclass_fields__))
