"""What can go wrong, as a drawing.

    TsPruneError
    ├── BadParameter   (also ValueError)    an argument outside its range
    ├── BadSeries      (also ValueError)    an index, length, gap or value we cannot work with
    ├── NotPrunable    (also TypeError)     a detector lacks what a criterion needs
    ├── OverPruned     (also RuntimeError)  no cut passed the guard
    └── BadModelFile   (also ValueError)    a model file that is damaged, hostile or of another format

Each is also the built-in kind that a script would catch.  Every message names the
parameter or the column, the value, the range, and the way out.
"""


class TsPruneError(Exception):
    """Base of every error that tsprune raises on purpose."""


class BadParameter(TsPruneError, ValueError):
    """An argument is outside its range."""


class BadSeries(TsPruneError, ValueError):
    """An index, a length, a gap or a value that we cannot work with."""


class NotPrunable(TsPruneError, TypeError):
    """A detector lacks what a criterion or the file format needs."""


class OverPruned(TsPruneError, RuntimeError):
    """No cut passed the guard."""


class BadModelFile(TsPruneError, ValueError):
    """A model file is damaged, hostile, or of another format."""
