"""What goes wrong in SQL that a user wrote, as our own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from procwire import errors
from procwire.engine.limits import Limit, exceeded
from procwire.errors import LakeError, ProcwireError, UsageError

__all__ = ["sql_errors"]

# What a file that procwire serves raised, as DuckDB passes it on: a traceback of Python's, its last line last.
_RAISED = re.compile(r"^(?:procwire\.errors\.)?(\w+)(?:: (.*))?$")
_FILE = re.compile(r'Cannot access \w+ ("[^"]*")')
_LIMITS: tuple[tuple[str, Limit], ...] = (
    ("maximum execution time", "time"),
    ("max_temp_directory_size", "spill"),
    ("failed to offload", "spill"),
    ("Out of Memory", "memory"),
    ("Allocation failure", "memory"),
)
"""What DuckDB's message has of a limit that was exceeded, and which it is."""


@contextmanager
def sql_errors() -> Iterator[None]:
    """Raise errors of SQL that a user wrote as UsageError, on one line; of a limit that it exceeded, as LimitError.

    A file that cannot be read, or is damaged, is a LakeError.
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        raise _ours(str(error)) from error
    except OSError as error:
        # Arrow's, of a stream of DuckDB's; the system's own have a number.
        if error.errno is not None:
            raise
        raise _ours(str(error)) from error
    except UnicodeDecodeError as error:
        # DuckDB cut a text in an error's message.
        raise UsageError("SQL: found a text that a function refuses") from error
    except (RecursionError, MemoryError) as error:
        raise UsageError("SQL: found a query that is too deep or too large") from error


def _ours(told: str) -> ProcwireError:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    # DuckDB puts words of its own before it, or none.
    if any("Traceback (most recent call last)" in line for line in lines):
        return _raised(lines)
    for sign, limit in _LIMITS:
        if sign in told:
            return exceeded(limit, prefix="SQL: ")
    # DuckDB took the name of a table for that of a file.
    if "file system operations are disabled" in told and (match := _FILE.search(told)):
        return UsageError(
            f"SQL: found the file {match[1]}, expected a table such as connections; files follow the query"
        )
    # The first line says what is wrong, the second names columns that come near.
    kept = [line for index, line in enumerate(lines) if index == 0 or line.startswith(("Candidate", "Did you mean"))]
    return UsageError(f"SQL: {' '.join(kept)}")


def _raised(lines: list[str]) -> ProcwireError:
    match = next((found for line in reversed(lines) if (found := _RAISED.match(line))), None)
    if match is None:
        return LakeError(lines[-1])
    name, text = match[1], match[2] or match[1]
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ProcwireError):
        return kind(text)
    return LakeError(f"a file cannot be read: {text}")
