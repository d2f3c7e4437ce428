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
from tsprune.model.roster import Roster
from tsprune.panel.finish import finish_bytes
from tsprune.panel.frames import Names, read_frame
from tsprune.panel.learn import count_piece, learn_piece
from tsprune.panel.learned import Learned, Sample, unpacked
from tsprune.panel.model import PanelModel, Recipe
from tsprune.panel.plan import Plan
from tsprune.panel.share import Descriptors, cluster, learn_shared
from tsprune.panel.sharing import Sharing, asked, judge_piece, judged
from tsprune.panel.transfer import typical_members
from tsprune.panel.wire import rows_from_bytes, rows_to_bytes, unblob, unpack
from tsprune.params import check_count

if TYPE_CHECKING:
    from tsprune.engines import Engine
    from tsprune.model.member import Fleet
    from tsprune.panel.rows import Rows
    from tsprune.pipeline import Pipeline

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
    if drawn is None or not len(learned.members):
        why = learned.reason or "no row has all of its features. Give longer histories, or fill the gaps."
        raise BadSeries(f"none of {len(learned.names)} series can be learned from: {why}")
    descriptors = Descriptors.of(learned.described)
    sharing, count = None, 1
    if clusters == "auto":
        sharing = _evidence(pieces, plan, engine, learned, drawn, descriptors)
        count = sharing.chosen if sharing is not None else 1
    else:
        count = min(clusters, len(learned.members))
    labels = cluster(descriptors, count, plan.random_state)
    typical = typical_members(learned.members, learned.clocks)
    fleet = learn_shared(plan, learned, drawn, typical, descriptors, labels)
    members = learned.members.assigned(detector=labels)
    del learned, drawn, descriptors  # hundreds of bytes for each series
    return _finished(pieces, plan, engine, fleet, members, recipe, sharing)


def _usual_gap(pieces: Callable[..., Iterable[Rows]], plan: Plan, engine: Engine) -> int:
    """The gap that windows bridge: as long as gaps usually are in all series together."""
    counts = np.zeros(LONGEST + 1, np.int64)
    for content in engine.map(_count_bytes, map(rows_to_bytes, pieces())):
        counts += unpack(content)[0]["counts"]
    return bridge_over(usual_gap(counts), plan.length)


def _count_bytes(content: bytes) -> bytes:
    return count_piece(rows_from_bytes(content))


def _learned(pieces: Callable[..., Iterable[Rows]], plan: Plan, engine: Engine, count: int) -> tuple[Learned, Sample | None]:
    """What each series learned alone, in order of name, and the sample of all."""
    parts: list[Learned] = []
    samples: list[Sample] = []
    able = 0
    for content in engine.map(partial(_learn_bytes, plan=plan, count=count), map(rows_to_bytes, pieces())):
        learned, sample = unpacked(content)
        if sample is not None:
            samples.append(replace(sample, series=sample.series + able))
            samples = [Sample.joined(samples).lowest(count)]
        able += len(learned.members)
        parts.append(learned)
    if not parts:
        raise BadSeries("the frame is empty: there is no series to learn from.")
    whole, rank = Learned.joined(parts)
    if not samples:
        return whole, None
    drawn = replace(samples[0], series=rank[samples[0].series])
    return whole, drawn.taken(np.lexsort((drawn.series, drawn.priority)))


def _learn_bytes(content: bytes, plan: Plan, count: int) -> bytes:
    return learn_piece(rows_from_bytes(content), plan, count)


# -- evidence on sharing --------------------------------------------------------------------------------------------------------


def _evidence(
    pieces: Callable[..., Iterable[Rows]], plan: Plan, engine: Engine, learned: Learned, sample: Sample, descriptors: Descriptors
) -> Sharing | None:
    """What sharing costs some series, with one detector and with several; None where there is nothing to judge on."""
    numbers = asked(learned.members.names, learned.members.column("rows"), plan.random_state)
    plan, early = plan.unpruned(), sample.taken(sample.early)  # what pruning costs is told elsewhere
    if not numbers or len(early.rows) < 2:
        return None
    chosen = [learned.members.names[k] for k in numbers]
    counts = tuple(count for count in CANDIDATES if count == 1 or len(learned.members) >= PER_CLUSTER * count)
    candidates = []
    for count in counts:
        labels = cluster(descriptors, count, plan.random_state)
        of = dict(zip(chosen, labels[numbers].tolist(), strict=True))
        candidates.append((learn_shared(plan, learned, early, (), descriptors, labels), of))
    work = partial(_judge_bytes, plan=plan, members=learned.members.only(chosen), candidates=candidates)
    return judged(list(engine.map(work, map(rows_to_bytes, pieces(wanted=chosen)))), counts)


def _judge_bytes(content: bytes, plan: Plan, members: Roster, candidates: list[tuple[Fleet, dict[str, int]]]) -> bytes:
    return judge_piece(rows_from_bytes(content), plan, members, candidates)


# -- thresholds, and series that start from the fleet ------------------------------------------------------------------------------


def _finished(
    pieces: Callable[..., Iterable[Rows]],
    plan: Plan,
    engine: Engine,
    fleet: Fleet,
    members: Roster,
    recipe: Recipe,
    sharing: Sharing | None,
) -> PanelModel:
    """Each series with its threshold; those with too little history start from the fleet, and have the median threshold."""
    work = partial(finish_bytes, plan=plan, fleet=fleet, members=members)
    parts: list[Roster] = []
    told: dict[str, list[str]] = {"transferred": [], "short": []}
    for content in engine.map(work, map(rows_to_bytes, pieces())):
        arrays, facts = unpack(content)
        records: Any = map(file.from_bytes, unblob(arrays))
        parts.append(Roster.of(zip(facts["names"], records, strict=True)))
        for key, names in told.items():
            names += facts[key]
    done = Roster.joined(parts)
    short = np.isin(np.arange(len(done)), done.places(told["short"]))
    own, detector, thresholds = done.column("threshold"), done.column("detector"), fleet.thresholds.copy()
    for k in range(len(thresholds)):
        known = own[(detector == k) & ~short]
        thresholds[k] = np.median(known) if len(known) else thresholds[k]
    done = done.assigned(threshold=np.where(short, thresholds[detector], own))
    return PanelModel(replace(fleet, thresholds=thresholds), done, recipe, sharing, tuple(sorted(told["transferred"])))
