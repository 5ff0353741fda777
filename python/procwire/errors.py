"""What can go wrong, as exceptions.

::

    ProcwireError
    ├── UsageError       an argument that cannot be used: its text says what was found and expected
    ├── InputError       nothing could be read from the inputs
    └── RecordError      this machine's connections cannot be recorded
"""

__all__ = ["InputError", "ProcwireError", "RecordError", "UsageError"]


class ProcwireError(Exception):
    """Base of every error that procwire raises on purpose."""


class UsageError(ProcwireError):
    """An argument, a column name or an SQL predicate that cannot be used."""


class InputError(ProcwireError):
    """Nothing could be read from the inputs that were named."""


class RecordError(ProcwireError):
    """This machine's connections cannot be recorded, or not without rights that recording must give up."""
