"""A model without the features that its detector no longer reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tsprune.model.columns import Columns
from tsprune.model.forest import Forest
from tsprune.model.windows import WIDE, WindowMatrix

if TYPE_CHECKING:
    from tsprune.model.chain import Model
    from tsprune.model.part import Part
    from tsprune.types import Ints


def lean(model: Model) -> Model:
    """The model that computes only what the nodes of its forest compare; any other detector reads all columns, and nothing changes.

    Every row that had a score keeps it, bit for bit.  A row that had none because a feature which nobody reads missed a value has
    one now; where the longest windows go, the lookback gets shorter, too.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> import numpy as np
    >>> import tsprune as tsp
    >>> from tsprune.prune.lean import lean
    >>> history = np.random.default_rng(0).normal(size=(400, 1))
    >>> forest = tsp.Pruned("iforest", keep=0.003, guard=None, random_state=0)
    >>> whole = tsp.Pipeline([tsp.Windows(24), forest]).fit(history).freeze()
    >>> small = lean(whole)
    >>> small.detector.n_features < whole.detector.n_features, small.parts[0].n_out < whole.parts[0].n_out
    (True, True)
    """
    forest = model.detector
    if not isinstance(forest, Forest) or len(forest.used_features) in (0, forest.n_features):
        return model
    needed = forest.used_features
    place = np.full(forest.n_features + 1, -1)
    place[needed] = np.arange(len(needed))
    detector = replace(forest, n_features=len(needed), feature=place[forest.feature])
    parts: list[Part] = list(model.parts)
    last = parts[-1] if parts else None
    if isinstance(last, Columns):
        needed = np.array(last.kept)[needed]
        parts.pop()
        last = parts[-1] if parts else None
    if isinstance(last, WindowMatrix):
        parts[-1], needed = _narrowed(last, needed)
    width = parts[-1].n_out if parts else model.n_features
    if len(needed) < width:
        parts.append(Columns(width, tuple(map(int, needed))))
    return replace(model, parts=tuple(parts), detector=detector)


def _narrowed(part: WindowMatrix, needed: Ints) -> tuple[WindowMatrix, Ints]:
    """The windows without the features that no column needs, and where the needed outputs stand now."""
    widths = [length if name in WIDE else 1 for name, length in zip(part.features, part.lengths, strict=True)]
    feature = np.repeat(np.arange(len(widths)), widths)  # of each output of one column
    used = np.isin(np.arange(len(widths)), feature[needed % len(feature)])
    stays = np.tile(used[feature], part.n_features)
    narrow = replace(
        part,
        features=tuple(name for name, use in zip(part.features, used, strict=True) if use),
        lengths=tuple(length for length, use in zip(part.lengths, used, strict=True) if use),
        centre=part.centre[stays],
        scale=part.scale[stays],
    )
    return narrow, (np.cumsum(stays) - 1)[needed]
