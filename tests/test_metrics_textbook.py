"""The fast metrics against `tests/reference/metrics.py`, and against their own symmetries, on small random cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import metrics as textbook

from tsprune import metrics as m
from tsprune.kernels import affiliation, buffers, volume
from tsprune.kernels.nab import PROFILES

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
FEW = settings(max_examples=40, deadline=None)

#: Runs of normal and anomalous rows in turn: events of every length, gaps of every width, events at the edges.
masks = st.lists(st.integers(1, 7), min_size=1, max_size=12).flatmap(
    lambda lengths: st.booleans().map(lambda first: np.repeat([(k % 2 == 0) == first for k in range(len(lengths))], lengths))
)
#: Scores with ties, holes and infinite values.
values = st.one_of(st.integers(-3, 3).map(float), st.floats(-2, 2).map(lambda v: round(v, 3)), st.sampled_from([np.nan, np.inf, -np.inf]))
tame = st.one_of(st.integers(-3, 3).map(float), st.floats(-2, 2).map(lambda v: round(v, 3)), st.just(np.nan))


@st.composite
def judged(draw, second):
    """Labels, and scores or predictions of the same length."""
    labels = draw(masks)
    return labels, np.array(draw(st.lists(second, min_size=len(labels), max_size=len(labels))))


scored = judged(values)
alarmed = judged(st.booleans())


def agree(found, expected):
    np.testing.assert_allclose(np.array(found, float), np.array(expected, float), **CLOSE)


@FEW
@given(case=scored)
def test_metrics_of_single_rows_are_the_textbook_s(case):
    y, s = case
    agree(m.average_precision(y, s), textbook.average_precision(y, s))
    agree(m.roc_auc(y, s), textbook.roc_auc(y, s))
    agree(m.best_f1(y, s), textbook.best_f1(y, s))


@FEW
@given(case=scored, buffer=st.integers(0, 14), thresholds=st.sampled_from([None, 1, 2, 7, 250]))
def test_volumes_are_the_textbook_s(case, buffer, thresholds):
    y, s = case
    found = [volume_of(y, s, buffer=buffer, thresholds=thresholds) for volume_of in (m.vus_roc, m.vus_pr)]

    agree(found, textbook.vus(y, s, buffer, thresholds))


@FEW
@given(case=scored, buffer=st.integers(0, 30), thresholds=st.sampled_from([None, 9]))
def test_slices_of_the_surface_are_the_textbook_s(case, buffer, thresholds):
    y, s = case
    found = [area(y, s, buffer=buffer, thresholds=thresholds) for area in (m.range_auc_roc, m.range_auc_pr)]

    agree(found, (np.nan, np.nan) if y.all() or not y.any() else textbook.range_auc(y, s, buffer, thresholds))


@FEW
@given(case=alarmed)
def test_affiliation_is_the_textbook_s(case):
    y, p = case
    precision, recall = textbook.affiliation(y, p)

    agree(m.affiliation(y, p), (precision, recall, textbook.harmonic(precision, recall)))


@FEW
@given(case=scored, thresholds=st.integers(1, 12))
def test_affiliation_at_its_best_is_the_textbook_s(case, thresholds):
    y, s = case

    agree(m.affiliation_best_f1(y, s, thresholds=thresholds), textbook.affiliation_best_f1(y, s, thresholds))


@FEW
@given(
    case=alarmed,
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
    bias=st.sampled_from(["flat", "front", "middle", "back"]),
    cardinality=st.sampled_from(["reciprocal", "one"]),
)
def test_range_precision_and_recall_are_the_textbook_s(case, alpha, bias, cardinality):
    y, p = case
    found = m.range_precision_recall(y, p, alpha=alpha, bias=bias, cardinality=cardinality)

    agree(found, textbook.range_precision_recall(y, p, alpha, bias, cardinality))


@FEW
@given(case=alarmed)
def test_metrics_of_events_are_the_textbook_s(case):
    y, p = case
    agree(m.event_f1(y, p), textbook.event_f1(y, p))
    agree(m.point_adjusted_f1(y, p), textbook.point_adjusted_f1(y, p))
    agree(m.detection_delay(y, p), textbook.detection_delay(y, p))
    agree(m.false_alarms_per_week(y, p, step=77), textbook.false_alarms_per_week(y, p, 77))


@FEW
@given(case=alarmed, profile=st.sampled_from(sorted(PROFILES)))
def test_the_nab_score_is_the_textbook_s(case, profile):
    y, p = case

    agree(m.nab_score(y, p, profile=profile), textbook.nab_score(y, p, PROFILES[profile]))


@FEW
@given(case=judged(tame), early=st.integers(0, 6), delay=st.integers(0, 6))
def test_pate_is_the_textbook_s(case, early, delay):
    y, s = case
    percentiles = np.linspace(100, 0, 250)

    agree(m.pate(y, s, early=early, delay=delay), textbook.pate(y, s, early, delay, lambda found: np.percentile(found, percentiles)))


@FEW
@given(case=scored, train_len=st.integers(0, 8), tolerance=st.integers(0, 4))
def test_the_ucr_rule_is_the_textbook_s(case, train_len, tolerance):
    y, s = case

    agree(m.ucr_hit(y, s, train_len=train_len, tolerance=tolerance), textbook.ucr_hit(y, s, train_len, tolerance))


@FEW
@given(case=scored, buffer=st.integers(0, 9))
def test_only_the_order_of_scores_counts(case, buffer):
    y, s = case
    stretched = np.arctan(s) ** 3
    for metric in (m.average_precision, m.roc_auc, m.best_f1):
        agree(metric(y, stretched), metric(y, s))
    agree(m.vus_pr(y, stretched, buffer=buffer), m.vus_pr(y, s, buffer=buffer))


@FEW
@given(case=scored, buffer=st.integers(0, 9))
def test_buffers_and_zones_know_no_direction_of_time(case, buffer):
    y, s = case
    agree(m.vus_pr(y[::-1], s[::-1], buffer=buffer), m.vus_pr(y, s, buffer=buffer))
    agree(m.vus_roc(y[::-1], s[::-1], buffer=buffer), m.vus_roc(y, s, buffer=buffer))
    agree(m.affiliation_best_f1(y[::-1], s[::-1], thresholds=5), m.affiliation_best_f1(y, s, thresholds=5))


@FEW
@given(case=scored)
def test_every_metric_of_a_score_stays_between_0_and_1(case):
    y, s = case
    for name, value in m.evaluate_all(y, s).items():
        if name not in ("nab_score", "detection_delay", "false_alarms_per_week"):
            assert np.isnan(value) or -1e-12 <= value <= 1 + 1e-12, name


def series(n, n_events, longest, seed):
    """Labels and scores with events that lie near each other, so that buffers meet."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(n, bool)
    for start in rng.integers(0, n - longest, n_events):
        labels[start : start + rng.integers(1, longest)] = True
    return labels, np.round(rng.random(n) + 0.5 * labels, 2)


