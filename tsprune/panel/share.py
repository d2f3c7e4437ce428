"""The part of a fleet that all series share, learned from their sample: window scaling, features that stay, detectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans

from tsprune.errors import BadSeries
from tsprune.model.member import Fleet

if TYPE_CHECKING:
    from tsprune.model.member import Member
    from tsprune.panel.learned import Learned, Sample
    from tsprune.panel.plan import Plan
    from tsprune.types import Floats, Ints, Matrix

#: Rows that a detector of a cluster needs.
FEWEST = 50
#: Beyond so many scales a descriptor says no more about what kind of series it is.
CLIP = 4.0


@dataclass(frozen=True)
class Descriptors:
    """What kind each series is, on a common scale."""

    centre: Floats
    scale: Floats
    values: Matrix  # (n_series, n_descriptors), scaled

    @classmethod
    def of(cls, told: Matrix) -> Descriptors:
        """Of what is told of the series that learned alone, shape (n_series, n_descriptors)."""
        centre = np.median(told, axis=0)
        scale = told.std(axis=0)
        scale[scale <= 0.0] = 1.0
        return cls(centre, scale, np.clip((told - centre) / scale, -CLIP, CLIP))

    def centroids(self, labels: Ints, count: int) -> Matrix:
        """The centre of each cluster, in the unit of the series' own descriptors and of the scale: (count, 2 * n_descriptors)."""
        middles = np.array([self.values[labels == k].mean(axis=0) for k in range(count)])
        return np.column_stack([middles * self.scale + self.centre, np.tile(self.scale, (count, 1))])


def nearest_detector(fleet: Fleet, described: Floats) -> int:
    """The cluster whose typical descriptor is nearest to that of a series."""
    if len(fleet.detectors) == 1 or not len(described):
        return 0
    middles, scale = np.split(fleet.centroids, 2, axis=1)
    away = np.clip((described - middles) / scale, -2 * CLIP, 2 * CLIP)
    return int(np.argmin((away**2).sum(axis=1)))


def cluster(descriptors: Descriptors, count: int, random_state: int) -> Ints:
    """The cluster of each series; clusters are numbered by their first series."""
    if count == 1:
        return np.zeros(len(descriptors.values), np.int64)
    found = KMeans(count, n_init=4, random_state=random_state).fit_predict(descriptors.values)
    _, first, labels = np.unique(found, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    numbered: Ints = rank[labels].astype(np.int64)
    return numbered


def learn_shared(
    plan: Plan, learned: Learned, sample: Sample, typical: tuple[Member, ...], descriptors: Descriptors, labels: Ints
) -> Fleet:
    """What the series share, with a detector for each cluster; a cluster with too few rows uses those of all.

    Raises
    ------
    BadSeries
        If no series has a complete window.
    """
    if len(sample.rows) < 2:
        raise BadSeries(f"{len(sample.rows)} rows of all series are complete; a detector needs 2. Give longer histories, or fill the gaps.")
    plain = plan.raw_windows(next(iter(learned.members.values())).n_out)
    windows = plan.scaled(plain, sample.rows)
    rows = (sample.rows - windows.centre) / windows.scale
    columns = plan.selection(windows, rows)
    rows = rows if columns is None else np.ascontiguousarray(rows[:, list(columns.kept)])
    cluster_of = labels[sample.series]
    count = int(labels.max()) + 1
    own = [rows[cluster_of == k] for k in range(count)]
    detectors = tuple(plan.fit_detector(part if len(part) >= FEWEST or count == 1 else rows) for part in own)
    centroids = descriptors.centroids(labels, count)
    parts = (windows,) if columns is None else (windows, columns)
    fleet = Fleet(learned.clocks, parts, detectors, np.zeros(count), centroids, typical)
    scores = [np.sort(detector.anomaly_score(part)) for detector, part in zip(detectors, own, strict=True)]
    fallback = np.array([own_scores[int(0.995 * (len(own_scores) - 1))] if len(own_scores) else 0.0 for own_scores in scores])
    return replace(fleet, thresholds=fallback)
