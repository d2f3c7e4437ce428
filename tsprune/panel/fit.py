"""Learn a panel: each series alone, then what all share, then each series' threshold; in pieces, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tsprune.engines import engine_for
from tsprune.errors import BadSeries
from tsprune.features.windows import LONGEST, bridge_over, usual_gap
from tsprune.model import file
from tsprune.panel.finish import clock_key, finish_bytes
from tsprune.panel.frames import Names, read_frame
from tsprune.panel.learn import (
    Learned,
    Sample,
    count_piece,
    learn_piece,
    unpacked,
)
from tsprune.panel.model import PanelModel, Recipe
from tsprune.panel.plan import Plan
from tsprune.panel.share import Descriptors, cluster, learn_shared
from tsprune.panel.sharing import Sharing, asked, judge_piece, judged
from tsprune.panel.transfer import typical_members
from tsprune.panel.wire import rows_from_bytes, rows_to_bytes, unblob, unpack
from tsprune.params import check_count

if TYPE_CHECKING:
    from tsprune.engines import Engine
    from tsprune.model.clock import Clock
    from tsprune.model.member import Fleet, Member
    from tsprune.panel.rows import Rows
    from tsprune.pipeline import Pipeline
    from tsprune.types import Ints

#: Numbers of clusters that the evidence is asked about, and series per cluster below which it is not.
CANDIDATES, PER_CLUSTER = (1, 2, 4, 8), 8
#: Rows of a piece, about.
PIECE = 1 << 20


def fit(
    frame: Any,
    pipeline: Pipeline | None = None,
    *,
    id: str = "unique_id",  # noqa: A002 - the name that the users of panels know
    time: str = "ds",
    value: str = "y",
    engine: Any = "serial",
    clusters: int | Literal["auto"] = "auto",
    sample: int = 20_000,
    random_state: int = 0,
    n_jobs: int | None = None,
) -> PanelModel:
    """Learn many series: the facts of each, and one pruned detector for all, or for each cluster of similar ones.

    Parameters
    ----------
    frame : DataFrame of pandas or polars, or pyarrow table
        Wide: a column for each series, on an index of times (pandas) or beside a column named `time`.  Long: a row for each series and
        time.  Steps may differ between series, lengths too; values may be missing.
    pipeline : Pipeline, optional
        Deseason, Detrend, Denoise and Difference are learned by each series alone; Windows, SelectFeatures and the detector by
        all together; a Threshold sets each series' own.  Without: Deseason, 16 rows of "point" windows, a pruned isolation forest.
    id, time, value : str
        The columns of a long frame.
    engine : "serial", "threads", "ray", a Dask Client, or a SparkSession
        Where pieces are worked on; the result does not depend on it.
    clusters : "auto" or int
        Detectors.  "auto" asks some series (`sharing` of the result) and takes more than one only where they gain by it.
    sample : int
        Rows of all series that the detector learns from, drawn by a reservoir.
    random_state : int
    n_jobs : int, optional
        Threads, for `engine="threads"`; all cores where not given, -2: all but one.

    Returns
    -------
    PanelModel

    Raises
    ------
    BadParameter, BadSeries
        If an argument is out of its range, or no series is of use.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> hours = pd.date_range("2026-01-05", periods=24 * 21, freq="h")
    >>> day = np.sin(np.arange(len(hours)) * np.pi / 12)[:, None]
    >>> noise = np.random.default_rng(0).normal(size=(len(hours), 4))
    >>> hosts = pd.DataFrame(10 + day + 0.1 * noise, index=hours, columns=list("abcd"))
    >>> model = tsp.panel.fit(hosts, clusters=1)
    >>> tsp.panel.score(model, hosts).shape
    (504, 4)
    """
    rows = read_frame(frame, Names(id, time, value)).rows
    plan = Plan.of(pipeline, check_count(random_state=random_state, low=0))
    runner = engine_for(engine, n_jobs)
    pieces = partial(divided, rows, runner.width)
    return fit_pieces(pieces, plan, runner, clusters=clusters, sample=sample, recipe=Recipe(pipeline, random_state))


def divided(rows: Rows, width: int, wanted: Iterable[str] | None = None) -> Iterator[Rows]:
    """Rows in pieces of whole series: enough of them for an engine, and none much larger than `PIECE`."""
    codes = np.arange(len(rows.names))
    if wanted is not None:
        chosen = set(wanted)
        codes = np.array([k for k, name in enumerate(rows.names) if name in chosen], dtype=np.int64)
    if not len(codes):
        return
    bounds = rows.bounds()
    sizes = (bounds[1:] - bounds[:-1])[codes]
    count = int(max(4 * width if width > 1 else 1, -(-sizes.sum() // PIECE)))
    part = np.minimum((np.cumsum(sizes) - sizes) * count // max(1, sizes.sum()), count - 1)
    for own in np.split(codes, np.flatnonzero(np.diff(part)) + 1):
        yield rows.only(own)


def fit_pieces(
    pieces: Callable[..., Iterable[Rows]],
    plan: Plan,
    engine: Engine,
    *,
    clusters: int | Literal["auto"],
    sample: int,
    recipe: Recipe,
) -> PanelModel:
    """Learn from pieces of whole series, which are read two to four times: `pieces(wanted=None)` gives them again."""
    check_count(sample=sample, low=2)
    if clusters != "auto":
        check_count(clusters=clusters)
    if plan.asks_gaps:
        plan = plan.bridging(_usual_gap(pieces, plan, engine))
    learned, drawn = _learned(pieces, plan, engine, sample)
    clocks, members = _clocks(learned)
    able = [one for one in learned if one.member is not None]
    if drawn is None or not able:
        raise BadSeries(f"none of {len(learned)} series can be learned from: {learned[0].reason if learned else 'the frame is empty.'}")
    typical = typical_members(members.values(), clocks)
    descriptors = Descriptors.of(able)
    place = np.cumsum([one.member is not None for one in learned]) - 1
    drawn = replace(drawn, series=place[drawn.series])
    sharing, count = None, 1
    if clusters == "auto":
        sharing = _evidence(pieces, plan, engine, able, members, drawn, clocks, descriptors)
        count = sharing.chosen if sharing is not None else 1
    else:
        count = min(clusters, len(able))
    labels = cluster(descriptors, count, plan.random_state)
    fleet = learn_shared(plan, able, drawn, clocks, typical, labels)
    members = {name: replace(member, detector=int(labels[k])) for k, (name, member) in enumerate(members.items())}
    del learned, able, drawn, descriptors  # kilobytes for each series
    return _finished(pieces, plan, engine, fleet, members, recipe, sharing)


def _usual_gap(pieces: Callable[..., Iterable[Rows]], plan: Plan, engine: Engine) -> int:
    """The gap that windows bridge: as long as gaps usually are in all series together."""
    counts = np.zeros(LONGEST + 1, np.int64)
    for content in engine.map(_count_bytes, map(rows_to_bytes, pieces())):
        counts += unpack(content)[0]["counts"]
    return bridge_over(usual_gap(counts), plan.length)


def _count_bytes(content: bytes) -> bytes:
    return count_piece(rows_from_bytes(content))


def _learned(pieces: Callable[..., Iterable[Rows]], plan: Plan, engine: Engine, count: int) -> tuple[list[Learned], Sample | None]:
    """What each series learned alone, in order of name, and the sample of all."""
    found: list[Learned] = []
    clocks: dict[Any, Clock] = {}
    parts: list[Sample] = []
    for content in engine.map(partial(_learn_bytes, plan=plan, count=count), map(rows_to_bytes, pieces())):
        learned, sample = unpacked(content)
        if sample is not None:
            parts.append(Sample(sample.series + len(found), sample.priority, sample.early, sample.rows))
            parts = [Sample.joined(parts).lowest(count)] if len(parts) > 1 else parts
        found += [replace(one, clock=clocks.setdefault(clock_key(one.clock), one.clock)) for one in learned]
    order = sorted(range(len(found)), key=lambda k: found[k].name)
    if not parts:
        return [found[k] for k in order], None
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    whole = replace(parts[0], series=rank[parts[0].series])
    return [found[k] for k in order], whole.taken(np.lexsort((whole.series, whole.priority)))


def _learn_bytes(content: bytes, plan: Plan, count: int) -> bytes:
    return learn_piece(rows_from_bytes(content), plan, count)


def _clocks(learned: list[Learned]) -> tuple[tuple[Clock, ...], dict[str, Member]]:
    """The distinct clocks, and the members that point to them."""
    found: dict[Any, tuple[int, Clock]] = {}
    members = {}
    for one in learned:
        number, _ = found.setdefault(clock_key(one.clock), (len(found), one.clock))
        if one.member is not None:
            members[one.name] = replace(one.member, clock=number)
    return tuple(clock for _, clock in found.values()), members


# -- evidence on sharing --------------------------------------------------------------------------------------------------------


def _evidence(
    pieces: Callable[..., Iterable[Rows]],
    plan: Plan,
    engine: Engine,
    learned: list[Learned],
    members: dict[str, Member],
    sample: Sample,
    clocks: tuple[Clock, ...],
    descriptors: Descriptors,
) -> Sharing | None:
    """What sharing costs some series, with one detector and with several; None where there is nothing to judge on."""
    names = tuple(one.name for one in learned)
    sizes: Ints = np.array([members[name].rows for name in names])
    chosen = [names[k] for k in asked(names, sizes, plan.random_state)]
    plan, early = plan.unpruned(), sample.taken(sample.early)  # what pruning costs is told elsewhere
    if not chosen or len(early.rows) < 2:
        return None
    counts = tuple(count for count in CANDIDATES if count == 1 or len(names) >= PER_CLUSTER * count)
    candidates = []
    for count in counts:
        labels = cluster(descriptors, count, plan.random_state)
        of = {name: int(labels[k]) for k, name in enumerate(names) if name in set(chosen)}
        candidates.append((learn_shared(plan, learned, early, clocks, (), labels), of))
    work = partial(_judge_bytes, plan=plan, members={name: members[name] for name in chosen}, candidates=candidates)
    return judged(list(engine.map(work, map(rows_to_bytes, pieces(wanted=chosen)))), counts)


def _judge_bytes(content: bytes, plan: Plan, members: dict[str, Member], candidates: list[tuple[Fleet, dict[str, int]]]) -> bytes:
    return judge_piece(rows_from_bytes(content), plan, members, candidates)


# -- thresholds, and series that start from the fleet ------------------------------------------------------------------------------


def _finished(
    pieces: Callable[..., Iterable[Rows]],
    plan: Plan,
    engine: Engine,
    fleet: Fleet,
    members: dict[str, Member],
    recipe: Recipe,
    sharing: Sharing | None,
) -> PanelModel:
    """Each series with its threshold; those with too little history start from the fleet, and have the median threshold."""
    work = partial(finish_bytes, plan=plan, fleet=fleet, members=members)
    done: dict[str, Member] = {}
    told: dict[str, list[str]] = {"transferred": [], "short": []}
    for content in engine.map(work, map(rows_to_bytes, pieces())):
        arrays, facts = unpack(content)
        done |= {name: file.from_bytes(record) for name, record in zip(facts["names"], unblob(arrays), strict=True)}  # type: ignore[misc]
        for key, names in told.items():
            names += facts[key]
    short = set(told["short"])
    thresholds = fleet.thresholds.copy()
    for k in range(len(thresholds)):
        own = [member.threshold for name, member in done.items() if member.detector == k and name not in short]
        thresholds[k] = np.median(own) if own else thresholds[k]
    done |= {name: replace(done[name], threshold=float(thresholds[done[name].detector])) for name in short}
    fleet = replace(fleet, thresholds=thresholds)
    return PanelModel(fleet, {name: done[name] for name in sorted(done)}, recipe, sharing, tuple(sorted(told["transferred"])))
