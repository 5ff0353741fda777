"""DuckDB connections that can change nothing but their own memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procwire.engine.files import Served
from procwire.engine.limits import Limits
from procwire.engine.spill import spill_folder
from procwire.engine.text import literal
from procwire.extras import named_extras

if TYPE_CHECKING:
    import duckdb

__all__ = ["connect"]


def connect(
    *,
    threads: int | None = None,
    served: Served | None = None,
    limits: Limits | None = None,
    spills: bool = True,
) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection in memory that shows times in UTC, writes no file and reaches no network.

    Its configuration is locked, so no SQL can undo this. It does not see Python variables. The caller closes it.

    threads: number of threads; None for one per core. served: the only files that it can read; None for none. limits:
    None for the defaults. spills: whether data that does not fit in memory goes to a temporary folder, if one can be
    created, rather than raising an error.
    """
    # Import here: the import takes longer than most queries.
    with named_extras():
        import duckdb

    limits = limits or Limits()
    folder = _spill_folder() if spills else ""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "python_enable_replacements": "false",
        "temp_directory": folder,
        "max_temp_directory_size": f"{limits.spill_bytes if folder else 0}B",
        "memory_limit": f"{limits.memory_bytes}B",
    }
    if threads is not None:
        config["threads"] = str(threads)
    connection = duckdb.connect(config=config)
    if served is not None:
        served.register(connection)
        connection.execute(f"SET allowed_directories = [{literal(served.root)}]")
    # Enabled for `query_progress`, but not printed, because that would go to stdout.
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    if limits.timeout_s is not None:
        connection.execute(f"SET max_execution_time = {max(1, round(limits.timeout_s * 1000))}")
    connection.execute("SET TimeZone = 'UTC'")
    # Final: DuckDB does not let either be undone.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _spill_folder() -> str:
    # Most queries fit in memory, so a machine without temporary files can run them, too.
    try:
        return spill_folder()
    except OSError:
        return ""
