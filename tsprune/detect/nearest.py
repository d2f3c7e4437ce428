"""A detector that needs no more than distances: how far the k-th nearest of some training rows is."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from tsprune.detect.standard import OwnDetector, rows_of, standard
from tsprune.kernels.means import means
from tsprune.model.nearest import CLIP, Nearest
from tsprune.params import check_choice, check_count

#: Rows whose clusters are looked for at the most; more give no better detector (docs/choosing.md).
CLUSTERED = 1_000


class NearestRows(OwnDetector):
    """Distance to the k-th nearest of at most `n_references` training rows, on standardised columns.

    The strongest member of a blend of views, and the strongest simple detector on point statistics.

    Parameters
    ----------
    n_neighbors : int
    n_references : int
        Training rows that are kept, drawn without replacement.  4,000 are a little better than 800, and cost five times as much.
    random_state : int or None
    references : "rows" or "means"
        "means": the means of so many clusters are kept instead.  In a blend the distance to the nearest of 128 means
        (`n_neighbors=1`) is worth that to the 5th nearest of 800 rows, at a sixth of its size.

    Attributes
    ----------
    part_ : Nearest

    Examples
    --------
    >>> import numpy as np
    >>> from tsprune.detect import NearestRows
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> far, near = NearestRows(random_state=0).fit(X).anomaly_score(np.array([[6.0, 6.0], [0.0, 0.0]]))
    >>> bool(far > 20 * near)
    True
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        n_references: int = 2000,
        random_state: int | None = None,
        references: Literal["rows", "means"] = "rows",
    ):
        self.n_neighbors = n_neighbors
        self.n_references = n_references
        self.random_state = random_state
        self.references = references

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep some of the complete rows X, shape (n, d)."""
        rows = rows_of(X)
        check_count(n_references=self.n_references)
        check_choice(("rows", "means"), references=self.references)
        centre, scale = standard(rows)
        drawn = np.random.default_rng(self.random_state).permutation(len(rows))
        if self.references == "means":
            some = np.clip((rows[np.sort(drawn[:CLUSTERED])] - centre) / scale, -CLIP, CLIP)
            points = means(some, min(self.n_references, len(some)), self.random_state) * scale + centre
        else:
            points = rows[np.sort(drawn[: self.n_references])]
        self.n_features_in_ = rows.shape[1]
        self.part_ = Nearest.of(points, centre, scale, min(check_count(n_neighbors=self.n_neighbors), len(points)))
        return self
