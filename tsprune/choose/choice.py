"""What `choose` answers: a fitted pipeline, what else there was to choose from, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsprune import show

if TYPE_CHECKING:
    import pandas as pd

    from tsprune.blend import Blend


@dataclass(frozen=True)
class Choice:
    """A detector for a series, fitted, with the reasons for it.

    Attributes
    ----------
    pipeline : Blend
        Fitted on the whole history; `freeze()` gives the model to save.
    front : DataFrame
        The blends that no other one beats: members, how many of them search neighbours and among how many rows, bytes,
        microseconds per row (estimated), fidelity to the largest blend, and with labels quality (VUS-PR).
    report : DataFrame
        One row per member of both presets: view, detector, bytes, agreement with the blend, and whether it was chosen.
    reasons : tuple of str
        In sentences.

    Examples
    --------
    >>> import tsprune as tsp
    >>> sea = tsp.datasets.load("elnino").frame["value"]
    >>> choice = tsp.choose(sea[:360], budget=tsp.Budget.small())
    >>> choice.pipeline.freeze().nbytes < 60_000, choice.reasons[0].split(":")[0]
    (True, '12-row profile used')
    """

    pipeline: Blend
    front: pd.DataFrame
    report: pd.DataFrame
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.reasons)

    def plot(self, ax: Any = None) -> Any:
        """Draw the front on matplotlib axes, which are returned: fidelity (with labels quality) against bytes."""
        from tsprune import plot

        return plot.budgets(self.front, ax=ax)

    def _repr_html_(self) -> str:
        reasons = show.table("why", ["reason "], [[reason] for reason in self.reasons])
        members = show.table("members", [*(f"{name} " for name in self.report.columns)], _cells(self.report))
        front = show.table("what the budget could buy", list(self.front.columns), _cells(self.front))
        return reasons + members + front


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    return [[f"{value:,.3g}" if isinstance(value, float) else f"{value}" for value in row] for row in frame.itertuples(index=False)]
