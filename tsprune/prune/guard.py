"""What refuses a cut or a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tsprune.kernels.agreement import lower_bound
from tsprune.params import check_choice, check_number, check_share

if TYPE_CHECKING:
    from tsprune.kernels.agreement import Measure
    from tsprune.model.chain import Detector
    from tsprune.types import Floats


@dataclass(frozen=True)
class Guard:
    """Accept a cut only when it is faithful with confidence, and a stage only when it costs no quality.

    Parameters
    ----------
    fidelity : float
        The lower confidence bound of the agreement between the scores before and after a cut, on held-back rows, must
        reach this.  Spearman's rank correlation for forests and one-class SVMs; overlap of the top scores for LOF.
        Measured on 112 prunings of forests: at 0.99 the mean loss in AUC-PR was 0.003, the worst twentieth 0.010; at 0.95
        the worst twentieth was 0.095.
    confidence : float
        Of the bound, in (0, 1]; by bootstrap over the held-back rows.
    quality_loss : float
        The largest loss of a metric that a stage or a cut may cost, where labels are given.
    on_fail : "keep" or "raise"
        Go on with what was there before, or raise OverPruned.

    Examples
    --------
    >>> from tsprune.prune import Guard
    >>> Guard(fidelity=0.98).accepts(0.985)
    True
    """

    fidelity: float = 0.99
    confidence: float = 0.95
    quality_loss: float = 0.01
    on_fail: Literal["keep", "raise"] = "keep"

    def __post_init__(self) -> None:
        check_number(fidelity=self.fidelity, low=-1.0, high=1.0)
        check_share(confidence=self.confidence, way_out="For 95 %, give 0.95.")
        check_number(quality_loss=self.quality_loss, low=0.0, high=1.0)
        check_choice(("keep", "raise"), on_fail=self.on_fail)

    def accepts(self, bound: float) -> bool:
        """Whether a cut with this lower bound of its fidelity may stay."""
        return bound >= self.fidelity


class Bound:
    """Agreement of a cut with the whole on held-back rows, and the lower confidence bound of it."""

    def __init__(self, measure: Measure, whole: Detector, held: Floats, confidence: float, random_state: int | None):
        self.measure = measure
        self.held = held
        self.whole = whole.anomaly_score(held)
        self.confidence = confidence
        self.random_state = random_state
        self._known: dict[int, tuple[Detector, float, float]] = {}

    def fidelity(self, cut: Detector) -> float:
        """Agreement on the held-back rows."""
        return self._told(cut)[0]

    def __call__(self, cut: Detector) -> float:
        return self._told(cut)[1]

    def _told(self, cut: Detector) -> tuple[float, float]:
        """Agreement and its bound; each cut is scored once."""
        if id(cut) not in self._known:
            scores = cut.anomaly_score(self.held)
            bound = lower_bound(self.measure, self.whole, scores, confidence=self.confidence, random_state=self.random_state)
            self._known[id(cut)] = cut, self.measure(self.whole, scores), bound  # the cut is kept, so that its id stays its own
        return self._known[id(cut)][1:]
