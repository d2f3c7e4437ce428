"""What is wrong with an index, and what to do about it: one policy for each.

A pipeline needs none of this: it gives every row its slot, takes missing slots as missing, and scores each of several
rows in one slot by itself.  It refuses rows out of order.  `regularise` is for files of unknown making.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from tsprune.errors import BadSeries
from tsprune.params import check_choice
from tsprune.series.clock import ClockFacts, learn_clock, times

if TYPE_CHECKING:
    from tsprune.model.clock import Clock
    from tsprune.types import Mask

Policy = Literal["raise", "fix", "mask", "keep"]

#: What each policy does, by what it is applied to; `tsprune doctor` prints these.
DEEDS = {
    ("order", "fix"): "rows are sorted by time",
    ("duplicates", "fix"): "of several rows in one slot the last is kept",
    ("duplicates", "mask"): "values of slots with several rows are taken as missing",
    ("duplicates", "keep"): "each of several rows in one slot is scored by itself; the last is history to later rows",
    ("gaps", "fix"): "missing slots up to 3 in a row are filled on a line between their neighbours",
    ("gaps", "mask"): "missing slots count as missing: no row is made up",
    ("irregular", "fix"): "times are moved to their nearest slot",
    ("irregular", "mask"): "values of rows more than a tenth of a step off their slot are taken as missing",
    ("irregular", "keep"): "each row belongs to its nearest slot, under its own time",
}

#: Gaps longer than this are never filled: a line through hours that nobody saw is not data.
FILLED = 3


@dataclass(frozen=True)
class Regular:
    """A regularised frame, its clock, and the counts of what was found before."""

    frame: pd.DataFrame
    clock: Clock
    found: dict[str, int]
    policies: dict[str, str]

    def deeds(self) -> list[str]:
        """What was found and what was done about it, a sentence each."""
        counts = {
            "order": self.found["n_unsorted"],
            "duplicates": self.found["n_duplicates"],
            "gaps": self.found["n_missing"],
            "irregular": self.found["n_off_grid"],
        }
        what = {
            "order": "row{s} out of order",
            "duplicates": "row{s} in a slot already taken",
            "gaps": "missing slot{s}",
            "irregular": "row{s} off the slots",
        }
        return [
            f"{count} {what[name].format(s='' if count == 1 else 's')}: {DEEDS[name, self.policies[name]]}"
            for name, count in counts.items()
            if count
        ]


def regularise(
    frame: pd.DataFrame,
    *,
    order: Policy = "fix",
    duplicates: Policy = "keep",
    gaps: Policy = "mask",
    irregular: Policy = "keep",
) -> Regular:
    """Bring the rows of a frame in order, by a stated policy for each thing that may be wrong.

    Parameters
    ----------
    frame : DataFrame
        With a DatetimeIndex (a zone or none) or an integer index.
    order : "fix" or "raise"
    duplicates : "keep", "fix", "mask" or "raise"
    gaps : "mask", "fix" or "raise"
    irregular : "keep", "fix", "mask" or "raise"
        "raise" refuses; `DEEDS` says what the others do.

    Raises
    ------
    BadSeries
        Where the policy is "raise" and the thing is found; the message says how many and where the first is.

    Examples
    --------
    >>> import pandas as pd
    >>> from tsprune.series.regular import regularise
    >>> index = pd.to_datetime(["2026-01-01 00:00", "2026-01-01 02:00", "2026-01-01 01:00", "2026-01-01 04:00"])
    >>> regularise(pd.DataFrame({"x": [1.0, 3, 2, 5]}, index=index)).deeds()
    ['1 row out of order: rows are sorted by time', '1 missing slot: missing slots count as missing: no row is made up']
    """
    policies = {"order": order, "duplicates": duplicates, "gaps": gaps, "irregular": irregular}
    for name, policy in policies.items():
        check_choice(["raise", *(p for n, p in DEEDS if n == name)], **{name: policy})
    stamps = times(frame.index)
    n_unsorted = int((np.diff(stamps) < 0).sum())
    if n_unsorted:
        _refuse(order, "order", f"{n_unsorted} rows are out of order, the first at row {int(np.flatnonzero(np.diff(stamps) < 0)[0]) + 1}")
        frame = frame.iloc[np.argsort(stamps, kind="stable")]
        stamps = np.sort(stamps)
    clock = learn_clock(frame.index)
    facts = ClockFacts.of(stamps, clock)
    found = {"n_unsorted": n_unsorted, **asdict(facts)}
    slots = clock.slots(stamps).absolute
    if facts.n_off_grid:
        frame = _irregular(frame, clock, irregular, facts.n_off_grid)
    if facts.n_duplicates:
        frame = _duplicates(frame, slots, duplicates, facts.n_duplicates)
    if facts.n_missing:
        frame = _gaps(frame, clock, gaps, facts)
    return Regular(frame, clock, found, {name: str(policy) for name, policy in policies.items()})


def _refuse(policy: Policy, name: str, what: str) -> None:
    if policy == "raise":
        raise BadSeries(f"{what}; the policy {name}='raise' refuses that. Mend the rows, or choose another policy.")


def _irregular(frame: pd.DataFrame, clock: Clock, policy: Policy, count: int) -> pd.DataFrame:
    _refuse(policy, "irregular", f"{count} rows stand off their slot by more than a tenth of a step")
    if policy == "keep":
        return frame
    stamps = times(frame.index)
    away = (stamps - clock.origin + clock.step // 2) % clock.step - clock.step // 2
    if policy == "mask":
        return _masked(frame, np.abs(away) > clock.step // 10)
    return frame.set_axis(_index_at(stamps - away, frame.index))


def _duplicates(frame: pd.DataFrame, slots: np.ndarray, policy: Policy, count: int) -> pd.DataFrame:
    same = np.diff(slots) == 0
    _refuse(
        policy, "duplicates", f"{count} rows stand in a slot that is taken already, the first at row {int(np.flatnonzero(same)[0]) + 1}"
    )
    if policy == "keep":
        return frame
    if policy == "fix":
        return frame[np.append(~same, True)]
    return _masked(frame, np.append(same, False) | np.insert(same, 0, False))


def _gaps(frame: pd.DataFrame, clock: Clock, policy: Policy, facts: ClockFacts) -> pd.DataFrame:
    _refuse(policy, "gaps", f"{facts.n_missing} slots in {facts.n_gaps} gaps have no row")
    if policy == "mask" or clock.kind == "month":
        return frame
    stamps = times(frame.index)
    slots = clock.slots(stamps).absolute
    missing = [np.arange(before + 1, after) for before, after in itertools.pairwise(slots) if 1 < after - before <= FILLED + 1]
    if not missing:
        return frame
    new = np.concatenate(missing) * clock.step + clock.origin
    filled = {name: np.interp(new, stamps, frame[name].to_numpy(np.float64, na_value=np.nan)) for name in frame.columns}
    joined = pd.concat([frame, pd.DataFrame(filled, index=_index_at(new, frame.index))])
    return joined.iloc[np.argsort(times(joined.index), kind="stable")]


def _masked(frame: pd.DataFrame, bad: Mask) -> pd.DataFrame:
    return frame.astype(np.float64).mask(np.broadcast_to(bad[:, None], frame.shape))


def _index_at(stamps: np.ndarray, like: pd.Index) -> pd.Index:
    if isinstance(like, pd.DatetimeIndex):
        index = pd.DatetimeIndex(stamps.astype("datetime64[ns]"), tz="UTC" if like.tz is not None else None, name=like.name)
        return index.tz_convert(like.tz) if like.tz is not None else index
    return pd.Index(stamps, name=like.name)
