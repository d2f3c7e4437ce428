"""Cuts side by side, the one that fits a budget, and which columns carry a score."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from tsprune import plot
from tsprune.errors import BadParameter, OverPruned
from tsprune.prune import Guard
from tsprune.prune.features import eliminate, feature_effects
from tsprune.prune.search import Front, front

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1000, 2)) @ RNG.normal(size=(2, 5)) + 0.3 * RNG.normal(size=(1000, 5))
ROWS = np.vstack([X[:200] + 0.1, X[:20] * 4])
LABELS = np.r_[np.zeros(200), np.ones(20)]


@pytest.fixture(scope="module")
def found() -> Front:
    return front(IsolationForest(n_estimators=40, random_state=0), X, rows=ROWS, labels=LABELS, random_state=0)


def test_the_whole_detector_stands_first_and_smaller_ones_behind(found):
    frame = found.frame

    assert frame["fidelity"].iloc[0] == 1.0
    assert (np.diff(frame["parts"]) < 0).all()
    assert (np.diff(frame["bytes"]) < 0).all()
    assert frame["quality"].between(0.3, 1.0).all()
    assert (frame["us_per_row"] > 0).all()


def test_no_cut_beats_a_best_one_and_some_cut_beats_every_other(found):
    for i, row in found.frame.iterrows():
        others = found.frame.drop(index=i)
        at_least = (others["bytes"] <= row["bytes"]) & (others["us_per_row"] <= row["us_per_row"])
        at_least &= (others["fidelity"] >= row["fidelity"]) & (others["quality"] >= row["quality"])
        assert row["best"] != at_least.any()


def test_a_budget_of_bytes_gives_the_most_faithful_cut_within_it(found):
    limit = found.frame["bytes"].iloc[4]

    assert found.within(bytes=limit) is found.cuts[4]


def test_a_fidelity_gives_the_smallest_cut_that_has_it(found):
    cut = found.within(fidelity=0.98)
    at = next(i for i, other in enumerate(found.cuts) if other is cut)

    assert found.frame["fidelity_low"].iloc[at] >= 0.98
    assert (found.frame["fidelity_low"].iloc[at + 1 :] < 0.98).all()


def test_a_budget_that_nothing_fits_is_refused_with_what_there_is(found):
    with pytest.raises(OverPruned, match=r"none of 13 cuts fits bytes 10, fidelity 0\.99"):
        found.within(bytes=10, fidelity=0.99)
    with pytest.raises(BadParameter, match="bytes is 0"):
        found.within(bytes=0)
    with pytest.raises(BadParameter, match="go together"):
        front("iforest", X, labels=LABELS)


@pytest.mark.parametrize("name", ["lof", "ocsvm"])
def test_every_kind_of_detector_has_a_front(name):
    frame = front(name, X, random_state=0).frame

    assert len(frame) >= 4
    assert frame["best"].any()
    assert frame["quality"].isna().all()


def test_the_front_is_drawn(found):
    from matplotlib.figure import Figure

    ax = plot.front(found, Figure().add_subplot())

    assert (ax.get_xscale(), ax.get_ylabel()) == ("log", "fidelity")
    assert len(ax.collections[0].get_offsets()) == len(found.frame)


# -- columns ----------------------------------------------------------------------------------------------------------------

DEPENDS = RNG.normal(size=(800, 4)) * [4.0, 1.0, 0.05, 0.0]


@pytest.mark.parametrize("name", ["ocsvm", "lof"])
def test_the_score_rests_on_the_columns_that_spread(name):
    effects = feature_effects(name, DEPENDS, refit=True)

    assert set(np.argsort(-effects.shuffled)[:2]) == {0, 1}
    assert effects.shuffled[:2].min() > 3 * effects.shuffled[2]
    assert effects.dropped[:2].min() > 0.2 > 0.05 > effects.dropped[2]
    assert effects.shuffled[3] == 0.0
    assert abs(effects.dropped[3]) < 1e-3
    assert set(effects.to_frame().index[:2]) == {"x0", "x1"}
    assert str(effects).startswith("the score rests on x")


def test_columns_that_no_node_compares_have_no_effect_and_are_not_shuffled():
    assert feature_effects("iforest", DEPENDS).shuffled[3] == 0.0


def test_columns_are_dropped_from_the_idlest_on_down_to_the_budget():
    gone = eliminate("ocsvm", DEPENDS, 2)

    assert [name for name, _ in gone.steps] == ["x3", "x2"]
    assert gone.kept == ("x0", "x1")
    assert gone.steps[-1][1] > 0.99
    assert "2 of 4 columns stay" in str(gone)


def test_a_guard_stops_the_dropping():
    gone = eliminate("ocsvm", DEPENDS, 1, guard=Guard(fidelity=0.99))

    assert gone.kept == ("x0", "x1")


def test_a_budget_above_the_columns_is_refused():
    with pytest.raises(BadParameter, match="X has 4 columns"):
        eliminate("ocsvm", DEPENDS, 5)
