"""Agreement with the reference implementations of the literature: stored label and score arrays, and what they say of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from shared_files import shared

from tsprune import metrics as m

TOLERANCE = 1e-9


def volume(metric, buffer, thresholds=250):
    return lambda y, s, p, case: metric(y, s, buffer=buffer, thresholds=thresholds)


def ranges(part, **definition):
    return lambda y, s, p, case: getattr(m.range_precision_recall(y, p, **definition), part)


def nab(profile, normalised):
    return lambda y, s, p, case: m.nab_score(y, p, profile=profile, normalised=normalised)


def best_on_grid(metric):
    """The largest value over 100 evenly spaced thresholds."""
    return lambda y, s, p, case: max(metric(y, s > threshold) for threshold in np.linspace(s.min(), s.max(), 100))


def longest(y):
    return max((len(run) for run in "".join(map(str, y)).split("0")), default=0)


#: Key of the golden values -> what gives it here, from labels, scores, predictions and the record of the case.
OURS = {
    "average_precision": lambda y, s, p, case: m.average_precision(y, s),
    "roc_auc": lambda y, s, p, case: m.roc_auc(y, s),
    "best_f1": lambda y, s, p, case: m.best_f1(y, s),
    "range_auc_pr_w20": volume(m.range_auc_pr, 20),
    "range_auc_roc_w20": volume(m.range_auc_roc, 20),
    "vus_pr_w10_all": volume(m.vus_pr, 10, None),
    "vus_roc_w10_all": volume(m.vus_roc, 10, None),
    **{f"vus_pr_w{buffer}": volume(m.vus_pr, buffer) for buffer in (0, 10, 100)},
    **{f"vus_roc_w{buffer}": volume(m.vus_roc, buffer) for buffer in (0, 10, 100)},
    "affiliation_precision": lambda y, s, p, case: m.affiliation(y, p).precision,
    "affiliation_recall": lambda y, s, p, case: m.affiliation(y, p).recall,
    "affiliation_f1": lambda y, s, p, case: m.affiliation(y, p).f1,
    "affiliation_best_f1": lambda y, s, p, case: m.affiliation_best_f1(y, s),
    "event_f1": lambda y, s, p, case: m.event_f1(y, p),
    "event_best_f1": best_on_grid(m.event_f1),
    "pa_f1": lambda y, s, p, case: m.point_adjusted_f1(y, p),
    "pa_best_f1": best_on_grid(m.point_adjusted_f1),
    "range_precision": ranges("precision"),
    "range_precision_tsbad": ranges("precision"),
    "range_recall_a0_tsbad": ranges("recall"),
    "range_f1_tsbad": ranges("f1", alpha=0.2),
    "range_precision_one": ranges("precision", cardinality="one"),
    **{f"range_recall_a0_{bias}": ranges("recall", bias=bias) for bias in ("front", "middle", "back")},
    **{f"range_recall_{a}": ranges("recall", alpha=alpha) for a, alpha in (("a0", 0), ("a05", 0.5), ("a1", 1))},
    **{f"range_f1_{a}": ranges("f1", alpha=alpha) for a, alpha in (("a0", 0), ("a05", 0.5), ("a1", 1))},
    **{
        f"range_{part}_{a}_one": ranges(part, alpha=alpha, cardinality="one")
        for part in ("recall", "f1")
        for a, alpha in (("a0", 0), ("a05", 0.5), ("a1", 1))
    },
    **{f"nab_{profile}": nab(profile, False) for profile in ("standard", "low_fp", "low_fn")},
    **{f"nab_{profile}_normalised": nab(profile, True) for profile in ("standard", "low_fp", "low_fn")},
    "pate_b20": lambda y, s, p, case: m.pate(y, s, early=20, delay=20),
    "ucr_hit_100": lambda y, s, p, case: m.ucr_hit(y, s, train_len=case["train_len"]),
    "ucr_hit_max_len_100": lambda y, s, p, case: m.ucr_hit(y, s, train_len=case["train_len"], tolerance=max(100, longest(y))),
}

#: Keys that no function here claims to give, and why.
NOT_OURS = {
    "precision": "point-wise, scikit-learn's",
    "recall": "point-wise, scikit-learn's",
    "f1": "point-wise, scikit-learn's",
    "best_f1_tsbad": "a slip: 1e-5 in the denominator",
    "pa_f1_tsbad": "a slip: sample 0 is never adjusted",
    "pa_best_f1_tsbad": "a slip: sample 0 is never adjusted",
    "event_f1_tsbad": "a slip: an event at the right end loses its last sample",
    "event_best_f1_tsbad": "a slip: an event at the right end loses its last sample",
    "range_auc_pr_w20_vus006": "another definition of the same name",
    "range_auc_roc_w20_vus006": "another definition of the same name",
    "event_far_precision": "another event-wise F1",
    "event_far_recall": "another event-wise F1",
    "event_far_f1": "another event-wise F1",
    "range_best_f1_tsbad": "over a grid that no function here has",
    "pate_f1_b20": "PATE of predictions",
    "nab_standard_best": "over thresholds that no function here has",
    "ucr_location": "the row, not the verdict",
}

#: Where the references stop or say NaN, and a finite answer is natural; the docstrings say which.
NATURAL = {
    "constant_score": ("range_recall", "range_f1"),  # nothing predicted: 0
    "constant_score_edges": ("range_recall", "range_f1"),
    "all_anomalous": ("range_recall_a0_tsbad", "range_f1_tsbad", "range_precision_tsbad"),  # a slip of TSB-AD, prts has a value
}

#: Without an event every metric of events is NaN here; TSB-AD says 0, prts stops (`range_precision`).
NAN_BY_CONTRACT = ("no_events", "range_precision_tsbad")


@pytest.fixture(scope="module")
def cases():
    """Name -> labels, scores, predictions and record of each case."""
    record = json.loads(shared("golden/metrics_golden.json").read_text())
    with np.load(shared("golden/metrics_cases.npz")) as arrays:
        found = {case["name"]: (arrays[f"{case['name']}__label"], arrays[f"{case['name']}__score"], case) for case in record["cases"]}
    return {name: (y, s, s > case["threshold"], case) for name, (y, s, case) in found.items()}


@pytest.mark.parametrize("key", OURS)
def test_every_golden_value_is_met(cases, key):
    """Within 1e-9 of the reference; NaN where the reference has no value, or the documented natural one."""
    wrong, compared = [], 0
    for name, (y, s, p, case) in cases.items():
        if key not in case["values"] or (name, key) == NAN_BY_CONTRACT:
            continue
        value, wanted = OURS[key](y, s, p, case), case["values"][key]
        natural = wanted is None and key.startswith(NATURAL.get(name, ("-",)))
        if wanted is None:
            fits = not math.isnan(value) if natural else math.isnan(value)
        else:
            fits = abs(value - wanted) <= TOLERANCE * max(1.0, abs(wanted))
        compared += 1
        if not fits:
            wrong.append((name, value, wanted))
    assert wrong == []
    assert compared > 0


def test_every_golden_key_is_met_or_left_out_for_a_reason(cases):
    keys = {key for *_, case in cases.values() for key in case["values"]}

    assert keys == set(OURS) | set(NOT_OURS)


@pytest.mark.parametrize("name", ["constant_score", "constant_score_edges"])
def test_range_recall_and_f1_are_0_where_nothing_is_predicted(cases, name):
    y, _, p, _ = cases[name]
    graded = m.range_precision_recall(y, p)

    assert not p.any()
    assert math.isnan(graded.precision)
    assert (graded.recall, graded.f1) == (0.0, 0.0)


def test_evaluate_all_gives_what_the_single_metrics_give(cases):
    for y, s, p, case in cases.values():
        if case["n"] <= 1000:
            together = m.evaluate_all(y, s, predictions=p, buffer=10, train_len=case["train_len"])
            for name, key in (
                ("vus_pr", "vus_pr_w10"),
                ("auc_pr", "average_precision"),
                ("pate", "pate_b20"),
                ("nab_score", "nab_standard"),
            ):
                if case["values"].get(key) is not None:
                    assert together[name] == pytest.approx(case["values"][key], abs=TOLERANCE), (case["name"], name)
