"""A good detector for a series of which nothing is known but its values: `tsp.choose(history)`."""

from tsprune.choose.answer import choose
from tsprune.choose.budget import Budget
from tsprune.choose.choice import Choice

__all__ = ["Budget", "Choice", "choose"]
