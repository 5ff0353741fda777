"""DuckDB, in memory: how procwire asks SQL of batches."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.errors import UsageError

if TYPE_CHECKING:
    import duckdb

__all__ = ["connect", "literal", "quote", "sql_errors"]


def connect(
    *, threads: int | None = None, folders: Sequence[str] = (), files: Sequence[str] = ()
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in memory that shows times in UTC, and reaches for no file and no network.

    threads: as many as there are cores, if not told. folders, files: what lies below these, and these, it may read
    nonetheless.
    """
    # Here, for it takes longer to import than most questions need.
    import duckdb

    # A folder that DuckDB makes if it must, and removes: predicates may read what lies in it.
    spill = str(Path(tempfile.gettempdir(), f"procwire-{secrets.token_hex(8)}"))
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "temp_directory": spill,
    }
    if threads is not None:
        config["threads"] = str(threads)
    connection = duckdb.connect(config=config)
    if folders:
        connection.execute(f"SET allowed_directories = [{', '.join(map(literal, folders))}]")
    if files:
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, files))}]")
    # Known to whom asks (`query_progress`); printed, it would go to stdout.
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    # For good: DuckDB does not let it be switched on again.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def sql_errors() -> Iterator[None]:
    """Errors of the SQL that a user wrote, as ours."""
    import duckdb

    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        # The first line says what is wrong, the second names columns that come near.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = [
            line for index, line in enumerate(lines) if index == 0 or line.startswith(("Candidate", "Did you mean"))
        ]
        raise UsageError(f"SQL: {' '.join(told)}") from error


def quote(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string, on one line."""
    quoted = text.replace("'", "''")
    if "\n" not in text:
        return f"'{quoted}'"
    # SQL is indented line by line, which must not reach into a text.
    return "E'" + quoted.replace("\\", "\\\\").replace("\n", "\\n") + "'"
