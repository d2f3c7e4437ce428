"""Denoise: a smoothed copy beside the signal, because smoothing deletes spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tsprune.model.smooth import METHODS, Smoother
from tsprune.params import check_choice, check_count, check_number
from tsprune.series.stage import Stage, kept_share

if TYPE_CHECKING:
    from tsprune.series.table import Table


class Denoise(Stage):
    """Add a causally smoothed channel to each column, or put it in the column's place.

    A median of 5 finds none of the single-row anomalies of five sigmas that the raw signal shows in 95 % of
    cases: so the smoothed channel is added, and a detector (or feature pruning) sees both.

    Parameters
    ----------
    method : "hampel", "median" or "mean"
        Over the trailing window.  "hampel" replaces only values more than `cutoff` sigmas from the window's median.
    window : int
        Rows, the current one included.
    output : "add" or "replace"
    cutoff : float
        Sigmas, for "hampel".

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal import Denoise
    >>> Denoise("hampel", window=5).fit_transform(np.array([[1.0], [1.1], [0.9], [9.0], [1.0]]))[3]
    array([9.  , 1.05])
    """

    def __init__(
        self,
        method: Literal["hampel", "median", "mean"] = "hampel",
        window: int = 11,
        output: Literal["add", "replace"] = "add",
        cutoff: float = 3.0,
    ):
        self.method = method
        self.window = window
        self.output = output
        self.cutoff = cutoff

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        return (*columns, *(f"{column}__{self.method}" for column in columns)) if self.output == "add" else columns

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return self.output == "replace"

    def energy_kept(self, clean: Table, changed: Table) -> float:
        """What the smoothed channel alone keeps of an anomaly."""
        d = clean.values.shape[1]
        smooth = [self.part_.apply(table.values, table.slots)[:, -d:] for table in (clean, changed)]
        return kept_share(clean, changed, *smooth)

    def _learn(self, table: Table) -> Smoother:
        check_choice(METHODS, method=self.method)
        check_choice(("add", "replace"), output=self.output)
        window = check_count(window=self.window, high=2**20)
        cutoff = check_number(cutoff=self.cutoff, low=0.0)
        return Smoother(table.values.shape[1], self.method, window, cutoff, self.output == "add")
