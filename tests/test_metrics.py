"""What the metrics promise: edge cases, refusals, sharing, chance; golden values and textbooks are tested beside this file."""

from __future__ import annotations

import datetime
import inspect
import math

import numpy as np
import pandas as pd
import pytest

from tsprune import metrics as m
from tsprune.errors import BadParameter

#: Every metric of scores, and of predictions, with the parameters that have no default.
OF_SCORES = {
    "vus_pr": {"buffer": 4},
    "vus_roc": {"buffer": 4},
    "range_auc_pr": {"buffer": 4},
    "range_auc_roc": {"buffer": 4},
    "average_precision": {},
    "roc_auc": {},
    "best_f1": {},
    "affiliation_best_f1": {},
    "pate": {},
    "ucr_hit": {"train_len": 0},
}
OF_PREDICTIONS = {
    "affiliation": {},
    "range_precision_recall": {},
    "event_f1": {},
    "point_adjusted_f1": {},
    "nab_score": {},
    "detection_delay": {},
    "false_alarms_per_week": {"step": 60},
}
ALL = {**OF_SCORES, **OF_PREDICTIONS}
#: Metrics that an event of every row leaves without a meaning.
NEED_NORMAL_ROWS = {"vus_pr", "vus_roc", "range_auc_pr", "range_auc_roc", "roc_auc", "pate"}

LABELS = np.zeros(60, np.int8)
LABELS[10:15] = LABELS[30:33] = LABELS[57:60] = 1
SCORES = np.random.default_rng(5).normal(size=60) + LABELS
ALARMS = (SCORES > 1.2).astype(int)


def call(name, labels, scores, **changes):
    """A metric by name, as a tuple of numbers."""
    found = getattr(m, name)(labels, scores, **ALL[name] | changes)
    return found if isinstance(found, tuple) else (found,)


def second(name):
    """Scores or predictions, as the metric takes them."""
    return SCORES if name in OF_SCORES else ALARMS


def test_the_lists_here_hold_every_public_metric():
    others = {"PrecisionRecall", "chance", "default_buffer", "evaluate_all"}

    assert set(m.__all__) == set(ALL) | others
    assert m.__all__ == sorted(m.__all__, key=lambda name: (name.islower(), name))


@pytest.mark.parametrize("name", ALL)
def test_a_metric_is_a_plain_float(name):
    assert all(type(value) is float for value in call(name, LABELS, second(name)))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32, object])
@pytest.mark.parametrize("name", ALL)
def test_labels_of_every_kind_mean_the_same(name, kind):
    np.testing.assert_equal(call(name, LABELS.astype(kind), second(name)), call(name, LABELS, second(name)))


@pytest.mark.parametrize("name", ALL)
def test_lists_and_pandas_series_mean_the_same(name):
    index = pd.date_range("2026-01-01", periods=60, freq="h")
    expected = call(name, LABELS, second(name))

    np.testing.assert_equal(call(name, LABELS.tolist(), second(name).tolist()), expected)
    np.testing.assert_equal(call(name, pd.Series(LABELS == 1, index), pd.Series(second(name), index)), expected)
    np.testing.assert_equal(call(name, pd.Series(LABELS == 1, dtype="boolean"), pd.Series(second(name), index)), expected)


@pytest.mark.parametrize("name", ALL)
def test_what_is_given_is_not_changed(name):
    labels, scores = LABELS.copy(), second(name).copy()
    call(name, labels, scores)

    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(scores, second(name))


@pytest.mark.parametrize("n", [0, 1, 60])
@pytest.mark.parametrize("name", sorted(set(ALL) - {"false_alarms_per_week"}))
def test_no_event_is_nan(name, n):
    assert np.isnan(call(name, np.zeros(n), second(name)[:n])).all()


def test_false_alarms_need_no_event_but_need_time():
    assert m.false_alarms_per_week(np.zeros(7, bool), [0, 1, 1, 0, 0, 1, 0], step=86400) == 2.0
    assert math.isnan(m.false_alarms_per_week([], [], step=86400))


@pytest.mark.parametrize("name", ALL)
def test_an_event_of_all_rows_is_nan_where_normal_rows_are_needed_and_a_number_elsewhere(name):
    values = call(name, np.ones(60), second(name))

    assert np.isnan(values).all() == (name in NEED_NORMAL_ROWS)


