"""The exceptions that procwire raises.

::

    ProcwireError
    ├── UsageError       an argument that cannot be used: the message says what was found and expected
    │   ├── ConfigurationError   a Sysmon configuration with errors, each with its line and column
    │   └── LimitError   a query that needs more memory, space or time than it may use
    ├── InputError       nothing could be read from the inputs
    ├── LakeError        a lake that cannot be read, written or trusted
    │   └── DamageError  a file of the lake, or a commit, is not as it was written
    └── RecordError      this machine's connections cannot be recorded
"""

from __future__ import annotations

# Not from `typing`: importing it takes as long as starting Python.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class _Place(Protocol):
        @property
        def line(self) -> int: ...
        @property
        def column(self) -> int: ...

    class _Finding(Protocol):
        @property
        def place(self) -> _Place: ...
        @property
        def text(self) -> str: ...


__all__ = [
    "ConfigurationError",
    "DamageError",
    "InputError",
    "LakeError",
    "LimitError",
    "ProcwireError",
    "RecordError",
    "UsageError",
]


class ProcwireError(Exception):
    """Base of every error that procwire raises on purpose."""


class UsageError(ProcwireError):
    """An argument, a column name or an SQL predicate that cannot be used."""


class LimitError(UsageError):
    """A query that needs more memory, temporary space or time than its limits allow."""


class InputError(ProcwireError):
    """Nothing could be read from the inputs that were named."""


class LakeError(ProcwireError):
    """A lake that cannot be read or written, or whose files are not what its table says."""


class DamageError(LakeError):
    """A file of the lake, or a commit, is missing or not as it was written: the message begins with its name."""


class RecordError(ProcwireError):
    """This machine's connections cannot be recorded, or only with privileges that a recording must drop."""


class ConfigurationError(UsageError):
    """A Sysmon configuration that cannot be used: the message has a line `FILE:LINE:COLUMN: ...` for each error."""

    def __init__(self, path: str, findings: Sequence[_Finding]) -> None:
        super().__init__(
            "\n".join(f"{path}:{found.place.line}:{found.place.column}: {found.text}" for found in findings)
        )
        self.path = path
        self.findings = tuple(findings)
