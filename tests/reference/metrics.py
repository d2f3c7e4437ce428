"""The metrics as their definitions say them, row by row: slow, obvious, and written without a look at the fast ones.

Labels, predictions and scores are lists; events are (first, last), both included.  A score that is NaN is never predicted.
"""

from __future__ import annotations

import math
from itertools import pairwise

NAN = float("nan")


def events(mask):
    """Maximal runs of truth, as (first, last)."""
    found, n = [], len(mask)
    for i in range(n):
        if mask[i] and (i == 0 or not mask[i - 1]):
            last = i
            while last + 1 < n and mask[last + 1]:
                last += 1
            found.append((i, last))
    return found


def predicted(scores, threshold):
    """Rows with score >= threshold."""
    return [score >= threshold for score in scores]


def distinct(scores):
    """Distinct scores from the highest to the lowest."""
    return sorted({score for score in scores if not math.isnan(score)}, reverse=True)


def counts(labels, alarms):
    """True positives, false positives, false negatives."""
    pairs = list(zip(labels, alarms, strict=True))
    return sum(1 for y, p in pairs if y and p), sum(1 for y, p in pairs if p and not y), sum(1 for y, p in pairs if y and not p)


def f1(labels, alarms):
    tp, fp, fn = counts(labels, alarms)
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0