@pytest.mark.parametrize("name", sorted(set(ALL) - NEED_NORMAL_ROWS - {"false_alarms_per_week", "ucr_hit"}))
def test_one_row_that_is_an_event_and_is_found_is_perfect(name):
    values = call(name, [1], [1], **{"thresholds": 1} if name == "affiliation_best_f1" else {})
    perfect = {"detection_delay": 0.0, "affiliation_best_f1": math.nan}.get(name, 1.0)  # one score: no threshold below it

    np.testing.assert_equal(values, (perfect,) * len(values))


@pytest.mark.parametrize("name", sorted(set(OF_SCORES) - {"ucr_hit"}))
def test_a_row_without_a_score_is_below_all_others_and_never_predicted(name):
    """The same as a score below all others, where being predicted last changes nothing; else lower."""
    holes = SCORES.copy()
    holes[[0, 12, 31, 40, 58]] = np.nan
    lowest = np.where(np.isnan(holes), -np.inf, holes)
    value, bound = call(name, LABELS, holes)[0], call(name, LABELS, lowest)[0]

    assert math.isfinite(value)
    if name in ("roc_auc", "best_f1", "affiliation_best_f1"):
        assert value == pytest.approx(bound, abs=1e-12)
    if name == "average_precision":  # without the last step, to the recall of three more rows at the precision of all rows
        assert value == pytest.approx(bound - 3 / 11 * 11 / 60, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "value"), [("vus_roc", 0.5), ("roc_auc", 0.5), ("vus_pr", 0.0), ("average_precision", 0.0), ("best_f1", 0.0)]
)
def test_nothing_scored_is_chance_for_roc_and_nothing_found_for_precision(name, value):
    assert call(name, LABELS, np.full(60, np.nan)) == (value,)


def test_nothing_scored_elsewhere():
    unscored = np.full(60, np.nan)

    assert m.pate(LABELS, unscored) == 0.0
    assert math.isnan(m.affiliation_best_f1(LABELS, unscored))
    assert m.ucr_hit(np.arange(60) == 3, unscored, train_len=0) == 0.0


@pytest.mark.parametrize("name", ["vus_pr", "vus_roc", "range_auc_pr", "range_auc_roc", "average_precision", "roc_auc", "best_f1"])
def test_infinite_scores_rank_as_the_largest_and_the_smallest(name):
    infinite, finite = SCORES.copy(), SCORES.copy()
    infinite[[11, 20]], finite[[11, 20]] = np.inf, 99.0
    infinite[[12, 21]], finite[[12, 21]] = -np.inf, -99.0

    assert call(name, LABELS, infinite) == call(name, LABELS, finite)


def test_infinite_scores_do_not_stretch_the_thresholds_of_affiliation():
    infinite = SCORES.copy()
    infinite[11] = np.inf
    capped = np.where(np.arange(60) == 11, SCORES.max(), SCORES)
    best = m.affiliation_best_f1(LABELS, infinite)

    assert best >= m.affiliation_best_f1(LABELS, capped) - 1e-12
    assert m.affiliation_best_f1(LABELS, np.where(LABELS == 1, np.inf, -np.inf)) == pytest.approx(1.0, abs=1e-12)
    assert math.isfinite(m.affiliation_best_f1(LABELS, np.where(LABELS == 1, 1.7e308, -1.7e308)))


def test_infinite_scores_have_a_pate():
    assert m.pate(LABELS, np.where(LABELS == 1, np.inf, -np.inf)) == m.pate(LABELS, LABELS)
    assert 0.0 <= m.pate(LABELS, np.where(SCORES > 1.5, np.inf, SCORES)) <= 1.0


@pytest.mark.parametrize("name", ALL)
def test_different_lengths_are_refused(name):
    with pytest.raises(BadParameter, match=r"labels has 60, .* has 59"):
        call(name, LABELS, second(name)[:59])


@pytest.mark.parametrize("name", ALL)
def test_a_label_other_than_0_and_1_is_refused_with_its_row_and_the_way_out(name):
    with pytest.raises(BadParameter, match=r"labels is -1 at row 0; .* give labels == -1"):
        call(name, np.where(LABELS == 1, 1, -1), second(name))


