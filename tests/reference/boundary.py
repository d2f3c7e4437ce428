"""The one-class SVM's decision function, one exponential after the other."""

from __future__ import annotations

import math


def similarity(x, v, gamma):
    """exp(-gamma |x - v|^2)"""
    return math.exp(-gamma * math.fsum((a - b) ** 2 for a, b in zip(x, v, strict=True)))


def score(x, vectors, weights, gamma, offset):
    """offset - sum_i weights_i exp(-gamma |x - vectors_i|^2)"""
    return offset - math.fsum(w * similarity(x, v, gamma) for w, v in zip(weights, vectors, strict=True))