def harmonic(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def average_precision(labels, scores):
    """Sum over distinct thresholds of (step of recall) x precision."""
    if not any(labels):
        return NAN
    area, recall = 0.0, 0.0
    for threshold in distinct(scores):
        tp, fp, fn = counts(labels, predicted(scores, threshold))
        area += (tp / (tp + fn) - recall) * tp / (tp + fp)
        recall = tp / (tp + fn)
    return area


def roc_auc(labels, scores):
    """Share of (anomalous, normal) pairs of rows in the right order, ties counted half; NaN ranks below all."""
    rank = [(-1, 0.0) if math.isnan(score) else (0, score) for score in scores]
    positive = [r for r, y in zip(rank, labels, strict=True) if y]
    negative = [r for r, y in zip(rank, labels, strict=True) if not y]
    if not positive or not negative:
        return NAN
    return sum((p > q) + (p == q) / 2 for p in positive for q in negative) / (len(positive) * len(negative))


def best_f1(labels, scores):
    """Largest F1 over distinct thresholds."""
    if not any(labels):
        return NAN
    return max((f1(labels, predicted(scores, threshold)) for threshold in distinct(scores)), default=0.0)


def buffered_labels(labels, window):
    """1 on events, plus sqrt(1 - d / window) at distance d = 1 ... window // 2 of each, cut at 1."""
    weight = [float(bool(y)) for y in labels]
    for first, last in events(labels):
        for d in range(1, window // 2 + 1):
            for i in (first - d, last + d):
                if 0 <= i < len(labels):
                    weight[i] += math.sqrt(1 - d / window)
    return [1.0 if y else min(w, 1.0) for w, y in zip(weight, labels, strict=True)]


def segments(labels, window):
    """Events grown by window // 2 rows on both sides, merged where they touch or overlap."""
    growth, found = window // 2, []
    for first, last in events(labels):
        if found and found[-1][1] >= first - growth:
            found[-1][1] = last + growth
        else:
            found.append([first - growth, last + growth])
    return found


def range_auc(labels, scores, window, n_thresholds):
    """Area under the ROC and the PR curve with labels buffered over one window."""
    n, n_positive = len(labels), sum(map(bool, labels))
    descending = sorted((s for s in scores if not math.isnan(s)), reverse=True)
    if n_thresholds is None:
        grid = distinct(scores)
    else:
        step = (len(descending) - 1) / max(n_thresholds - 1, 1)
        picks = [int(k * step) for k in range(n_thresholds - 1)] + [len(descending) - 1] if n_thresholds > 1 else [0]
        grid = [descending[k] for k in picks] if descending else []
    weight, parts = buffered_labels(labels, window), segments(labels, window)
    roc, pr, curve = 0.0, 0.0, [(0.0, 0.0)]
    for threshold in grid:
        alarms = predicted(scores, threshold)
        tp = sum(w for w, p in zip(weight, alarms, strict=True) if p)
        outside = sum(w for w, p, y in zip(weight, alarms, labels, strict=True) if p and not y)
        positives = n_positive + outside / 2
        touched = sum(1 for a, b in parts if any(alarms[max(a, 0) : b + 1])) / len(parts)
        recall = min(tp / positives, 1.0) * touched
        pr += (recall - curve[-1][1]) * tp / sum(alarms)
        curve.append(((sum(alarms) - tp) / (n - positives), recall))
    for (x0, y0), (x1, y1) in pairwise([*curve, (1.0, 1.0)]):
        roc += (x1 - x0) * (y0 + y1) / 2
    return roc, pr


def vus(labels, scores, buffer, n_thresholds):
    """Volumes under the ROC and the PR surface: the mean area over the windows 0 ... buffer."""
    if not any(labels) or all(labels):
        return NAN, NAN
    slices = [range_auc(labels, scores, window, n_thresholds) for window in range(buffer + 1)]
    return sum(roc for roc, _ in slices) / len(slices), sum(pr for _, pr in slices) / len(slices)


def affiliation(labels, alarms):
    """Precision and recall of Huet et al.; row i is the interval [i, i + 1)."""
    truth = [(a, b + 1) for a, b in events(labels)]
    guesses = [(a, b + 1) for a, b in events(alarms)]
    if not truth:
        return NAN, NAN
    edges = [0.0, *((left[1] + right[0]) / 2 for left, right in pairwise(truth)), float(len(labels))]
    precisions, recalls = [], []
    for event, zone in zip(truth, pairwise(edges), strict=True):
        pieces = [(max(a, zone[0]), min(b, zone[1])) for a, b in guesses if a < zone[1] and b > zone[0]]
        if pieces:
            precisions.append(zone_precision(event, zone, pieces))
        recalls.append(zone_recall(event, zone, pieces) if pieces else 0.0)
    return (sum(precisions) / len(precisions) if precisions else NAN), sum(recalls) / len(recalls)


def zone_precision(event, zone, pieces):
    """Mean over predicted points of the share of the zone that is at least as far from the event."""
    (j0, j1), (e0, e1) = event, zone
    nearer_side = min(j0 - e0, e1 - j1)

    def share(x):
        d = max(j0 - x, x - j1, 0.0)
        return 1.0 if d == 0 else 1.0 - ((j1 - j0) + min(d, j0 - e0) + min(d, e1 - j1)) / (e1 - e0)

    corners = [j0 - nearer_side, j1 + nearer_side]
    total = 0.0
    for a, b in pieces:
        total += max(min(b, j1) - max(a, j0), 0.0)
        for left, right in ((a, min(b, j0)), (max(a, j1), b)):
            # the share jumps from 1 to less at the event's border: points of the border count as outside here
            total += integral(lambda x: share(x) if not j0 <= x <= j1 else 1.0 - (j1 - j0) / (e1 - e0), left, right, corners)
    return total / sum(b - a for a, b in pieces)


def zone_recall(event, zone, pieces):
    """Mean over the event's points of the chance that a random point of the zone is at least as far as the nearest prediction."""
    e0, e1 = zone

    def chance(y):
        d = min(max(a - y, y - b, 0.0) for a, b in pieces)
        return 1.0 - (min(d, y - e0) + min(d, e1 - y)) / (e1 - e0)

    edges = [edge for piece in pieces for edge in piece]
    corners = [*edges, *((left[1] + right[0]) / 2 for left, right in pairwise(pieces))]
    corners += [(edge + border) / 2 for edge in edges for border in zone] + [(e0 + e1) / 2]
    return integral(chance, *event, corners) / (event[1] - event[0])


def integral(function, a, b, corners):
    """Exact integral of a function that is straight between its corners."""
    if b <= a:
        return 0.0
    stops = [a, *sorted(c for c in corners if a < c < b), b]
    return sum((right - left) * (function(left) + function(right)) / 2 for left, right in pairwise(stops))


def affiliation_best_f1(labels, scores, n_thresholds):
    """Largest affiliation F1 over evenly spaced thresholds, score > threshold."""
    finite = [s for s in scores if math.isfinite(s)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    grid = [low + k * ((high - low) / max(n_thresholds - 1, 1)) for k in range(n_thresholds - 1)] + [high if n_thresholds > 1 else low]
    found = []
    for threshold in grid:
        precision, recall = affiliation(labels, [score > threshold for score in scores])
        if not math.isnan(precision):
            found.append(harmonic(precision, recall))
    return max(found, default=NAN)


def range_score(of, by, alpha, bias, cardinality):
    """Mean over the ranges of one mask of what they get for their overlap with those of another."""
    scores = []
    for first, last in events(of):
        length = last - first + 1
        weight = {
            "flat": lambda i: 1,
            "front": lambda i, length=length: length - i + 1,
            "middle": lambda i, length=length: i if i <= length / 2 else length - i + 1,
            "back": lambda i: i,
        }[bias]
        k = sum(1 for a, b in events(by) if a <= last and b >= first)
        covered = sum(weight(i) for i in range(1, length + 1) if by[first + i - 1])
        overlap = covered / sum(weight(i) for i in range(1, length + 1))
        factor = 1 / max(k, 1) if cardinality == "reciprocal" else 1
        scores.append(alpha * (k > 0) + (1 - alpha) * factor * overlap)
    return sum(scores) / len(scores) if scores else NAN


def range_precision_recall(labels, alarms, alpha, bias, cardinality):
    recall = range_score(labels, alarms, alpha, bias, cardinality)
    precision = range_score(alarms, labels, 0.0, bias, cardinality) if any(labels) else NAN
    return precision, recall, harmonic(precision, recall) if any(alarms) or not any(labels) else 0.0


def event_f1(labels, alarms):
    """Harmonic mean of the share of events touched and the share of predicted rows in events."""
    if not any(labels):
        return NAN
    recall = sum(any(alarms[a : b + 1]) for a, b in events(labels)) / len(events(labels))
    tp, fp, _ = counts(labels, alarms)
    return harmonic(tp / (tp + fp), recall) if tp + fp else 0.0


def point_adjusted_f1(labels, alarms):
    """F1 after touched events became wholly predicted."""
    if not any(labels):
        return NAN
    adjusted = list(alarms)
    for a, b in events(labels):
        if any(alarms[a : b + 1]):
            adjusted[a : b + 1] = [True] * (b - a + 1)
    return f1(labels, adjusted)


def nab_score(labels, alarms, weights):
    """Raw NAB score, windows = events; weights = (found, missed, false)."""
    found, missed, false = weights
    windows, n = events(labels), len(labels)
    if not windows or any(a == b and b < n - 1 for a, b in windows):
        return NAN

    def sigmoid(x):
        return -1.0 if x > 3 else 2 / (1 + math.exp(5 * x)) - 1

    probation = min(math.floor(0.15 * n), 750)
    score = 0.0
    for a, b in windows:
        hits = [i for i in range(max(a, probation), b + 1) if alarms[i]]
        if b >= probation:
            score += found * sigmoid(-(b - hits[0] + 1) / (b - a + 1)) / sigmoid(-1) if hits else -missed
    for i in range(probation, n):
        if alarms[i] and not labels[i]:
            before = [(a, b) for a, b in windows if b < i]
            score += false * sigmoid((i - before[-1][1]) / (before[-1][1] - before[-1][0])) if before else -false
    return score


def pate(labels, scores, early, delay, percentiles):
    """Mean over four buffers of the area under PATE's precision-recall curve; `percentiles` gives the 250 thresholds of a list."""
    if not any(labels) or all(labels):
        return NAN
    levels = distinct(scores)
    hits = [sum(1 for s, y in zip(scores, labels, strict=True) if y and s >= t) for t in levels]
    corners = [
        t for k, t in enumerate(levels) if k in (0, len(levels) - 1) or hits[k] != hits[k - 1] or hits[k + 1] != hits[k]
    ]  # fmt: skip
    grid = percentiles(corners) if corners else []
    areas = []
    for e in (0, early):
        for d in (0, delay):
            curve = [(0.0, 1.0)]
            for threshold in grid:
                precision, recall = pate_point(labels, predicted(scores, threshold), e, d)
                if recall >= curve[-1][0]:
                    curve.append((recall, precision))
            areas.append(sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(curve)))
    return sum(areas) / 4


def pate_point(labels, alarms, early, delay):
    """PATE precision and recall of predicted rows."""
    truth, n = events(labels), len(labels)
    tp = fp = fn = 0.0
    credit = {i: 0.0 for i in range(n) if alarms[i]}
    previous_end = -1
    for k, (a, b) in enumerate(truth):
        following = truth[k + 1][0] if k + 1 < len(truth) else n
        post = range(b + 1, min(b + delay, following - 1) + 1)
        pre = range(max(a - early, previous_end + 1, 0), a)
        previous_end = post[-1] if post else b

        def distance(x, a=a, b=b):
            return sum(abs(x - y) for y in range(a, b + 1))

        hit = [x for x in range(a, b + 1) if alarms[x]]
        for x in hit:
            credit[x] = 1.0
        for x in post:
            if alarms[x]:
                credit[x] = 1 - distance(x) / distance(post[-1])
        for x in pre:
            if alarms[x] and hit:
                credit[x] = 1 - distance(x) / distance(pre[0])
        if not hit:
            fn += b - a + 1
            continue
        run = 1
        while hit[0] + run <= b and alarms[hit[0] + run]:
            run += 1
        for x in range(a, b + 1):
            if not alarms[x]:
                late = sum(x - y for y in range(a, a + run + 1)) / sum(b - y for y in range(a, b + 1)) if x > a + run else 0.0
                fn += 1 - late
    tp = sum(credit.values())
    fp = len(credit) - tp
    return (tp / (tp + fp) if credit else 0.0), (tp / (tp + fn) if tp + fn else 0.0)


def ucr_hit(labels, scores, train_len, tolerance):
    """Whether the first largest score lies near the one event."""
    truth = events(labels)
    if len(truth) != 1:
        return NAN
    scored = [i for i in range(train_len, len(scores)) if not math.isnan(scores[i])]
    if not scored:
        return 0.0
    location = max(scored, key=lambda i: (scores[i], -i))
    return float(truth[0][0] - tolerance <= location <= truth[0][1] + tolerance)


def detection_delay(labels, alarms):
    """Mean delay of the first predicted row over the events found."""
    delays = [next(i for i in range(a, b + 1) if alarms[i]) - a for a, b in events(labels) if any(alarms[a : b + 1])]
    return sum(delays) / len(delays) if delays else NAN


def false_alarms_per_week(labels, alarms, seconds):
    """Predicted runs that touch no event, per seven days."""
    n_false = sum(1 for a, b in events(alarms) if not any(labels[a : b + 1]))
    return n_false / (len(labels) * seconds / (7 * 24 * 3600))