@pytest.mark.parametrize("name", OF_PREDICTIONS)
def test_scores_are_no_predictions(name):
    with pytest.raises(BadParameter, match=r"predictions is .* at row 0"):
        call(name, LABELS, SCORES)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.where(LABELS == 1, np.nan, 0.0), "labels is nan at row 10"),
        (LABELS[:, None], r"shape \(60, 1\)"),
        (np.array("1"), r"shape \(\)"),
        (LABELS.astype(str), "dtype <U4"),
        (np.array(["no"] * 60, object), "no numbers"),
        (np.where(LABELS == 1, pd.NA, 0), "no numbers"),
        (LABELS.astype("datetime64[s]"), "dtype datetime64"),
        (LABELS * 1j, "dtype complex"),
    ],
)
def test_what_is_no_label_is_refused(labels, told):
    with pytest.raises(BadParameter, match=told):
        m.average_precision(labels, SCORES)


@pytest.mark.parametrize("scores", [SCORES[:, None], SCORES.astype(str), np.array([None] * 59 + ["x"], object)])
def test_what_is_no_score_is_refused(scores):
    with pytest.raises(BadParameter, match="scores"):
        m.average_precision(LABELS, scores)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("vus_pr", {"buffer": -1}),
        ("vus_roc", {"buffer": 2.0}),
        ("range_auc_pr", {"buffer": True}),
        ("range_auc_roc", {"thresholds": 0}),
        ("affiliation_best_f1", {"thresholds": None}),
        ("pate", {"early": -1}),
        ("pate", {"delay": 0.5}),
        ("ucr_hit", {"train_len": -1}),
        ("ucr_hit", {"tolerance": -1}),
        ("range_precision_recall", {"alpha": 1.1}),
        ("range_precision_recall", {"bias": "early"}),
        ("range_precision_recall", {"cardinality": "udf"}),
        ("nab_score", {"profile": "reward_low_fn"}),
        ("false_alarms_per_week", {"step": 0}),
        ("false_alarms_per_week", {"step": "5min"}),
        ("false_alarms_per_week", {"step": np.timedelta64(1, "M")}),
        ("false_alarms_per_week", {"step": pd.Timedelta("NaT")}),
        ("false_alarms_per_week", {"step": np.timedelta64("NaT")}),
    ],
)
def test_a_parameter_outside_its_range_is_refused_by_name(name, wrong):
    with pytest.raises(BadParameter, match=rf"\b{next(iter(wrong))} is "):
        call(name, LABELS, second(name), **wrong)


def test_a_parameter_is_checked_where_there_is_no_event_too():
    for name, wrong in (("vus_pr", {"thresholds": 0}), ("affiliation_best_f1", {"thresholds": 0}), ("pate", {"early": -1})):
        with pytest.raises(BadParameter, match=next(iter(wrong))):
            call(name, np.zeros(60), SCORES, **wrong)


@pytest.mark.parametrize("name", ALL)
def test_definitions_are_given_by_name(name):
    kinds = [parameter.kind for parameter in inspect.signature(getattr(m, name)).parameters.values()]

    assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert set(kinds[2:]) <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("step", [3600, 3600.0, np.timedelta64(1, "h"), datetime.timedelta(hours=1), pd.Timedelta("1h"), np.int64(3600)])
def test_a_step_is_any_duration(step):
    alarms = np.zeros(7 * 24, bool)
    alarms[[3, 4, 90]] = True

    assert m.false_alarms_per_week(np.zeros(7 * 24), alarms, step=step) == 2.0


def test_a_run_that_touches_an_event_is_no_false_alarm():
    labels, alarms = np.zeros(100, bool), np.zeros(100, bool)
    labels[50:60] = True
    alarms[40:51] = alarms[70:75] = alarms[0] = alarms[99] = True

    assert m.false_alarms_per_week(labels, alarms, step=7 * 86400 / 100) == 3.0


def test_the_ucr_rule_knows_one_event_only():
    assert math.isnan(m.ucr_hit(LABELS, SCORES, train_len=0))


