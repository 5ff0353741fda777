"""DuckDB, in memory: runs SQL over batches and files, and keeps that SQL from doing anything else.

No connection writes a file or reaches a network: access is off and the configuration locked (`connection`). procwire
serves the files that a query reads (`files`), so DuckDB sees no path. SQL from users is parsed before it runs: it must
be one statement that only reads (`check`), uses only safe functions (`functions`), and stays within limits (`limits`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procwire.engine.check import one_predicate, one_query
    from procwire.engine.connection import connect
    from procwire.engine.failures import sql_errors
    from procwire.engine.files import LocalFile, Readable, Served
    from procwire.engine.limits import PREDICATE_S, TIMEOUT_S, Limits, exceeded
    from procwire.engine.text import literal, quote

__all__ = [
    "PREDICATE_S",
    "TIMEOUT_S",
    "Limits",
    "LocalFile",
    "Readable",
    "Served",
    "connect",
    "exceeded",
    "literal",
    "one_predicate",
    "one_query",
    "quote",
    "sql_errors",
]

_HOMES = {
    "PREDICATE_S": "limits",
    "TIMEOUT_S": "limits",
    "Limits": "limits",
    "LocalFile": "files",
    "Readable": "files",
    "Served": "files",
    "connect": "connection",
    "exceeded": "limits",
    "literal": "text",
    "one_predicate": "check",
    "one_query": "check",
    "quote": "text",
    "sql_errors": "failures",
}


def __getattr__(name: str) -> object:
    # Import on first use: `config check`, which only quotes SQL, needs neither Arrow nor DuckDB.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"procwire.engine.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
