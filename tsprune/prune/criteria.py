"""Other ways to rank or to use the parts of a detector than the ones measured best on the whole."""

from __future__ import annotations

from dataclasses import dataclass

from tsprune.params import check_count, check_number, check_share


@dataclass(frozen=True)
class Nodes:
    """Nodes of an isolation forest: those whose loss adds least squared error to the score go first.

    Parameters
    ----------
    trees : int, optional
        Choose so many whole trees first, by orthogonal matching pursuit: fewer visits per row, and the way to prune a large teacher
        (of more than 500 trees a fifth is chosen where nothing is said here, and fewer for hard cuts: one for each 14 nodes).
    tail_weight : float
        How much more each of the most anomalous twentieth of the rows matters.  At 10 its order is kept best, at 1 that of all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune import Pruned
    >>> from tsprune.prune.criteria import Nodes
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> pruned = Pruned("iforest", keep=0.1, criterion=Nodes(trees=30), guard=None, random_state=0).fit(X)
    >>> pruned.part_.n_trees <= 30
    True
    """

    trees: int | None = None
    tail_weight: float = 3.0

    def __post_init__(self) -> None:
        if self.trees is not None:
            check_count(trees=self.trees)
        check_number(tail_weight=self.tail_weight, low=1.0)


@dataclass(frozen=True)
class Suspicion:
    """LOF: 3 or 5 % of the reference points say which rows are suspicious; these alone are compared with all points.

    The score of the other rows is coarse, and below that of the suspicious ones: alarms stay what they are at a fraction of the
    distances.  The file holds all points.

    Parameters
    ----------
    share : float
        Of the training rows that are suspicious.

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.prune import Pruned
    >>> from tsprune.prune.criteria import Suspicion
    >>> X = np.random.default_rng(0).normal(size=(2000, 3))
    >>> pruned = Pruned("lof", criterion=Suspicion(), random_state=0).fit(X)
    >>> pruned.part_.work(X) < 0.25, pruned.fidelity_ > 0.95
    (True, True)
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        check_share(share=self.share)


Criterion = Nodes | Suspicion