def test_the_ucr_rule_passes_over_rows_without_a_score():
    scores = np.arange(400.0)
    scores[300:] = np.nan

    assert m.ucr_hit(np.arange(400) == 299, scores, train_len=0, tolerance=0) == 1.0


def test_the_ucr_rule_looks_at_the_first_largest_score_after_the_training_rows():
    labels, scores = np.arange(400) == 250, np.zeros(400)
    scores[[10, 120, 300]] = [9.0, 5.0, 5.0]

    assert m.ucr_hit(labels, scores, train_len=0) == 0.0
    assert m.ucr_hit(labels, scores, train_len=11) == 0.0  # row 120 is 130 rows away
    assert m.ucr_hit(labels, scores, train_len=11, tolerance=130) == 1.0
    assert m.ucr_hit(labels, scores, train_len=121) == 1.0
    assert m.ucr_hit(labels, scores, train_len=400) == 0.0


def test_a_perfect_binary_score_has_volume_1():
    assert m.vus_pr(LABELS, LABELS, buffer=12) == pytest.approx(1.0, abs=1e-12)
    assert m.vus_roc(LABELS, LABELS, buffer=12) == pytest.approx(1.0, abs=1e-12)


def test_buffer_0_is_not_average_precision():
    """The share of events with a prediction multiplies recall at every buffer."""
    assert m.vus_pr(LABELS, SCORES, buffer=0, thresholds=None) < m.average_precision(LABELS, SCORES)


def test_a_slice_of_the_surface_is_the_difference_of_two_volumes():
    for slice_, volume in ((m.range_auc_pr, m.vus_pr), (m.range_auc_roc, m.vus_roc)):
        difference = 9 * volume(LABELS, SCORES, buffer=8) - 8 * volume(LABELS, SCORES, buffer=7)

        assert slice_(LABELS, SCORES, buffer=8) == pytest.approx(difference, abs=1e-12)


def test_a_buffer_may_be_wider_than_the_series():
    assert 0.9 < m.vus_roc(LABELS, SCORES, buffer=500) <= 1.0


def test_evaluate_all_is_the_single_metrics_by_name():
    together = m.evaluate_all(LABELS, SCORES, predictions=ALARMS, buffer=6, step=60, train_len=5)
    single = {name: call(name, LABELS, second(name), **{"buffer": 6} if "buffer" in ALL[name] else {}) for name in ALL}
    single["auc_pr"] = single.pop("average_precision")
    for name in ("affiliation", "range_precision_recall"):
        for part, value in zip(m.PrecisionRecall._fields, single.pop(name), strict=True):
            single[f"{name.removesuffix('_precision_recall')}_{part}"] = (value,)

    assert set(together) == set(single)
    for name, value in together.items():
        np.testing.assert_allclose(value, single[name][0], rtol=1e-12, err_msg=name)


def test_evaluate_all_gives_only_what_is_asked_for_in_that_order():
    assert list(m.evaluate_all(LABELS, SCORES, metrics=("roc_auc", "auc_pr"))) == ["roc_auc", "auc_pr"]
    assert list(m.evaluate_all(LABELS, SCORES, metrics="pate")) == ["pate"]
    with pytest.raises(BadParameter, match=r"metrics holds 'auc'; it holds names of vus_pr, .*roc_auc"):
        m.evaluate_all(LABELS, SCORES, metrics=["auc"])


def test_evaluate_all_sorts_the_scores_once(monkeypatch):
    sorted_lengths = []
    sort = np.sort
    monkeypatch.setattr(np, "sort", lambda values, **rest: sorted_lengths.append(len(values)) or sort(values, **rest))
    m.evaluate_all(LABELS, SCORES, metrics=("vus_pr", "vus_roc", "range_auc_pr", "auc_pr", "roc_auc", "best_f1"))

    assert sorted_lengths.count(60) == 1


def test_without_alarms_evaluate_all_judges_the_threshold_of_the_best_f1():
    best = m.evaluate_all(LABELS, SCORES, metrics=["best_f1"])["best_f1"]
    thresholds = [t for t in SCORES if m.best_f1(LABELS, t <= SCORES) == pytest.approx(best)]
    alarms = max(thresholds) <= SCORES
    names = ["event_f1", "affiliation_f1", "range_recall", "detection_delay"]

    assert m.evaluate_all(LABELS, SCORES, metrics=names) == m.evaluate_all(LABELS, SCORES, predictions=alarms, metrics=names)


