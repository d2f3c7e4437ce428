"""Several pipelines on one series, averaged: weak alone, strong together.

Each member is calibrated on rows that it has not learned from; then it is learned again on the whole history.  What several
members have in common (a season, a difference) is learned and applied once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from tsprune.detect import Threshold
from tsprune.errors import BadParameter, BadSeries, NotPrunable
from tsprune.kernels.windows import largest_ahead
from tsprune.members import Learner, behind, calibrated_on, calibrating, taken
from tsprune.model.blend import Blend as BlendPart
from tsprune.model.blend import Score, Tail
from tsprune.model.clock import Slots
from tsprune.model.windows import WindowMatrix
from tsprune.params import check_choice, check_number
from tsprune.pipeline import Pipeline
from tsprune.planted import Planted
from tsprune.presets import PRESETS
from tsprune.series.table import Table, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.model.chain import Model
    from tsprune.model.part import Part
    from tsprune.types import Floats, Ints, Matrix


class Blend(Pipeline):
    """The mean of several pipelines' scores, each calibrated to a tail probability.

    A score of 3 says: where this member looks, one clean row in e^3 = 20 is as strange; beyond the strangest clean row the scale goes on.

    Parameters
    ----------
    members : "mixed", "point", or list of Pipeline or (name, Pipeline)
        "mixed" is seven views of the series, most of them with a distance to nearest neighbours; "point" is one view of point statistics.
        A member's own threshold is not used.
    weights : None, "injection" or sequence of float
        One per member; None: all alike; "injection": by how well each finds anomalies planted in the rows held back, which was
        measured to be a little worse (docs/choosing.md).
    placement : "end" or "cover"
        "end": a row's score comes from the windows that end there, as new rows are scored.  "cover": from the strangest window
        that covers it, for a record that is over; it looks ahead, so it cannot be frozen (`causal_` is False).
    threshold : Threshold, optional
        How the alarm threshold is set on the rows held back for calibration.  Default: `Threshold()`.

    Attributes
    ----------
    model_ : Model
    named_stages_ : dict
        The fitted members by name, then the threshold.
    dropped_ : dict of str to str
        Members that this history is too short for, and why.
    lookback_, min_lookback_, threshold_
        As of a Pipeline.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> from tsprune.blend import Blend
    >>> hours = pd.date_range("2026-01-05", periods=24 * 60, freq="h")
    >>> load = pd.Series(10 + np.sin(np.arange(len(hours)) * 2 * np.pi / 24), index=hours, name="load")
    >>> load += np.random.default_rng(0).normal(0, 0.1, len(load))
    >>> rest = load[24 * 40 :].copy()
    >>> rest.iloc[200:206] += 3
    >>> scores = Blend("point").fit(load[: 24 * 40]).anomaly_score(rest)
    >>> bool(200 <= scores.argmax() <= 206)  # the way back is as strange as the way there
    True
    """

    def __init__(
        self,
        members: Literal["mixed", "point"] | list[Any] = "mixed",
        weights: Literal["injection"] | Sequence[float] | None = None,
        placement: Literal["end", "cover"] = "end",
        threshold: Threshold | None = None,
    ):
        self.members = members
        self.weights = weights
        self.placement = placement
        self.threshold = threshold

    # -- learning ---------------------------------------------------------------------------------------------------

    def fit(self, history: Any, y: Any = None) -> Self:
        """Learn from a history: a Series or DataFrame in time order, or an array; `y` is not needed and not used.

        Raises
        ------
        BadParameter, BadSeries
            If a member is no pipeline, or the history is of no use for any of them.
        """
        check_choice(("end", "cover"), placement=self.placement)
        members = self.named_members()
        weights = self._weights(len(members))
        table = read_table(history, name="history")
        self.clock_, self.columns_in_, self.history_ = table.clock, table.columns, history
        self.causal_ = self.placement == "end"
        for cut, stop in calibrated_on(len(table)):
            learned, tails = self._learn(table, list(zip(members, weights, strict=True)), cut, stop)
            if learned:
                self._set_blend(learned, np.column_stack(tails), table.slots.taken(slice(cut, stop)))
                return self
        raise BadSeries(f"no member can learn from this history: {next(iter(self.dropped_.values()))}")

    def _learn(
        self, table: Table, members: list[tuple[tuple[str, Pipeline], float]], cut: int, stop: int
    ) -> tuple[dict[str, tuple[tuple[Part, ...], Any, Tail, float]], list[Floats]]:
        """Chains learned on the whole table, and their tails on the rows held back from a first time of learning."""
        self.dropped_: dict[str, str] = {}
        self.fit_seconds_: dict[str, float] = {}
        chains = [member for (_, member), _ in members]
        late = Learner(table, chains if cut else chains * 2)
        early = Learner(taken(table, cut), chains) if cut else late
        learned, tails = {}, []
        planted = Planted.into(taken(table, stop), cut) if isinstance(self.weights, str) else None
        for (name, member), weight in members:
            start = time.perf_counter()
            try:
                parts, first = early.chain(member)
                scores = calibrating(first, behind(parts, taken(table, stop), cut))
                tail = Tail.of(scores)
                earned = weight if planted is None else planted.weight(parts, first, tail)
                chain, detector = late.chain(member)
            except BadSeries as error:
                self.dropped_[name] = str(error)
                continue
            learned[name] = (chain, detector, tail, earned)
            tails.append(tail.u(scores))
            self.fit_seconds_[name] = time.perf_counter() - start
        return learned, tails

    def _set_blend(self, learned: dict[str, tuple[tuple[Part, ...], Any, Tail, float]], tails: Matrix, slots: Slots) -> None:
        self.blend_ = BlendPart.of(len(self.columns_in_), list(learned.values()))
        self.held_back_ = self.blend_.blended(tails)
        learner = clone(self.threshold) if self.threshold is not None else Threshold()
        start = time.perf_counter()
        learner.fit(self.held_back_, clock=self.clock_, slots=slots)
        self.fit_seconds_["threshold"] = time.perf_counter() - start
        only = np.eye(len(learned), dtype=bool)
        self.named_stages_ = {name: FittedMember(MemberPart(self.blend_.keep(only[k]))) for k, name in enumerate(learned)}
        self.named_stages_["threshold"] = learner
        self.features_ = ("score",)
        self._set_model((self.blend_,), Score(1), learner.part_)

    # -- scoring ----------------------------------------------------------------------------------------------------

    def _score(self, values: Floats, time: Ints | None) -> Floats:
        """NaN where members with half of the weight cannot see enough."""
        if self.causal_:
            return super()._score(values, time)
        tails = self.blend_.part_scores(values, self.clock_.slots(time, len(values)))
        for k in range(tails.shape[1]):
            tails[:, k] = largest_ahead(tails[:, k], _covers(self.blend_.chain(k)))
        return self.blend_.blended(tails)

    def freeze(self, *, lean: bool = False) -> Model:
        """The model: numpy arrays only, to be saved and scheduled; a blend reads all it computes, so `lean` changes nothing.

        Raises
        ------
        NotPrunable
            If `placement` is "cover", or a member has no form of ours.
        """
        check_is_fitted(self, "model_")
        if not self.causal_:
            raise NotPrunable(
                "placement='cover' looks ahead (causal_ is False): it is for records that are over, and no job can run it. "
                "Use placement='end'."
            )
        self.model_.to_spec()  # an opaque detector refuses here
        return super().freeze(lean=lean)

    # -- members and parameters -------------------------------------------------------------------------------------

    def named_members(self) -> list[tuple[str, Pipeline]]:
        """The members with their names: given, or "member-1" and so on."""
        if isinstance(self.members, str):
            check_choice(PRESETS, members=self.members)
            return PRESETS[self.members]()
        if not isinstance(self.members, list | tuple) or not self.members:
            raise BadParameter(f"members is {self.members!r}; it is 'mixed', 'point', or a list of pipelines.")
        named = []
        for k, member in enumerate(self.members, start=1):
            name, pipeline = member if isinstance(member, tuple) and len(member) == 2 else (f"member-{k}", member)
            if not isinstance(pipeline, Pipeline) or isinstance(pipeline, Blend):
                raise BadParameter(f"member {name!r} is {pipeline!r}; it is a Pipeline.")
            named.append((str(name), pipeline))
        names = [name for name, _ in named]
        if len(set(names)) < len(names):
            raise BadParameter(f"members has the names {names}; give each member its own.")
        return named

    def _weights(self, n: int) -> list[float]:
        if self.weights is None or (isinstance(self.weights, str) and self.weights == "injection"):
            return [1.0] * n
        if isinstance(self.weights, str):
            raise BadParameter(f"weights is {self.weights!r}; it is None, 'injection', or one number for each of {n} members.")
        weights = [check_number(weights=weight, low=0.0, high=1e6) for weight in self.weights]
        if len(weights) != n or sum(weights) == 0.0:
            raise BadParameter(f"weights is {self.weights!r}; it has one weight for each of {n} members, one of them positive.")
        return weights

    def named_steps(self) -> list[tuple[str, Any]]:
        """The members and the threshold, by name."""
        return [*self.named_members(), ("threshold", self.threshold or Threshold())]

    def without(self, *names: str) -> Blend:
        """A new, unfitted blend without some members."""
        stay = [k for k, (name, _) in enumerate(self.named_members()) if name not in names]
        members = [self.named_members()[k] for k in stay]
        if not members:
            raise BadParameter(f"without {', '.join(names)} no member is left; leave one.")
        weights = self.weights if self.weights is None or isinstance(self.weights, str) else [self.weights[k] for k in stay]
        return Blend(members, weights, self.placement, self.threshold)

    def only(self, *names: str) -> Blend:
        """A new, unfitted blend of some members; of the first one where none is named."""
        every = [name for name, _ in self.named_members()]
        return self.without(*(set(every) - set(names or every[:1])))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments."""
        return {name: getattr(self, name) for name in ("members", "weights", "placement", "threshold")}

    def set_params(self, **params: Any) -> Self:
        """Set arguments by name."""
        return BaseEstimator.set_params(self, **params)


@dataclass(frozen=True)
class MemberPart:
    """One member as a detector of raw rows: what it costs."""

    blend: BlendPart

    @property
    def nbytes(self) -> int:
        """Bytes in a model file."""
        return self.blend.nbytes

    def anomaly_score(self, X: Matrix) -> Floats:
        """Scores of rows in slots 0, 1, ..."""
        return self.blend.apply(X, Slots.counted(len(X)))[:, 0]


@dataclass(frozen=True)
class FittedMember:
    """A member of a fitted blend."""

    part_: MemberPart
    fidelity_: float = float("nan")


def _covers(chain: tuple[Part, ...]) -> int:
    """Rows that a member's score speaks of alike."""
    return max((part.covers for part in chain if isinstance(part, WindowMatrix)), default=1)
