"""Isolation trees, one row and one node at a time, from random numbers that are given."""

from __future__ import annotations

MASK = 2**64 - 1


def number(seed, n):
    """The n-th number of splitmix64, in [0, 1)."""
    z = (seed + (n + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return (z >> 11) / 2**53


def drawn(seed, n, size):
    """Different row numbers below n."""
    if size >= n:
        return list(range(n))
    found, k = [], 2**40
    while len(found) < size:
        row = int(number(seed, k) * n)
        if row not in found:
            found.append(row)
        k += 1
    return found


def tree(rows, seed, heap=1, depths_left=None):
    """(column, threshold, left, right), or the number of rows of a leaf; rows are lists of numbers of single precision."""
    import numpy as np

    if depths_left is None:
        depths_left = max(1, int(np.ceil(np.log2(max(len(rows), 2)))))
    varying = [j for j in range(len(rows[0])) if min(row[j] for row in rows) < max(row[j] for row in rows)]
    if depths_left == 0 or not varying:
        return len(rows)
    column = int(number(seed, 4 * heap) * len(rows[0]))
    if column not in varying:
        column = varying[int(number(seed, 4 * heap + 2) * len(varying))]
    low, high = min(row[column] for row in rows), max(row[column] for row in rows)
    cut = np.float32(float(low) + number(seed, 4 * heap + 1) * (float(high) - float(low)))
    cut = low if cut >= high else cut
    left, right = [row for row in rows if row[column] <= cut], [row for row in rows if row[column] > cut]
    return column, cut, tree(left, seed, 2 * heap, depths_left - 1), tree(right, seed, 2 * heap + 1, depths_left - 1)


def pre_order(node):
    """(column, threshold, count) of each node."""
    if isinstance(node, tuple):
        column, cut, left, right = node
        return [(column, cut, 0), *pre_order(left), *pre_order(right)]
    return [(-1, 0.0, node)]