@pytest.mark.parametrize("block", [2, 7, 64])
def test_blocks_change_nothing(monkeypatch, block):
    """Windows, thresholds and rows are taken in blocks; the result does not know."""
    y, s = series(600, 20, 12, seed=3)
    whole = m.evaluate_all(y, s, buffer=25), m.vus_pr(y, s, buffer=25, thresholds=None), m.vus_roc(y, s, buffer=25, thresholds=None)
    for module, name in ((volume, "BLOCK"), (volume, "N_STEPS"), (volume, "TABLE"), (buffers, "BLOCK"), (affiliation, "BLOCK")):
        monkeypatch.setattr(module, name, block)
    parts = m.evaluate_all(y, s, buffer=25), m.vus_pr(y, s, buffer=25, thresholds=None), m.vus_roc(y, s, buffer=25, thresholds=None)

    agree(list(parts[0].values()), list(whole[0].values()))
    agree(parts[1:], whole[1:])


@pytest.mark.parametrize("seed", range(4))
def test_a_longer_series_still_agrees_with_the_textbook(seed):
    """Long enough for many thresholds, long gaps and zones of many rows; one case has an event on every other row."""
    y, s = series(300, 3 + 6 * seed, 9, seed)
    if seed == 3:
        y = np.arange(300) % 2 == 0
    agree([m.vus_roc(y, s, buffer=13), m.vus_pr(y, s, buffer=13)], textbook.vus(y, s, 13, 250))
    agree(m.affiliation_best_f1(y, s, thresholds=20), textbook.affiliation_best_f1(y, s, 20))


def test_every_score_is_a_threshold_also_far_from_the_events():
    """Rows far from events are thresholds too: where an event has unscored rows, recall stands still on the way to (1, 1)."""
    y, s = series(80, 1, 6, seed=1)
    s[np.flatnonzero(y)[0]] = np.nan

    agree([m.vus_roc(y, s, buffer=4, thresholds=None), m.vus_pr(y, s, buffer=4, thresholds=None)], textbook.vus(y, s, 4, None))


def test_positions_far_out_cost_no_precision():
    """A zone of a million rows: integrals of distances must not cancel."""
    n, first = 1_000_000, 700_000
    y, p = np.zeros(n, bool), np.zeros(n, bool)
    y[first : first + 10] = True
    p[[3, first + 4]] = True

    precision, recall = textbook.affiliation(y.tolist(), p.tolist())
    np.testing.assert_allclose(m.affiliation(y, p)[:2], (precision, recall), rtol=1e-10)
