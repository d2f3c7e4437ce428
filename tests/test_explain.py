"""What went and why; which features at which times make a row anomalous."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest

import tsprune as tsp
from tsprune.prune.explain import explain, occlusion

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3))
INDEX = pd.date_range("2026-03-01", periods=600, freq="h")
SEASON = pd.DataFrame({"a": 10 + 5 * np.sin(np.arange(600) * np.pi / 12), "b": RNG.normal(size=600)}, index=INDEX) + 0.1 * X[:, :1]


def test_a_cut_forest_says_how_many_nodes_and_trees_went():
    pruned = tsp.Pruned("iforest", keep=0.02, guard=None, random_state=0).fit(X)

    gone = pruned.n_parts_before_ - pruned.n_parts_after_
    assert f"{gone} of {pruned.n_parts_before_} nodes went" in pruned.story_
    assert f"{100 - pruned.part_.n_trees} of 100 trees" in pruned.story_


def test_a_reduced_svm_and_a_detector_left_alone_say_so():
    few = tsp.Pruned("ocsvm", keep=0.1, guard=None, random_state=0).fit(X)

    assert few.story_.startswith(f"{few.n_parts_before_} support vectors are rewritten as {few.n_parts_after_} centres")
    assert tsp.Pruned("lof", clean=None).fit(X).story_ == "nothing went: all 600 parts stay."


def test_cleaning_names_the_rows_that_went():
    rows = np.vstack([X, np.full((4, 3), 9.0) + RNG.normal(size=(4, 3)) * 0.1])

    assert "rows" in (told := tsp.Pruned("lof").fit(rows).story_)
    assert "600" in told or "..." in told


@pytest.mark.parametrize("detector", [IsolationForest(random_state=0), "ocsvm", "lof"])
def test_the_feature_that_is_off_carries_the_score(detector):
    pipeline = tsp.Pipeline([detector]).fit(X)
    odd = X[:50].copy()
    odd[20, 2] = 6.0

    told = explain(pipeline, odd, top=1, n_rows=1)

    assert told.loc[0, ["row", "feature", "value", "observed"]].tolist() == [20, "x2", 6.0, 6.0]
    assert told.loc[0, "part"] > 0


def test_times_of_a_window_and_the_expected_value_are_told_in_the_original_unit():
    pipeline = tsp.Pipeline([tsp.Deseason(period=24), tsp.Windows(4, features=["value", "raw", "mean"]), "ocsvm"]).fit(SEASON)
    odd = SEASON.iloc[:200].copy()
    odd.iloc[150, 0] += 4.0

    told = explain(pipeline, odd, top=12, n_rows=4)

    assert set(told["row"]) == set(INDEX[150:154])
    assert (told.groupby("row")["column"].first() == "a").all()
    late = told[told["feature"] == "a__raw_4[-2]"].set_index("row").loc[INDEX[152]]
    assert late["first"] == late["last"] == INDEX[150]
    assert late["observed"] == odd.iloc[150, 0]
    assert abs(late["expected"] - SEASON.iloc[150, 0]) < 1.0
    whole = told[told["feature"].str.contains("mean")]
    assert ((whole["last"] - whole["first"]) == pd.Timedelta("3h")).all()


def test_context_is_looked_at_and_not_explained():
    pipeline = tsp.Pipeline([tsp.Windows(4), "iforest"]).fit(SEASON)

    told = explain(pipeline, SEASON.iloc[300:310], SEASON.iloc[290:300], top=1, n_rows=30)

    assert sorted(told["row"]) == list(INDEX[300:310])


def test_setting_a_feature_to_what_it_is_changes_nothing():
    part = tsp.Pipeline(["iforest"]).fit(X).model_.detector

    assert (occlusion(part, X[:5], X[3])[3] == 0.0).all()
    assert occlusion(part, X[:0], X[3]).shape == (0, 3)
