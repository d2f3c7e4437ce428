"""How many trees a forest needs until its ranking has converged.

More trees make the ranking of an isolation forest steadier, ever more slowly: what two halves of it do not agree on shrinks
by half, roughly, when the trees are doubled.  So the trees are doubled until a doubling gains hardly anything on rows that are held back.

Source: Spearman, Correlation calculated from faulty data, and Brown, Some experimental results in the correlation of mental abilities,
British Journal of Psychology 3, 1910: halves that agree at r agree at 2 r / (1 + r) when they are twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsprune.kernels.agreement import split_half

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsprune.detect.forest import Growing
    from tsprune.detect.grown import GrowingOurs
    from tsprune.model.forest import Forest
    from tsprune.types import Matrix

#: Fewest trees and most.  The halves of 1,600 trees hold 800 each: where they still disagree, the features leave an order to chance.
FEWEST, MOST = 100, 1600
#: A doubling that makes two halves agree by less than this more is the last one: they then agree at some 0.98, and the whole with a forest
#: without end at some 0.995, half of what the guard leaves to a cut.
GAIN = 0.02
#: Halvings whose agreement is averaged.
HALVINGS = 8


@dataclass(frozen=True)
class Growth:
    """How many trees were grown, and how far halves of them agreed on the way.

    Parameters
    ----------
    n_trees : int
    agreements : tuple of (int, float)
        Numbers of trees, each with the Spearman correlation of two halves of them on held-back rows; empty where the number was given.
    """

    n_trees: int
    agreements: tuple[tuple[int, float], ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the trees were doubled until that gained hardly anything."""
        return _settled(self.agreements)

    def facts(self) -> dict[str, float]:
        """Trees grown, and how far two halves of them agree."""
        told = {"trees_grown": float(self.n_trees)}
        return told | ({"grown_agreement": self.agreements[-1][1], "converged": float(self.converged)} if self.agreements else {})

    def __str__(self) -> str:
        told = f"grown to {self.n_trees:,} trees"
        if not self.agreements:
            return f"{told}."
        (_, before), (_, after) = self.agreements[-2:]
        why = "twice as many would change little" if self.converged else "more would help, and are not tried"
        return f"{told}, two halves of which agree at {after:.3f} on held-back rows (before the last doubling {before:.3f}): {why}."


def until_converged(growing: Growing | GrowingOurs, held: Matrix) -> tuple[Forest, Growth]:
    """Double the trees, from 50 on, until two halves of them rank rows hardly more alike than before; 100 to 1,600 trees.

    The last doubling gained less than 0.02 in Spearman correlation of the halves, and by Spearman and Brown's formula the next one would.

    Parameters
    ----------
    growing : Growing or GrowingOurs
    held : ndarray, shape (n_held, n_features)
        Rows that are ranked.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from tsprune.detect.forest import Growing
    >>> from tsprune.prune.grow import until_converged
    >>> X = np.random.default_rng(0).normal(size=(600, 2))
    >>> forest, growth = until_converged(Growing(IsolationForest(random_state=0).fit(X), X), X[450:])
    >>> growth.converged, forest.n_trees
    (True, 400)
    """
    lengths = growing.more(FEWEST // 2).part_scores(held)
    agreements = [(FEWEST // 2, _agreement(lengths))]
    while not _settled(agreements) and lengths.shape[1] < MOST:
        lengths = np.hstack([lengths, growing.more(lengths.shape[1]).part_scores(held)])
        agreements.append((lengths.shape[1], _agreement(lengths)))
    return growing.whole(), Growth(lengths.shape[1], tuple(agreements))


def _agreement(lengths: Matrix) -> float:
    """Agreement of random halves of the trees; the same halvings each time."""
    return float(np.mean([split_half(lengths, seed) for seed in range(HALVINGS)]))


def _settled(agreements: Sequence[tuple[int, float]]) -> bool:
    """Whether the last doubling gained little, and the next one would, too: a gain alone is small by chance at times."""
    if len(agreements) < 2:
        return False
    (_, before), (_, after) = agreements[-2:]
    return after - before < GAIN and 2.0 * after / (1.0 + after) - after < GAIN
