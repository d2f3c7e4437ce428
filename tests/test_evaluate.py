"""The judge of stages: resampled records, verdicts, and effects over many series."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tsprune import BadParameter, StageEffect
from tsprune.evaluate import Judge, Judged, interval, over_groups, stretches, verdict


def effect(gain: float, stage: str = "deseason") -> StageEffect:
    return StageEffect(stage, "vus_pr", 0.4, 0.4 + gain, 0.0, 0.0, 0.1, "helps", "labels", 1.0, 2.0, 300.0)


def test_a_resampled_record_never_cuts_an_event():
    labels = np.zeros(1000, int)
    labels[[0, 1, 2, 497, 498, 499, 500, 501, 999]] = 1
    pieces = stretches(labels)

    assert np.concatenate([np.arange(1000)[piece] for piece in pieces]).tolist() == list(range(1000))
    for piece in pieces[1:]:
        assert labels[piece.start - 1] == 0
        assert labels[piece.start] == 0


def test_both_pipelines_are_judged_on_the_same_draws():
    """A score against itself differs on no draw; a better one on nearly all."""
    rng = np.random.default_rng(0)
    labels = (np.arange(4000) % 400 < 20).astype(int)
    judge = Judge.of(labels, ("auc_pr",), 50, 0, None)
    good = judge.quality(Judged(labels + rng.normal(0, 0.5, 4000), labels == 1))
    same = judge.quality(Judged(labels + np.random.default_rng(0).normal(0, 0.5, 4000), labels == 1))
    poor = judge.quality(Judged(labels + rng.normal(0, 2.0, 4000), labels == 1))

    assert interval("auc_pr", good, same) == (0.0, 0.0)
    assert interval("auc_pr", poor, good)[0] > 0.0


def test_of_a_cost_less_is_better():
    assert verdict("vus_pr", 0.1, 0.2) == "helps"
    assert verdict("detection_delay", 0.1, 0.2) == "hurts"
    assert verdict("detection_delay", -0.2, -0.1) == "helps"
    assert verdict("vus_pr", -0.1, 0.2) == "no evidence"


def test_many_series_of_one_source_count_once():
    """Ten machines of one plant say less than three plants."""
    one = [SimpleNamespace(stages=[effect(0.2 if k < 9 else -0.3)]) for k in range(10)]
    (pooled,) = over_groups([*one, SimpleNamespace(stages=[effect(-0.1)])], ["plant"] * 10 + ["other"])

    assert pooled.effect == pytest.approx((0.15 - 0.1) / 2)
    assert pooled.verdict == "no evidence"
    assert pooled.facts == {"groups": 2.0, "series": 11.0}


def test_one_source_has_no_interval():
    (pooled,) = over_groups([SimpleNamespace(stages=[effect(0.2)])], ["plant"])

    assert np.isnan(pooled.low)
    assert pooled.verdict == "no evidence"


def test_groups_must_fit_the_reports():
    with pytest.raises(BadParameter, match="2 names for 1 reports"):
        over_groups([SimpleNamespace(stages=[effect(0.2)])], ["a", "b"])
