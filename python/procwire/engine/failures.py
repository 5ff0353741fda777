"""Translation of errors in SQL from users into our own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from procwire import errors
from procwire.engine.limits import Limit, exceeded
from procwire.errors import LakeError, ProcwireError, UsageError

__all__ = ["sql_errors"]

# An error raised by a file that procwire serves, as DuckDB passes it on: the last line of a Python traceback.
_RAISED = re.compile(r"^(?:procwire\.errors\.)?(\w+)(?:: (.*))?$")
_FILE = re.compile(r'Cannot access \w+ ("[^"]*")')
_LIMITS: tuple[tuple[str, Limit], ...] = (
    ("maximum execution time", "time"),
    ("max_temp_directory_size", "spill"),
    ("failed to offload", "spill"),
    ("Out of Memory", "memory"),
    ("Allocation failure", "memory"),
)
"""Parts of DuckDB's messages about exceeded limits, and the limit that each means."""


@contextmanager
def sql_errors() -> Iterator[None]:
    """Raise errors of a user's SQL as UsageError, on one line, and exceeded limits as LimitError.

    A file that cannot be read, or is damaged, raises LakeError.
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        raise _ours(str(error)) from error
    except OSError as error:
        # Without errno it is Arrow's error about a stream of DuckDB's.
        if error.errno is not None:
            raise
        raise _ours(str(error)) from error
    except UnicodeDecodeError as error:
        # DuckDB truncated a text in an error's message.
        raise UsageError("SQL: found a text that a function does not accept") from error
    except (RecursionError, MemoryError) as error:
        raise UsageError("SQL: found a query that is too deep or too large") from error


def _ours(message: str) -> ProcwireError:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    # DuckDB may put its own words before the traceback.
    if any("Traceback (most recent call last)" in line for line in lines):
        return _raised(lines)
    for sign, limit in _LIMITS:
        if sign in message:
            return exceeded(limit, prefix="SQL: ")
    # DuckDB mistook the name of a table for that of a file.
    if "file system operations are disabled" in message and (match := _FILE.search(message)):
        return UsageError(
            f"SQL: found the file {match[1]}, expected a table such as connections; files follow the query"
        )
    # The first line says what is wrong, the second names similar columns.
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
