"""Run paths of the signal stages, slow and obvious: one row at a time, from the definition."""

from __future__ import annotations

import itertools

import numpy as np


def last_in_slot(values: np.ndarray, slots: np.ndarray) -> dict[int, float]:
    """What history holds for each slot: of several rows the last one."""
    return dict(zip(slots.tolist(), values.tolist(), strict=True))


def median(values: list[float]) -> float:
    """Median of those that are there; NaN without any."""
    there = sorted(v for v in values if v == v)
    return 0.5 * there[(len(there) - 1) // 2] + 0.5 * there[len(there) // 2] if there else float("nan")


def block_trend(values: np.ndarray, slots: np.ndarray, block: int, blocks: int, start: float) -> np.ndarray:
    """Median of the medians of the last whole blocks."""
    held = last_in_slot(values, slots)
    out = []
    for slot in slots.tolist():
        own = slot // block
        medians = [median([held.get(s, np.nan) for s in range(k * block, (k + 1) * block)]) for k in range(own - blocks, own)]
        known = sum(m == m for m in medians)
        out.append(median(medians) if known >= (blocks + 1) // 2 else start)
    return np.array(out)


def innovation(values: np.ndarray, slots: np.ndarray, weights: np.ndarray, clip: float) -> np.ndarray:
    """A value minus the weighted sum of the clipped values of the slots before."""
    held = last_in_slot(values, slots)
    out = []
    for value, slot in zip(values.tolist(), slots.tolist(), strict=True):
        for lag, weight in enumerate(weights.tolist(), start=1):
            past = held.get(slot - lag, np.nan)
            value -= weight * min(max(past, -clip), clip) if past == past else 0.0
        out.append(value)
    return np.array(out)


def hampel(values: np.ndarray, slots: np.ndarray, window: int, cutoff: float) -> np.ndarray:
    """A value, or the median of its trailing window where it is more than `cutoff` sigmas away from it."""
    held = last_in_slot(values, slots)
    out = []
    for value, slot in zip(values.tolist(), slots.tolist(), strict=True):
        own = [held.get(s, np.nan) for s in range(slot - window + 1, slot)] + [value]
        middle = median(own)
        sigma = 1.4826 * median([abs(v - middle) for v in own])
        out.append(middle if abs(value - middle) > cutoff * sigma else value)
    return np.array(out)


def drift(values: np.ndarray, slots: np.ndarray, period: int, cycles: int) -> np.ndarray:
    """At each row's phase the median, over the cycles before its own, of what stands above each cycle's median; without smoothing."""
    held = last_in_slot(values, slots)
    out = []
    for slot in slots.tolist():
        found = []
        for cycle in range(slot // period - cycles, slot // period):
            own = [held.get(cycle * period + p, np.nan) for p in range(period)]
            found.append(own[slot % period] - median(own))
        out.append(median(found) if sum(f == f for f in found) >= 3 else 0.0)
    return np.array(out)


def best_pieces(values: np.ndarray, penalty: float, least: int) -> tuple[float, tuple[int, ...]]:
    """The cheapest cut of a short series into pieces of constant level, by trying all of them."""
    n = len(values)
    best = (np.inf, ())
    for count in range(n // least):
        for cuts in itertools.combinations(range(least, n - least + 1), count):
            edges = (0, *cuts, n)
            if min(np.diff(edges)) < least:
                continue
            pieces = [values[a:b] for a, b in itertools.pairwise(edges)]
            cost = sum(float(((piece - piece.mean()) ** 2).sum()) for piece in pieces) + penalty * count
            best = min(best, (cost, edges[:-1]))
    return best
