"""New series for a fleet that stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tsprune.errors import BadSeries
from tsprune.model import file
from tsprune.model.roster import Roster
from tsprune.model.windows import WindowMatrix
from tsprune.panel.finish import finish_piece, joined_to_cluster
from tsprune.panel.frames import Names, read_frame
from tsprune.panel.learn import histories, learn_alone
from tsprune.panel.learned import clock_key
from tsprune.panel.model import PanelModel, Recipe
from tsprune.panel.plan import Plan
from tsprune.panel.transfer import is_new
from tsprune.panel.wire import unblob, unpack

if TYPE_CHECKING:
    from tsprune.model.member import Member
    from tsprune.pipeline import Pipeline


def learn(
    model: PanelModel,
    frame: Any,
    pipeline: Pipeline | None = None,
    *,
    id: str = "unique_id",  # noqa: A002
    time: str = "ds",
    value: str = "y",
) -> PanelModel:
    """Learn series for a fleet that stands: nothing else of it changes; `model.add` takes them in.

    A series with less than fourteen cycles of history starts from the fleet: the typical season on its own level and scale, the
    fleet's threshold.  One with more learns its facts alone.  The detectors stay what they are.

    Parameters
    ----------
    model : PanelModel
    frame : DataFrame of pandas or polars, or pyarrow table
        Their histories, wide or long.
    pipeline : Pipeline, optional
        The one the fleet was fitted with; a model from a file does not know it.
    id, time, value : str
        The columns of a long frame.

    Returns
    -------
    PanelModel
        Of these series.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import tsprune as tsp
    >>> frame = pd.DataFrame(np.random.default_rng(0).normal(size=(400, 3)), columns=list("abc"))
    >>> pipeline = tsp.Pipeline([tsp.Windows(8, "point"), "iforest"])
    >>> model = tsp.panel.fit(frame[["a", "b"]], pipeline, clusters=1)
    >>> model.add(tsp.panel.learn(model, frame[["c"]])).series
    ('a', 'b', 'c')
    """
    recipe = model.recipe or Recipe(pipeline, 0)
    plan = Plan.of(recipe.pipeline if pipeline is None else pipeline, recipe.random_state)
    if plan.asks_gaps:
        plan = plan.bridging(next(part.bridge for part in model.fleet.windows if isinstance(part, WindowMatrix)))
    rows = read_frame(frame, Names(id, time, value)).rows
    if rows.stamps == (model.fleet.clocks[0].kind == "index"):
        raise BadSeries("the times are of another kind than those learned from: give timestamps, or whole numbers, as in the history.")
    found = list(histories(rows, model.fleet))
    clocks = {clock_key(clock): clock for clock in (*model.fleet.clocks, *(history.clock for history in found))}
    fleet, numbers = replace(model.fleet, clocks=tuple(clocks.values())), {key: k for k, key in enumerate(clocks)}
    members: dict[str, Member] = {}
    for history in found:
        if not is_new(fleet, history, plan):
            member, channels = learn_alone(history, plan)
            member = replace(member, clock=numbers[clock_key(history.clock)])
            members[history.name] = joined_to_cluster(member, channels, fleet, history, plan)
    arrays, facts = unpack(finish_piece(rows, plan, fleet, members))
    done: Any = map(file.from_bytes, unblob(arrays))
    return PanelModel(fleet, Roster.of(zip(facts["names"], done, strict=True)), recipe, None, tuple(facts["transferred"]))
