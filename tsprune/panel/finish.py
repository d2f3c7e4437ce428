"""The last pass over the series of a panel: the threshold of each, and the start of those with too little history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from tsprune.model import file
from tsprune.panel.learn import complete_features, describe, histories, own_scores
from tsprune.panel.learned import clock_key
from tsprune.panel.share import nearest_detector
from tsprune.panel.transfer import is_new, start_from_fleet
from tsprune.panel.wire import blobs, pack, rows_from_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tsprune.model.member import Fleet, Member
    from tsprune.panel.learn import History
    from tsprune.panel.plan import Plan
    from tsprune.panel.rows import Rows
    from tsprune.types import Floats

#: Scores of its own from which a series has its own threshold.
OWN_THRESHOLD = 200


def finish_bytes(content: bytes, plan: Plan, fleet: Fleet, members: Mapping[str, Member]) -> bytes:
    """`finish_piece` on bytes."""
    return finish_piece(rows_from_bytes(content), plan, fleet, members)


def finish_piece(rows: Rows, plan: Plan, fleet: Fleet, members: Mapping[str, Member]) -> bytes:
    """The series of a piece with their thresholds; those that are not among the members, or new to the fleet, start from it."""
    numbers = {clock_key(clock): k for k, clock in enumerate(fleet.clocks)}
    names: list[str] = []
    records: list[bytes] = []
    told: dict[str, list[str]] = {"transferred": [], "short": []}
    for history in histories(rows, fleet):
        member = members.get(history.name)
        if member is None or is_new(fleet, history, plan):
            started, channels = start_from_fleet(fleet, history, plan)
            member = joined_to_cluster(replace(started, clock=numbers[clock_key(history.clock)]), channels, fleet, history, plan)
            told["transferred"].append(history.name)
        threshold = own_threshold(member, fleet, history, plan)
        if threshold is None:
            told["short"].append(history.name)
            threshold = float(fleet.thresholds[member.detector])
        names.append(history.name)
        records.append(file.to_bytes(replace(member, threshold=threshold)))
    return pack(blobs(records), names=names, **told)


def joined_to_cluster(member: Member, channels: Floats, fleet: Fleet, history: History, plan: Plan) -> Member:
    """A member with the detector of the cluster that its features are nearest to."""
    if len(fleet.detectors) == 1:
        return member
    features, _ = complete_features(plan.raw_windows(member.n_out), channels, history.slots)
    return replace(member, detector=nearest_detector(fleet, describe(features)) if len(features) else 0)


def own_threshold(member: Member, fleet: Fleet, history: History, plan: Plan) -> float | None:
    """The threshold that a series' own training scores ask for; None where there are too few."""
    scores = own_scores(fleet, member, history)
    if (~np.isnan(scores)).sum() < OWN_THRESHOLD:
        return None
    level = clone(plan.threshold).fit(scores, clock=history.clock).part_
    return float(level.threshold)
