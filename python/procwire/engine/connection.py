"""A DuckDB connection that can change nothing but its own memory."""

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

    Its configuration is locked: no SQL gets any of this back. It sees no variables of Python.

    threads: how many; None for as many as there are cores. served: the only files it reads; None for none. limits: None
    for the defaults. spills: whether what does not fit in memory goes to a temporary folder, if there can be one,
    rather than to be an error.
    """
    # Here, for it takes longer to import than most questions need.
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
    # Known to whoever asks (`query_progress`); printed, it would go to stdout.
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    if limits.timeout_s is not None:
        connection.execute(f"SET max_execution_time = {max(1, round(limits.timeout_s * 1000))}")
    connection.execute("SET TimeZone = 'UTC'")
    # For good: DuckDB does not let either be undone.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _spill_folder() -> str:
    # Most questions fit in memory: those of a machine that takes no temporary files, too.
    try:
        return spill_folder()
    except OSError:
        return ""
