"""The view `connections` and the macros that hunts ask of, until `procwire.lake.views` has them."""

from __future__ import annotations

import duckdb

from procwire.event import DERIVED

__all__ = ["prepare"]

# As far as the fleet's addresses need them.
_MACROS = (
    r"is_private(ip) AS regexp_matches(ip, '^(10\.|192\.168\.|169\.254\.|f[cd]|fe80)')",
    r"is_loopback(ip) AS ip = '::1' OR ip LIKE '127.%'",
    r"is_multicast(ip) AS regexp_matches(ip, '^(22[4-9]\.|23[0-9]\.|ff)')",
)


def prepare(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Make them; `relation` is a registered name or a table function's text."""
    derived = ", ".join(f"{field.sql} AS {field.name}" for field in DERIVED)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE VIEW connections AS SELECT *, {derived} FROM {relation}")
    for macro in _MACROS:
        connection.execute(f"CREATE MACRO {macro}")
