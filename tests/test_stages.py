"""The promises, over every public stage and every awkward series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from series_kinds import kinds
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from tsprune import checks, features, signal
from tsprune.errors import BadParameter, BadSeries, TsPruneError
from tsprune.series.stage import Stage

pytestmark = pytest.mark.filterwarnings("ignore:.*deletes spikes:UserWarning")

SERIES = kinds()

STAGES = [
    signal.Deseason(),
    signal.Deseason(24, wall=False),
    signal.Deseason(24, adapt=1.0),
    signal.Detrend(),
    signal.Detrend("none", channels=("difference", "innovation")),
    signal.Detrend(length=60, channels=("level",), scale=False),
    signal.Denoise(),
    signal.Denoise("median", window=5, output="replace"),
    signal.Denoise("mean", window=4),
    signal.Denoise("wavelet", window=8),
    signal.Denoise("savgol", window=7),
    signal.Denoise("kalman", window=9),
    features.Difference(),
    features.Windows(),
    features.Windows(24, features=("point", "shape", "statistics")),
    features.Windows(70, features=("coarse", "point")),
    features.Windows(5, bridge=0),
    features.Windows(9, features=("raw", "shape"), bridge=20),
    features.SelectFeatures(),
]

BY_NATURE = {
    "check_methods_sample_order_invariance": "a stage of a series depends on the order of its rows",
    "check_methods_subset_invariance": "a stage of a series depends on the rows before each row",
}


def test_every_public_stage_is_under_test():
    public = {getattr(module, name) for module in (signal, features) for name in module.__all__}
    assert {cls for cls in public if isinstance(cls, type) and issubclass(cls, Stage)} == {type(stage) for stage in STAGES}


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize("stage", STAGES, ids=repr)
def test_every_stage_keeps_the_promises_to_the_bit(stage, kind):
    checks.check_all(stage, SERIES[kind])


def _expected_failures(estimator: Stage) -> dict[str, str]:
    without_lookback = isinstance(estimator, features.SelectFeatures | signal.Deseason)
    return {} if without_lookback else BY_NATURE


@parametrize_with_checks([type(stage)() for stage in STAGES], expected_failed_checks=_expected_failures)
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("stage", STAGES, ids=repr)
def test_kinds_in_are_kinds_out(stage):
    x = SERIES["regular"]
    fitted = clone(stage).fit(x)

    assert isinstance(fitted.transform(x.to_frame()), pd.DataFrame)
    assert isinstance(fitted.transform(x), pd.Series | pd.DataFrame)
    fitted = clone(stage).fit(x.to_numpy()[:, None])
    out = fitted.transform(x.to_numpy()[:, None])
    assert isinstance(out, np.ndarray)
    assert out.shape == (len(x), len(fitted.get_feature_names_out()))


@pytest.mark.parametrize("stage", STAGES, ids=repr)
@pytest.mark.parametrize(
    "bad",
    [
        pd.Series([1.0, np.inf, 2.0], name="x"),
        pd.Series(["a", "b", "c"]),
        pd.Series([], dtype=float),
        pd.DataFrame(index=pd.RangeIndex(3)),
        pd.Series([1.0, 2.0, 3.0], index=pd.DatetimeIndex(["2026-01-02", "2026-01-01", "2026-01-03"])),
        pd.Series([1.0, 2.0], index=["a", "b"]),
        pd.Series([1 + 2j, 0j]),
    ],
    ids=["infinite", "text", "empty", "no columns", "out of order", "text index", "complex"],
)
def test_bad_input_is_refused_by_name(stage, bad):
    with pytest.raises(TsPruneError):
        clone(stage).fit(bad).transform(bad)


@pytest.mark.parametrize("stage", [signal.Deseason(), signal.Detrend(), signal.Denoise(), features.Windows(1)], ids=repr)
@pytest.mark.parametrize("values", [[3.0], [3.0] * 50, [np.nan, 1.0] * 25], ids=["one row", "constant", "half missing"])
def test_poor_but_honest_series_pass(stage, values):
    x = pd.Series(values)
    out = clone(stage).fit_transform(x)

    assert len(out) == len(x)
    assert not np.isinf(out.to_numpy()).any()


def test_columns_in_another_order_are_refused():
    frame = pd.DataFrame({"a": np.arange(50.0), "b": np.ones(50)})
    with pytest.raises(BadSeries, match="in that order"):
        signal.Denoise().fit(frame).transform(frame[["b", "a"]])


def test_a_clock_stage_that_learned_on_times_needs_times():
    with pytest.raises(BadParameter, match="index"):
        signal.Detrend().fit(SERIES["regular"]).transform(np.arange(5.0)[:, None])


def test_nullable_columns_keep_their_missing_values():
    x = pd.Series(pd.array([1, None, 3, 4], dtype="Int64"), name="x")

    assert signal.Denoise("mean", 2, "replace").fit_transform(x).isna().tolist() == [False, True, False, False]


def test_a_spike_is_kept_whole_by_the_trend():
    x = SERIES["regular"].copy()
    stage = signal.Detrend(length=96, channels=("level",), scale=False).fit(x)
    higher = x.copy()
    higher.iloc[700] += 100.0

    gained = stage.transform(higher) - stage.transform(x)

    assert gained.iloc[700] == pytest.approx(100.0)
    assert (gained.drop(gained.index[700]).abs() < 5).all()


def test_windows_say_which_slot_each_raw_value_is_from():
    assert list(features.Windows(3, features="raw").fit(pd.Series(np.arange(9.0), name="x")).get_feature_names_out()) == [
        "x__raw_3[-2]",
        "x__raw_3[-1]",
        "x__raw_3[0]",
    ]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: features.Windows(0), "length is 0"),
        (lambda: features.Windows(3, features="nothing"), "'nothing'"),
        (lambda: features.Windows(3, scale="some"), "scale is 'some'"),
        (lambda: features.SelectFeatures(keep=1.5), "keep is 1.5"),
        (lambda: features.SelectFeatures(criterion="best"), "criterion is 'best'"),
        (lambda: signal.Deseason(adapt=-1.0), "adapt is -1.0"),
        (lambda: signal.Deseason(adapt="half"), "adapt is .half."),
        (lambda: signal.Detrend("steps"), "method is 'steps'"),
        (lambda: signal.Denoise("wavelets"), "method is 'wavelets'"),
        (lambda: signal.Denoise(window=0), "window is 0"),
        (lambda: signal.Detrend(length="a week"), "length is 'a week'"),
        (lambda: signal.Detrend(channels="level"), "channels is 'level'"),
        (lambda: signal.Deseason(period=1), "period is 1"),
        (lambda: signal.Deseason(period=800), "needs 2 cycles"),
    ],
)
def test_an_argument_out_of_range_is_named(make, told):
    with pytest.raises(TsPruneError, match=told):
        make().fit(SERIES["regular"])
