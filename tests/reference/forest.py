"""Isolation forests as their papers define them: slow, one function per equation.

Liu, Ting & Zhou, Isolation Forest, ICDM 2008 (equations 1 and 2); a tree is scikit-learn's `tree_`.
"""

from __future__ import annotations

import math

import numpy as np


def average_path_length(n):
    """Equation 1: c(n), with H(i) = ln(i) + Euler's constant; 0 for one row, 1 for two."""
    if n <= 1:
        return 0.0
    if n == 2:
        return 1.0
    return 2.0 * (math.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n


def path_length(tree, x, deepest=math.inf):
    """Section 2: splits from the root to the leaf, plus c(rows in the leaf); stopped at a depth, c(rows there)."""
    node, splits = 0, 0
    while tree.children_left[node] >= 0 and splits < deepest:
        goes_left = float(np.float32(x[tree.feature[node]])) <= tree.threshold[node]
        node = tree.children_left[node] if goes_left else tree.children_right[node]
        splits += 1
    return splits + average_path_length(tree.n_node_samples[node])


def anomaly_score(lengths, n_per_tree):
    """Equation 2: 2^-(mean path length / c(rows per tree))."""
    return 2.0 ** -(sum(lengths) / len(lengths) / average_path_length(n_per_tree))


def ridge(member, target, weights, start, damping):
    """Lengths that minimise the weighted squared error plus `damping` times the squared change from `start`."""
    curvature = member.T @ (weights[:, None] * member) + damping * np.eye(member.shape[1])
    return start + np.linalg.solve(curvature, member.T @ (weights * (target - member @ start)))


def rank(values, i):
    """Rows below, half of the other rows that are equal, plus one."""
    below = sum(value < values[i] for value in values)
    equal = sum(value == values[i] for value in values)
    return below + (equal + 1) / 2


def spearman(a, b):
    """Pearson's correlation of the ranks."""
    x, y = ([rank(values, i) for i in range(len(values))] for values in (a, b))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    together = sum((p - mean_x) * (q - mean_y) for p, q in zip(x, y, strict=True))
    return together / math.sqrt(sum((p - mean_x) ** 2 for p in x) * sum((q - mean_y) ** 2 for q in y))
