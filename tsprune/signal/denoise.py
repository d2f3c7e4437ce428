"""Denoise: a smoothed copy beside the signal, because smoothing deletes spikes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from tsprune.kernels.denoise import details, local_level, one_sided_polynomial
from tsprune.kernels.smooth import scale_of
from tsprune.model.smooth import METHODS, SUMS, Smoother, levels_of
from tsprune.params import check_choice, check_count, check_number
from tsprune.series.stage import Stage, kept_share

if TYPE_CHECKING:
    from tsprune.series.table import Table
    from tsprune.types import Floats, Ints, Matrix

#: Rows of the blocks that are injected at fit, their height in MADs of the history, and the latest rows they are injected into.
BLOCKS, HEIGHT, MEASURED = (1, 2, 4, 16, 64), 5.0, 2048

#: A block counts as found above this quantile of the rows without any.
FOUND = 0.999


class Denoise(Stage):
    """Add a causally smoothed channel to each column, or put it in the column's place.

    A median of 5 finds none of the single-row anomalies of five sigmas that the raw signal shows in 95 % of
    cases: so the smoothed channel is added, and a detector (or feature pruning) sees both.  What a filter does to short
    anomalies is measured at fit, by blocks injected into the history: see `facts`.

    Parameters
    ----------
    method : "hampel", "median", "mean", "wavelet", "savgol" or "kalman"
        Over the trailing window.  "hampel" replaces only values more than `cutoff` sigmas from the window's median; "wavelet" keeps
        the details of the a-trous Haar transform that exceed `cutoff` sigmas of the history; "savgol" is the end of the
        parabola through the window; "kalman" the filter of a local level, its gain learned, cut off at the window.
    window : int
        Rows, the current one included.
    output : "add" or "replace"
    cutoff : float
        Sigmas, for "hampel" and "wavelet".

    Attributes
    ----------
    part_ : Smoother
    deletes_spikes_ : bool
        Whether single rows, 5 MADs high, are found in the smoothed channel less than half as often as in the signal.

    Warns
    -----
    UserWarning
        If the smoothed channel replaces the signal and deletes spikes.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.signal import Denoise
    >>> Denoise("hampel", window=5).fit_transform(np.array([[1.0], [1.1], [0.9], [9.0], [1.0]]))[3]
    array([9.  , 1.05])
    """

    def __init__(
        self,
        method: Literal["hampel", "median", "mean", "wavelet", "savgol", "kalman"] = "hampel",
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

    def facts(self) -> dict[str, float]:
        """What the smoothed channel does to blocks of 1, 2, 4, 16 and 64 rows, five MADs high, injected into the history.

        `kept_m` is the share of the height that is left at the block's peak; `found_m` the share of blocks above the 99.9 %
        quantile of the smoothed rows; `found_raw_m` the same of the signal itself.  Means over blocks and columns; NaN where the
        history is too short for a block.  `deletes_spikes` is 1 if `found_1` is less than half of `found_raw_1`.
        """
        return {**self.blocks_, "deletes_spikes": float(self.deletes_spikes_)}

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
        slots = table.slots.absolute
        taps = np.array([_taps(self.method, column, window) for column in table.values.T])
        sigma = np.array([_sigma(self.method, column, slots, window) for column in table.values.T])
        part = Smoother(table.values.shape[1], self.method, window, cutoff, self.output == "add", taps, sigma)
        self.blocks_ = _blocks(part, table)
        self.deletes_spikes_ = bool(self.blocks_["found_1"] < 0.5 * self.blocks_["found_raw_1"])
        if self.deletes_spikes_ and not part.add:
            warnings.warn(
                f"Denoise({self.method!r}, window={window}, output='replace') deletes spikes: of single rows 5 MADs high it leaves "
                f"{self.blocks_['found_1']:.0%} to be found, of {self.blocks_['found_raw_1']:.0%}. output='add' keeps the signal beside it.",
                UserWarning,
                stacklevel=4,
            )
        return part


def _taps(method: str, values: Floats, window: int) -> Floats:
    if method not in SUMS:
        return np.zeros(0)
    if method == "mean":
        return np.full(window, 1.0 / window)
    return one_sided_polynomial(window) if method == "savgol" else local_level(values, window)


def _sigma(method: str, values: Floats, slots: Ints, window: int) -> Floats:
    """The spread of each level's details; the level of a constant keeps every detail."""
    if method != "wavelet":
        return np.zeros(0)
    *fine, _ = details(values, slots, levels_of(window))
    return np.array([scale_of(detail) if np.nanmax(np.abs(detail), initial=0.0) > 0.0 else 0.0 for detail in fine])


def _blocks(part: Smoother, table: Table) -> dict[str, float]:
    """What is kept and found of blocks in the latest rows, over all columns at once."""
    values = table.values[-MEASURED:]
    slots = table.slots.taken(slice(len(table) - len(values), None))
    d = part.n_features
    scale = np.array([scale_of(column) for column in values.T])
    before = part.apply(values, slots)[:, -d:]
    usual, usual_raw = _usual(before), _usual(values)
    facts = {}
    for rows in BLOCKS:
        starts = np.arange(part.window, len(values) - rows, max(4 * rows, 2 * part.window))
        inside = starts[:, None] + np.arange(rows)
        changed = values.copy()
        changed[inside] += HEIGHT * scale * np.where(np.arange(len(starts)) % 2, -1.0, 1.0)[:, None, None]
        after = part.apply(changed, slots)[:, -d:]
        facts[f"kept_{rows}"] = _mean(_peaks(after - before, inside) / (HEIGHT * scale))
        facts[f"found_{rows}"] = _found(after, inside, *usual)
        facts[f"found_raw_{rows}"] = _found(changed, inside, *usual_raw)
    return facts


def _usual(values: Matrix) -> tuple[Floats, Floats]:
    """The middle of each column, and how far rows without blocks go from it."""
    columns = [column[~np.isnan(column)] for column in values.T]
    middle = [float(np.median(column)) if len(column) else 0.0 for column in columns]
    limit = [float(np.quantile(np.abs(column - m), FOUND)) if len(column) else 0.0 for column, m in zip(columns, middle, strict=True)]
    return np.array(middle), np.array(limit)


def _found(values: Matrix, inside: Ints, middle: Floats, limit: Floats) -> float:
    """Share of blocks whose peak is above what the rows without blocks show."""
    return _mean((_peaks(values - middle, inside) > limit).astype(np.float64))


def _peaks(values: Matrix, inside: Ints) -> Floats:
    """The largest size within each block, shape (blocks, d); missing values are none."""
    return np.asarray(np.max(np.abs(np.nan_to_num(values[inside])), axis=1, initial=0.0))


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if values.size else float("nan")