def test_evaluate_all_without_an_event_is_nan_but_for_false_alarms():
    found = m.evaluate_all(np.zeros(60), SCORES, predictions=ALARMS, step=60)

    assert {name for name, value in found.items() if not math.isnan(value)} == {"false_alarms_per_week"}


def test_evaluate_all_without_alarms_or_events_raises_no_alarm():
    assert m.evaluate_all(np.zeros(60), SCORES, step=60)["false_alarms_per_week"] == 0.0


def test_evaluate_all_refuses_alarms_of_another_length():
    with pytest.raises(BadParameter, match="predictions has 59"):
        m.evaluate_all(LABELS, SCORES, predictions=ALARMS[:59])


def test_the_default_buffer_is_the_median_event_length():
    assert m.default_buffer(LABELS) == 3
    assert m.default_buffer(np.zeros(9)) == m.default_buffer([0, 1, 0]) == 1
    by_default = m.evaluate_all(LABELS, SCORES, metrics=["vus_pr"])["vus_pr"]
    assert by_default == m.vus_pr(LABELS, SCORES, buffer=3)


def test_chance_is_what_shuffled_scores_get():
    rng = np.random.default_rng(7)
    expected = np.mean([m.vus_pr(LABELS, SCORES[rng.permutation(60)], buffer=4) for _ in range(3)])

    assert m.chance(m.vus_pr, LABELS, SCORES, n_shuffles=3, random_state=7, buffer=4) == pytest.approx(expected, abs=1e-15)


def test_chance_is_seeded_and_leaves_the_global_seed_alone():
    np.random.seed(1)  # noqa: NPY002 -- the global generator is the subject
    first = m.chance(m.average_precision, LABELS, SCORES)
    after = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002 -- the global generator is the subject

    assert m.chance(m.average_precision, LABELS, SCORES, random_state=0) == first
    assert np.random.random() == after  # noqa: NPY002
    assert m.chance(m.average_precision, LABELS, SCORES, random_state=1) != first


def test_chance_of_all_metrics_shuffles_scores_and_alarms_together():
    """Alarms that are a threshold of the score stay one: an F1 of the alarms never exceeds the best one."""
    found = m.chance(m.evaluate_all, LABELS, SCORES, predictions=ALARMS, metrics=["best_f1", "event_f1"], n_shuffles=1)
    rng = np.random.default_rng(0)
    order = rng.permutation(60)

    assert found == m.evaluate_all(LABELS, SCORES[order], predictions=ALARMS[order], metrics=["best_f1", "event_f1"])


def test_chance_of_precision_and_recall_has_three_numbers():
    found = m.chance(m.affiliation, LABELS, ALARMS)

    assert isinstance(found, m.PrecisionRecall)
    assert all(0.0 < value < 1.0 for value in found)


def test_chance_leaves_out_shuffles_without_a_value():
    alarms = np.zeros(60)
    alarms[10] = 1
    labels = np.arange(60) >= 40

    assert 0.0 <= m.chance(m.detection_delay, labels, alarms, n_shuffles=30) < 20.0
    assert math.isnan(m.chance(m.detection_delay, labels, np.zeros(60)))


def test_chance_refuses_a_parameter_that_the_metric_does_not_have():
    with pytest.raises(TypeError, match="bufer"):
        m.chance(m.vus_pr, LABELS, SCORES, bufer=4)
    with pytest.raises(BadParameter, match="n_shuffles is 0"):
        m.chance(m.average_precision, LABELS, SCORES, n_shuffles=0)


def test_chance_has_a_floor_with_many_events_and_wide_buffers():
    labels = np.arange(2000) % 40 < 7
    score = np.random.default_rng(0).random(2000)

    assert m.chance(m.vus_pr, labels, score, buffer=100, n_shuffles=3) > 0.7
    assert m.chance(m.vus_pr, labels, score, buffer=m.default_buffer(labels), n_shuffles=3) < 0.3
    assert m.chance(m.average_precision, labels, score, n_shuffles=3) < 0.25
