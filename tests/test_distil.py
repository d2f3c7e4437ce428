"""Detectors without a form of ours teach small models of ours, which are refused where they are no faithful students."""

from __future__ import annotations

import numpy as np
import pytest
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from sklearn.linear_model import LinearRegression

import tsprune as tsp
from tsprune.detect import to_part
from tsprune.errors import NotPrunable, OverPruned
from tsprune.kernels.agreement import spearman
from tsprune.model.forest import Forest
from tsprune.prune.distil import Lesson, boosted, few_bumps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1200, 3)) @ RNG.normal(size=(3, 3))
NEW = RNG.normal(size=(400, 3)) @ RNG.normal(size=(3, 3))


class Cone:
    """A detector whose score is the distance from the middle."""

    def anomaly_score(self, rows):
        return np.linalg.norm(rows, axis=1)


def test_boosted_trees_keep_order_and_scale_of_the_scores():
    forest = boosted(Lesson.of(Cone(), X, 0), 100, 16, 0)
    forest.check()
    wanted, found = Cone().anomaly_score(X), forest.anomaly_score(X)

    assert spearman(wanted, found) > 0.98
    slope = LinearRegression().fit(wanted[:, None], found)
    assert 0.9 < slope.coef_[0] < 1.1
    assert abs(slope.intercept_) < 0.1 * wanted.std()


def test_a_boosted_student_is_read_back_to_the_bit():
    forest = boosted(Lesson.of(Cone(), X, 0), 20, 8, 0)
    spec = forest.to_spec()

    np.testing.assert_array_equal(Forest.from_spec(spec.facts, spec.arrays).anomaly_score(X), forest.anomaly_score(X))


def test_few_bumps_follow_a_smooth_score():
    assert spearman(Cone().anomaly_score(X), few_bumps(Lesson.of(Cone(), X, 0), 16, 0).anomaly_score(X)) > 0.99


def test_a_faithful_student_takes_the_place_of_its_teacher_and_can_be_saved(tmp_path):
    pipeline = tsp.Pipeline([tsp.Pruned(HBOS(), guard=tsp.Guard(fidelity=0.9), random_state=0)]).fit(X)

    pipeline.freeze().save(tmp_path / "student.tsp")
    teacher = HBOS().fit(X)
    assert spearman(teacher.decision_function(X), tsp.load(tmp_path / "student.tsp").anomaly_score(X)) > 0.9
    assert "has learned the scores" in pipeline.named_stages_["pruned"].story_


def test_an_unfaithful_student_is_refused_and_the_teacher_stays(monkeypatch):
    monkeypatch.setattr("tsprune.prune.distil.TREES", ((20, 8),))
    pruned = tsp.Pruned(ECOD(), guard=tsp.Guard(fidelity=0.9999), random_state=0).fit(X[:400])

    np.testing.assert_allclose(pruned.anomaly_score(NEW[:5]), to_part(pruned.detector_).anomaly_score(NEW[:5]))
    assert "no student" in pruned.refused_
    with pytest.raises(NotPrunable):
        pruned.freeze().to_spec()
    with pytest.raises(OverPruned, match="no student"):
        tsp.Pruned(ECOD(), guard=tsp.Guard(fidelity=0.9999, on_fail="raise"), random_state=0).fit(X[:400])


def test_a_teacher_without_finite_scores_has_nothing_to_teach():
    class Broken:
        def anomaly_score(self, rows):
            return np.full(len(rows), np.nan)

    with pytest.raises(NotPrunable, match="no training row a finite score"):
        Lesson.of(Broken(), X)
