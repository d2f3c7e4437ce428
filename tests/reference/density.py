"""The local outlier factor and the neighbours behind it, one definition of the paper after the other (Breunig et al. 2000)."""

from __future__ import annotations

import math


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def neighbours(x, points, k, without=None):
    """Definition 4, without ties: the k nearest points, of equally near ones those with the smaller indices; (distance, index)."""
    return sorted((distance(x, p), i) for i, p in enumerate(points) if i != without)[:k]


def k_distances(points, k):
    """Definition 3: the distance of each point to its k-th neighbour."""
    return [neighbours(p, points, k, without=i)[-1][0] for i, p in enumerate(points)]


def reachability(x, near, k_distance):
    """Definition 6: one over the mean reachability distance (definition 5) of x from its neighbours."""
    reach = [max(k_distance[i], d) for d, i in near]
    return 1.0 / (sum(reach) / len(reach) + 1e-10)


def densities(points, k):
    """The local reachability density of each point."""
    k_distance = k_distances(points, k)
    return [reachability(p, neighbours(p, points, k, without=i), k_distance) for i, p in enumerate(points)]


def factor(x, points, k):
    """Definition 7: the mean density of the neighbours over the density of a new row."""
    k_distance, density = k_distances(points, k), densities(points, k)
    near = neighbours(x, points, k)
    return sum(density[i] for _, i in near) / len(near) / reachability(x, near, k_distance)
