"""A good detector for a series of which nothing is known but its values: `tsp.choose(history)`."""

from tsprune.choose.budget import Budget
from tsprune.choose.choice import Choice
from tsprune.choose.choose import choose

__all__ = ["Budget", "Choice", "choose"]
