"""Features that nobody reads are not computed; no score changes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

import tsprune as tsp
from tsprune.model import file
from tsprune.prune.lean import lean

RNG = np.random.default_rng(0)
HISTORY = RNG.normal(size=(500, 2)) + np.sin(np.arange(500) * np.pi / 12)[:, None]
NEW = RNG.normal(size=(200, 2))


def frozen(*stages, keep=0.02):
    return (
        tsp.Pipeline([*stages, tsp.Pruned(IsolationForest(n_estimators=15, random_state=0), keep=keep, guard=None, random_state=0)])
        .fit(HISTORY)
        .freeze()
    )


@pytest.mark.parametrize(
    "stages",
    [
        (tsp.Windows(24),),
        (tsp.Windows(6, features=["raw", "mean", "std"]), tsp.SelectFeatures()),
        (tsp.Deseason(period=24), tsp.Denoise(window=3)),
        (),
    ],
    ids=["windows", "selected", "signal", "bare"],
)
def test_every_row_keeps_its_score_to_the_bit(stages):
    whole = frozen(*stages)
    small = lean(whole)

    before, after = whole.anomaly_score(NEW), small.anomaly_score(NEW)
    scored = ~np.isnan(before)
    np.testing.assert_array_equal(after[scored], before[scored])
    assert small.lookback <= whole.lookback
    assert file.to_bytes(file.from_bytes(file.to_bytes(small))) == file.to_bytes(small)


def test_only_what_a_node_compares_is_computed():
    whole = frozen(tsp.Windows(24))
    small = lean(whole)

    used = len(whole.detector.used_features)
    assert used < whole.detector.n_features
    assert small.detector.n_features == used == len(small.detector.used_features)
    assert small.parts[0].n_out < whole.parts[0].n_out


def test_freezing_leaves_out_unread_features_only_when_asked():
    forest = tsp.Pruned(IsolationForest(n_estimators=15, random_state=0), keep=0.02, guard=None, random_state=0)
    pipeline = tsp.Pipeline([tsp.Windows(24), forest]).fit(HISTORY)
    rows = NEW.copy()
    rows[100] = np.nan

    whole, small = pipeline.freeze(), pipeline.freeze(lean=True)

    np.testing.assert_array_equal(whole.anomaly_score(rows), np.asarray(pipeline.anomaly_score(rows)))
    assert small.detector.n_features < whole.detector.n_features
    there = ~np.isnan(whole.anomaly_score(rows))
    np.testing.assert_array_equal(small.anomaly_score(rows)[there], whole.anomaly_score(rows)[there])


def test_a_model_that_reads_everything_is_left_alone():
    assert lean(whole := frozen(keep=1.0)) is whole
    svm = tsp.Pipeline([tsp.Windows(4), "ocsvm"]).fit(HISTORY).freeze()
    assert lean(svm) is svm
