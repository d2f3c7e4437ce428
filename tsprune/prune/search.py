"""How small, how fast, how faithful: all cuts of a detector side by side, and the one that fits a budget."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsprune.detect import fit_detector
from tsprune.errors import BadParameter, OverPruned
from tsprune.metrics import average_precision
from tsprune.model.density import Density
from tsprune.params import check_number
from tsprune.prune.cutters import cutter_for
from tsprune.prune.guard import Bound
from tsprune.prune.reference import cleaned
from tsprune.series.table import read_table

if TYPE_CHECKING:
    from tsprune.model.chain import Detector
    from tsprune.prune.criteria import Criterion
    from tsprune.types import Floats, Mask, Matrix

#: Share of the rows that is held back and judges, and rows that are scored at a time, and how often, to see how long one takes.
HELD_BACK, TIMED, REPEATS = 0.25, 2500, 5
#: Columns of a front, and whether more of it is better.
WORTH = {"bytes": False, "us_per_row": False, "fidelity": True, "quality": True}


@dataclass(frozen=True)
class Front:
    """All cuts of one detector.

    Parameters
    ----------
    cuts : tuple of Detector
        The whole one first (LOF: after cleaning).
    frame : DataFrame
        One row per cut: `parts`, `bytes` in a model file, `us_per_row` (CPU, in a batch), `fidelity` to the whole on held-back rows,
        `fidelity_low` (95 % bound), `quality` (average precision; NaN without labels), and `best`: whether no other cut is
        at least as good in all of bytes, time, fidelity and quality, and better in one.
    """

    cuts: tuple[Detector, ...]
    frame: pd.DataFrame

    def within(
        self,
        *,
        bytes: float | None = None,  # noqa: A002 - the word of `Budget`
        us_per_row: float | None = None,
        fidelity: float | None = None,
    ) -> Detector:
        """The cut that fits a budget: the smallest faithful one where a fidelity is asked for, else the most faithful one.

        Parameters
        ----------
        bytes, us_per_row : float, optional
            At most so many.
        fidelity : float, optional
            Its lower bound at least.

        Raises
        ------
        OverPruned
            If no cut fits.
        """
        frame = self.frame
        fits = np.ones(len(frame), dtype=bool)
        for name, limit in (("bytes", bytes), ("us_per_row", us_per_row)):
            if limit is not None:
                fits &= frame[name].to_numpy() <= check_number(**{name: limit}, low=0.0, open_low=True)
        if fidelity is not None:
            fits &= frame["fidelity_low"].to_numpy() >= check_number(fidelity=fidelity, low=-1.0, high=1.0)
        if not fits.any():
            given = {"bytes": bytes, "us_per_row": us_per_row, "fidelity": fidelity}
            asked = ", ".join(f"{name} {limit:g}" for name, limit in given.items() if limit is not None)
            raise OverPruned(f"none of {len(frame)} cuts fits {asked}. The front says what there is:\n{frame.to_string()}")
        order = frame["bytes"] if fidelity is not None else -frame["fidelity"]
        return self.cuts[int(np.argmin(np.where(fits, order, np.inf)))]


def front(
    detector: Any,
    X: Any,
    *,
    rows: Any = None,
    labels: Any = None,
    criterion: Criterion | None = None,
    random_state: int | None = None,
) -> Front:
    """Cut a detector to every size that "auto" knows, and measure each.

    Parameters
    ----------
    detector : short name or estimator
        Fitted here; one that is fitted already goes in as `sklearn.frozen.FrozenEstimator(detector)`.
    X : DataFrame or array, shape (n, d)
        Training rows in time order; the last quarter is held back and judges.
    rows, labels : optional
        Other rows with labels of 0 and 1, for the quality.
    criterion, random_state
        As in `Pruned`.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune.search import front
    >>> X = np.random.default_rng(0).normal(size=(800, 3))
    >>> found = front("ocsvm", X, random_state=0)
    >>> list(found.frame["parts"][1:])
    [8, 16, 32]
    >>> found.within(bytes=900).n_parts
    16
    """
    if (rows is None) != (labels is None):
        raise BadParameter("rows and labels go together; give both, or none.")
    values = _complete(X)
    fitted = fit_detector(detector, values, random_state=random_state)
    whole = cleaned(fitted.part_) if isinstance(fitted.part_, Density) else fitted.part_
    cut = len(values) - max(1, round(HELD_BACK * len(values)))
    cutter = cutter_for(whole, values[:cut], random_state, criterion)
    cuts = (whole, *cutter.path())
    bound = Bound(cutter.fidelity, whole, values[cut:], 0.95, random_state)
    judged = None if rows is None else (_complete(rows), np.asarray(labels))
    frame = pd.DataFrame([_measured(one, bound, values, judged) for one in cuts])
    return Front(cuts, frame.assign(best=_undominated(frame)))


def _measured(cut: Detector, bound: Bound, values: Matrix, judged: tuple[Matrix, Floats] | None) -> dict[str, float]:
    quality = math.nan if judged is None else average_precision(judged[1], cut.anomaly_score(judged[0]))
    return {
        "parts": cut.n_parts,
        "bytes": cut.nbytes,
        "us_per_row": us_per_row(cut, values),
        "fidelity": bound.fidelity(cut),
        "fidelity_low": bound(cut),
        "quality": quality,
    }


def us_per_row(part: Detector, values: Matrix) -> float:
    """CPU microseconds per row in a batch of 2,500 rows: the least of five runs, machine code being ready."""
    batch = values[np.arange(TIMED) % len(values)]
    spans = []
    for _ in range(REPEATS + 1):
        begin = time.process_time()
        part.anomaly_score(batch)
        spans.append(time.process_time() - begin)
    return min(spans[1:]) / TIMED * 1e6


def _undominated(frame: pd.DataFrame) -> Mask:
    """Rows that no other one beats: at least as good in all, better in one."""
    values = np.column_stack([frame[name].fillna(0.0) * (1.0 if more else -1.0) for name, more in WORTH.items()])
    at_least = (values[:, None, :] >= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] > values[None, :, :]).any(axis=2)
    return np.logical_not(np.logical_and(at_least, better).any(axis=0))


def _complete(X: Any) -> Matrix:
    table = read_table(X, flat=False)
    return table.values[~np.isnan(table.values).any(axis=1)]
