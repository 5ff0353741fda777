"""Queries over a lake, logs and tables, with the views and functions of docs/sql.md.

`connect` is for Python users: it returns a DuckDB database. `open_source` is for commands and hunts: it opens a
`QuerySource`, with DuckDB or another engine, and runs queries in a thread that can be interrupted.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.query.database import Database, connect
    from procwire.query.from_lake import connect_lake
    from procwire.query.from_logs import connect_logs
    from procwire.query.open import OpenSource, QuerySource, open_source
    from procwire.query.results import ExportableRows, FirstRows
    from procwire.query.runner import QueryRunner, Rows

_MODULES = {
    "Database": "database",
    "ExportableRows": "results",
    "FirstRows": "results",
    "OpenSource": "open",
    "QueryRunner": "runner",
    "QuerySource": "open",
    "Rows": "runner",
    "connect": "database",
    "connect_lake": "from_lake",
    "connect_logs": "from_logs",
    "open_source": "open",
}

__all__ = [
    "Database",
    "ExportableRows",
    "FirstRows",
    "OpenSource",
    "QueryRunner",
    "QuerySource",
    "Rows",
    "connect",
    "connect_lake",
    "connect_logs",
    "open_source",
]


def __getattr__(name: str) -> object:
    # Import on first use: the lake and the readers of logs take long to import, and Sigma rules need neither.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"procwire.query.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
