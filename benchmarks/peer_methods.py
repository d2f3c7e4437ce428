"""What people use to find anomalies in one signal, each behind the same two calls: learn a history, score rows.

A peer that is not installed is left out by name.  Settings are the peers' defaults, or what their papers say; none was tuned.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

#: Rows of PyOD's windows where nothing is said (TimeSeriesOD), of lags for the streaming detector, and of the rolling statistics.
WINDOW, LAGS, ROLLING = 50, 10, 128


@dataclass
class Peer:
    """A method: `learn(history, length, seed)` gives something that scores a series, one number per row."""

    name: str
    needs: str  # distribution; "" for none but those of tsprune
    learn: Callable[[pd.DataFrame, int, int], Any]
    random: bool = False

    @property
    def installed(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def windows(x: np.ndarray, w: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, w)


@dataclass
class Windowed:
    """A PyOD detector on windows: the score of a row is that of the window that ends there, or the largest of those over it."""

    detector: Any
    w: int

    def scores(self, frame: pd.DataFrame, *, whole: bool) -> np.ndarray:
        found = self.detector.decision_function(windows(frame.iloc[:, 0].to_numpy(), self.w))
        return covering(found, self.w, len(frame)) if whole else np.r_[np.full(self.w - 1, np.nan), found]

    @property
    def nbytes(self) -> int:
        return len(pickle.dumps(self.detector))


def covering(found: np.ndarray, w: int, n: int) -> np.ndarray:
    """Of each row the largest score of the windows that hold it, as TimeSeriesOD maps them back."""
    padded = np.r_[np.full(w - 1, -np.inf), found, np.full(w - 1, -np.inf)]
    return np.lib.stride_tricks.sliding_window_view(padded, w).max(axis=1)[:n]


def windowed(make: Callable[[int], Any], own_length: bool = False) -> Callable[[pd.DataFrame, int, int], Windowed]:
    def learn(history: pd.DataFrame, length: int, seed: int) -> Windowed:
        w = length if own_length else WINDOW
        return Windowed(make(seed).fit(windows(history.iloc[:, 0].to_numpy(), w)), w)

    return learn


def pyod_iforest(seed: int) -> Any:
    from pyod.models.iforest import IForest

    return IForest(random_state=seed)


def pyod_lof(_: int) -> Any:
    from pyod.models.lof import LOF

    return LOF()


def pyod_ocsvm(_: int) -> Any:
    from pyod.models.ocsvm import OCSVM

    return OCSVM()


def pyod_pca(_: int) -> Any:
    from pyod.models.pca import PCA

    return PCA()


@dataclass
class Plain:
    """A method that is a function of the series, and what it keeps of the history."""

    function: Callable[[np.ndarray, bool], np.ndarray]
    kept: Any

    def scores(self, frame: pd.DataFrame, *, whole: bool) -> np.ndarray:
        return self.function(frame.iloc[:, 0].to_numpy(), whole)

    @property
    def nbytes(self) -> int:
        return len(pickle.dumps(self.kept))


def rolling_z(history: pd.DataFrame, length: int, seed: int) -> Plain:
    def score(x: np.ndarray, whole: bool) -> np.ndarray:
        past = pd.Series(x).rolling(ROLLING, min_periods=8)
        return np.abs((pd.Series(x) - past.mean().shift(1)) / (past.std().shift(1) + 1e-9)).to_numpy()

    return Plain(score, ROLLING)


def poly(history: pd.DataFrame, length: int, seed: int, w: int = 32, degree: int = 2) -> Plain:
    """What a polynomial through the last rows foretells of the next one, against what came (after POLY of TSB-AD)."""
    t = np.arange(w) / w
    weights = np.linalg.pinv(np.vander(t, degree + 1)).T @ np.vander([1.0], degree + 1)[0]

    def residual(x: np.ndarray) -> np.ndarray:
        return np.r_[np.full(w, np.nan), np.abs(x[w:] - windows(x, w)[:-1] @ weights)]

    scale = float(np.nanmedian(residual(history.iloc[:, 0].to_numpy()))) + 1e-9
    return Plain(lambda x, whole: residual(x) / scale, weights)


@dataclass
class Seasonal:
    """ADTK's SeasonalAD before its threshold: the size of what its seasonal decomposition leaves."""

    stage: Any

    def scores(self, frame: pd.DataFrame, *, whole: bool) -> np.ndarray:
        if self.stage is None:
            return np.zeros(len(frame))
        return np.abs(np.asarray(self.stage.transform(_by_the_second(frame)), dtype=np.float64).ravel())

    @property
    def nbytes(self) -> int:
        return len(pickle.dumps(self.stage))


