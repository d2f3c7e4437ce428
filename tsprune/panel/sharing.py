"""What it costs a series to share its detector: the same injected anomalies, found by its own detector and by the shared one.

Some series are asked.  Both detectors learn from the first seven tenths of the histories; anomalies are written into the rest.
Season and scale are the series' own in either case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.kernels.ranking import average_precision
from tsprune.model.cohort import raw_features
from tsprune.panel.learn import EARLY, History, histories
from tsprune.panel.sample import key_of
from tsprune.panel.wire import pack, unpack
from tsprune.series.inject import inject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsprune.model.chain import Detector
    from tsprune.model.member import Fleet, Member
    from tsprune.panel.plan import Plan
    from tsprune.panel.rows import Rows
    from tsprune.types import Floats, Ints, Matrix

#: Series that are asked; events that are written into each at the most, and rows per event.
ASKED, EVENTS, ROOM = 24, 12, 32
#: Resamples of the series behind each interval.
BOOT = 1000


@dataclass(frozen=True)
class Sharing:
    """Average precision of injected anomalies by series: own detector, one for all, one for each of several clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.panel.sharing import Sharing
    >>> told = Sharing(("a", "b"), (1, 2), np.array([[0.5, 0.4, 0.45], [0.6, 0.6, 0.6]]), np.array([0.1, 0.1]), 1)
    >>> print(told)
    sharing one detector costs +0.050 average precision [+0.000, +0.100] (own 0.550, shared 0.500, chance 0.100; 2 series asked)
    """

    series: tuple[str, ...]
    counts: tuple[int, ...]  # detectors of each candidate
    precision: Matrix  # (n_series, 1 + n_candidates): own, then each candidate
    chance: Floats  # (n_series,)
    chosen: int  # detectors of the fleet

    def cost(self, count: int) -> tuple[float, float, float]:
        """Mean loss against own detectors of a fleet with so many, and its 95 % interval over the series."""
        return _interval(self.precision[:, 0] - self.precision[:, 1 + self.counts.index(count)])

    def gain(self, count: int) -> tuple[float, float, float]:
        """Mean gain of so many detectors over one, and its 95 % interval over the series."""
        return _interval(self.precision[:, 1 + self.counts.index(count)] - self.precision[:, 1 + self.counts.index(1)])

    def to_frame(self) -> pd.DataFrame:
        """One line per series that was asked: average precision of each way, and what sharing costs it."""
        frame = pd.DataFrame(
            self.precision, index=pd.Index(self.series, name="series"), columns=["own", *(f"{k} shared" for k in self.counts)]
        )
        frame["chance"] = self.chance
        frame["cost"] = frame["own"] - frame[f"{self.chosen} shared"]
        return frame

    def __str__(self) -> str:
        cost, low, high = self.cost(self.chosen)
        what = "one detector" if self.chosen == 1 else f"{self.chosen} detectors"
        own, shared = self.precision[:, 0].mean(), self.precision[:, 1 + self.counts.index(self.chosen)].mean()
        means = f"own {own:.3f}, shared {shared:.3f}, chance {self.chance.mean():.3f}"
        return f"sharing {what} costs {cost:+.3f} average precision [{low:+.3f}, {high:+.3f}] ({means}; {len(self.series)} series asked)"


def _interval(differences: Floats) -> tuple[float, float, float]:
    rng = np.random.default_rng(0)
    means = differences[rng.integers(0, len(differences), (BOOT, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(differences.mean()), float(low), float(high)


def asked(names: tuple[str, ...], sizes: Ints, random_state: int, most: int = ASKED) -> list[int]:
    """Numbers of the series to ask: those with room for events, drawn by their names."""
    able = [k for k, size in enumerate(sizes) if (1 - EARLY) * size >= 2 * ROOM]
    return sorted(sorted(able, key=lambda k: key_of(names[k], random_state))[:most])


def judge_piece(rows: Rows, plan: Plan, members: Mapping[str, Member], candidates: list[tuple[Fleet, dict[str, int]]]) -> bytes:
    """Average precision of each way for the series of a piece, as bytes."""
    names, found = [], []
    for history in histories(rows):
        judged = _judge(history, plan, members[history.name], candidates)
        if judged is not None:
            names.append(history.name)
            found.append(judged)
    return pack({"precision": np.array(found).reshape(len(found), -1)}, names=names)


def judged(contents: list[bytes], counts: tuple[int, ...]) -> Sharing | None:
    """The answers of all pieces; None where no series had room for an event."""
    parts = [unpack(content) for content in contents]
    names = [name for _, facts in parts for name in facts["names"]]
    if not names:
        return None
    table = np.concatenate([arrays["precision"] for arrays, _ in parts if arrays["precision"].size])
    sharing = Sharing(tuple(names), counts, table[:, 1:], table[:, 0], 1)
    better = [count for count in counts if count > 1 and sharing.gain(count)[1] > 0.0]
    chosen = max(better, key=lambda count: sharing.gain(count)[0]) if better else 1
    return Sharing(tuple(names), counts, table[:, 1:], table[:, 0], chosen)


def _judge(history: History, plan: Plan, member: Member, candidates: list[tuple[Fleet, dict[str, int]]]) -> list[float] | None:
    """Chance, then average precision of the own detector and of each candidate; None where nothing can be judged."""
    slots = history.slots
    cut = int(np.ceil(EARLY * len(slots)))
    late = pd.Series(history.value[cut:], index=slots.absolute[cut:])
    n_events = min(EVENTS, len(late) // ROOM)
    if n_events < 2:
        return None
    changed, labels, _ = inject(late, n_events=n_events, random_state=key_of(history.name, plan.random_state) % 2**32)
    before = _features(history.value, history, member, candidates[0][0])
    after = _features(np.concatenate([history.value[:cut], changed.to_numpy()]), history, member, candidates[0][0])[cut:]
    learn = before[:cut][~np.isnan(before[:cut]).any(axis=1)]
    complete = ~np.isnan(after).any(axis=1)
    truth = labels.to_numpy()[complete]
    if len(learn) < 2 or not 0 < truth.sum() < len(truth):
        return None
    detectors: list[Detector] = [plan.fit_detector(learn), *(fleet.detectors[of[history.name]] for fleet, of in candidates)]
    scores: list[Any] = [detector.anomaly_score(np.ascontiguousarray(after[complete])) for detector in detectors]
    return [float(truth.mean()), *(average_precision(truth, score) for score in scores)]


def _features(values: Floats, history: History, member: Member, fleet: Fleet) -> Floats:
    slots = history.slots
    channels = values[:, None]
    for stage in member.stages:
        channels = stage.apply(channels, slots)
    channels = (channels - member.centre) / member.scale
    windows, *columns = fleet.windows
    features = (raw_features(windows, channels, slots) - windows.centre) / windows.scale  # type: ignore[arg-type, attr-defined]
    return columns[0].apply(features, slots) if columns else features
