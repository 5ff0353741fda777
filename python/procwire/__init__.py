"""procwire: which process talked to whom.

Reads Sysmon's network connection events (event 3) from every log in which they reach people, into one
typed table. `read` gives a table, `scan` a stream, `connect` a database to ask; `Ledger` tells what was seen,
and what was damaged.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procwire.api import read, scan
    from procwire.database import connect
    from procwire.errors import InputError, ProcwireError, UsageError
    from procwire.event import SCHEMA
    from procwire.guid import ProcessGuid, decode_guid
    from procwire.ledger import Ledger
    from procwire.sources.limits import UnpackLimits

__all__ = [
    "SCHEMA",
    "InputError",
    "Ledger",
    "ProcessGuid",
    "ProcwireError",
    "UnpackLimits",
    "UsageError",
    "connect",
    "decode_guid",
    "read",
    "scan",
]

_HOMES = {
    "SCHEMA": "event",
    "InputError": "errors",
    "Ledger": "ledger",
    "ProcessGuid": "guid",
    "ProcwireError": "errors",
    "UnpackLimits": "sources.limits",
    "UsageError": "errors",
    "connect": "database",
    "decode_guid": "guid",
    "read": "api",
    "scan": "api",
}


def __getattr__(name: str) -> Any:
    # On first use: importing Arrow takes longer than `procwire --version` may.
    if name not in _HOMES:
        raise AttributeError(f"module 'procwire' has no attribute {name!r}")
    from procwire.extras import named_extras

    with named_extras():
        return getattr(import_module(f"procwire.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