def seasonal_ad(history: pd.DataFrame, length: int, seed: int) -> Seasonal:
    from adtk.transformer import ClassicSeasonalDecomposition

    stage = ClassicSeasonalDecomposition()
    try:
        stage.fit(_by_the_second(history))
    except Exception:  # without a season it has nothing to say, with whatever error
        return Seasonal(None)
    return Seasonal(stage)


def _by_the_second(frame: pd.DataFrame) -> pd.Series:
    """The rows on the regular clock that ADTK insists on, each where its time, or its row number, puts it."""
    first = frame.index[0]
    if isinstance(frame.index, pd.DatetimeIndex):
        first = round((first - pd.Timestamp("2010-01-01")) / frame.index.to_series().diff().median())
    start = pd.Timestamp("2010-01-01") + pd.Timedelta(seconds=int(first))
    return pd.Series(frame.iloc[:, 0].to_numpy(), index=pd.date_range(start, periods=len(frame), freq="s"))


def matrix_profile(history: pd.DataFrame, length: int, seed: int) -> Plain:
    import stumpy

    past = history.iloc[:, 0].to_numpy(np.float64)

    def score(x: np.ndarray, whole: bool) -> np.ndarray:
        if whole:
            return covering(np.asarray(stumpy.stump(x, length)[:, 0], dtype=np.float64), length, len(x))
        found = np.asarray(stumpy.stump(x, length, past, ignore_trivial=False)[:, 0], dtype=np.float64)
        return np.r_[np.full(length - 1, np.nan), found]

    return Plain(score, past)


def half_space_trees(history: pd.DataFrame, length: int, seed: int) -> Plain:
    from pysad.models import HalfSpaceTrees

    past = windows(history.iloc[:, 0].to_numpy(), LAGS)
    low, high = past.min(axis=0), past.max(axis=0)
    model = HalfSpaceTrees(feature_mins=low, feature_maxes=high + 1e-9, random_state=seed)
    for row in past:
        model.fit_partial(row)

    def score(x: np.ndarray, whole: bool) -> np.ndarray:
        return np.r_[np.full(LAGS - 1, np.nan), [-float(model.score_partial(row)) for row in windows(x, LAGS)]]

    return Plain(score, model)


@dataclass
class Ours:
    """A fitted pipeline of tsprune, scored as its saved model scores."""

    pipeline: Any

    def scores(self, frame: pd.DataFrame, *, whole: bool) -> np.ndarray:
        return np.asarray(self.pipeline.anomaly_score(frame), dtype=np.float64)

    @property
    def nbytes(self) -> int:
        return int(self.pipeline.freeze().nbytes)


def tsprune_with(detector: str) -> Callable[[pd.DataFrame, int, int], Ours]:
    def learn(history: pd.DataFrame, length: int, seed: int) -> Ours:
        import tsprune as tsp

        steps = [tsp.Deseason(), tsp.Windows(), tsp.SelectFeatures(), tsp.Pruned(detector, random_state=seed)]
        return Ours(tsp.Pipeline(steps).fit(history))

    return learn


@dataclass
class Chosen:
    """A blend that `tsprune.choose` has chosen; for a record that is over it places its scores after the fact."""

    blend: Any

    def scores(self, frame: pd.DataFrame, *, whole: bool) -> np.ndarray:
        if whole:
            return np.asarray(self.blend.anomaly_score(frame), dtype=np.float64)
        return np.asarray(self.blend.model_.anomaly_score(frame.to_numpy(), frame.index.to_numpy()), dtype=np.float64)

    @property
    def nbytes(self) -> int:
        return int(self.blend.model_.nbytes)


def chosen(history: pd.DataFrame, length: int, seed: int) -> Chosen:
    import tsprune as tsp

    return Chosen(tsp.choose(history, placement="cover", random_state=seed).pipeline)


PEERS: tuple[Peer, ...] = (
    Peer("tsprune iforest", "", tsprune_with("iforest"), random=True),
    Peer("tsprune lof", "", tsprune_with("lof")),
    Peer("tsprune ocsvm", "", tsprune_with("ocsvm"), random=True),
    Peer("tsprune choose", "", chosen, random=True),
    Peer("PyOD TimeSeriesOD IForest", "pyod", windowed(pyod_iforest), random=True),
    Peer("PyOD TimeSeriesOD LOF", "pyod", windowed(pyod_lof)),
    Peer("PyOD TimeSeriesOD OCSVM", "pyod", windowed(pyod_ocsvm)),
    Peer("Sub-PCA (PyOD PCA, one period)", "pyod", windowed(pyod_pca, own_length=True)),
    Peer("matrix profile (stumpy)", "stumpy", matrix_profile),
    Peer("ADTK SeasonalAD", "adtk", seasonal_ad),
    Peer("pysad HalfSpaceTrees", "pysad", half_space_trees, random=True),
    Peer("polynomial residual", "", poly),
    Peer("rolling z-score", "", rolling_z),
)
