"""Compile a configuration to a complete SQL query over a table of connections, in DuckDB's SQL."""

from __future__ import annotations

from procwire.sysmon.forms import ADDRESSES, COLUMNS
from procwire.sysmon.model import Configuration
from procwire.sysmon.sql import compile_sql

__all__ = ["query"]


def query(configuration: Configuration, *, strict: bool = False) -> str:
    """Return the query over a table `connections` under the standard names: the logged rows, with their rule_name.

    strict: as for `compile_sql`.
    """
    asked = {filter_.field for element in configuration.network_connect for filter_ in element.filters}
    columns = [COLUMNS[name].name for name in COLUMNS if name in asked]
    columns += [ADDRESSES[name] for name in ADDRESSES if name in asked]
    path = " ".join(configuration.path.split())
    decided = compile_sql(configuration, strict=strict).replace("\n", "\n  ")
    return (
        f"-- The connections that {path} logs.\n"
        f"-- The table has rule_name, and: {', '.join(columns) or 'any columns'}\n"
        "SELECT * EXCLUDE (decided) REPLACE (nullif(decided, '-') AS rule_name)\n"
        "FROM (\n"
        f"  SELECT *, {decided} AS decided\n"
        "  FROM connections\n"
        ")\n"
        "WHERE decided IS NOT NULL;\n"
    )
