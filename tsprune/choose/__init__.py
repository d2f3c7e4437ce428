"""A good detector for a series of which nothing is known but its values: `tsp.choose(history)`.

`tsprune.choose` is this folder and, called, the function: both names are public.
"""

from tsprune.callables import make_callable
from tsprune.choose.answer import choose
from tsprune.choose.budget import Budget
from tsprune.choose.choice import Choice

__all__ = ["Budget", "Choice", "choose"]

make_callable(__name__, choose)
