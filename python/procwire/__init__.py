"""procwire: which process talked to which peer.

Reads Sysmon's network connection events (event 3) from every common log format into one typed table, and records those
of this machine. `read` returns a table, `scan` batches, `export` a file, and `connect` a database for queries; `hunt`
and `detect` find suspicious connections; `record` records; `Lake` stores events for months. A `Ledger` counts what was
read and what was damaged. docs/python.md has examples.
"""

from __future__ import annotations

# Not from `typing`: importing it takes as long as starting Python.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procwire.api import Detection, HuntResult, Scan, detect, export, hunt, read, read_into_lake, record, scan
    from procwire.errors import InputError, ProcwireError, UsageError
    from procwire.event import SCHEMA
    from procwire.guid import ProcessGuid, decode_guid
    from procwire.lake import Lake
    from procwire.ledger import Ledger
    from procwire.query import connect
    from procwire.recorder.session import RecordingResult
    from procwire.sources.limits import UnpackLimits
    from procwire.version import __version__

__all__ = [
    "SCHEMA",
    "Detection",
    "HuntResult",
    "InputError",
    "Lake",
    "Ledger",
    "ProcessGuid",
    "ProcwireError",
    "RecordingResult",
    "Scan",
    "UnpackLimits",
    "UsageError",
    "__version__",
    "connect",
    "decode_guid",
    "detect",
    "export",
    "hunt",
    "read",
    "read_into_lake",
    "record",
    "scan",
]

_HOMES = {
    "SCHEMA": "event",
    "Detection": "api",
    "HuntResult": "api",
    "InputError": "errors",
    "Lake": "lake",
    "Ledger": "ledger",
    "ProcessGuid": "guid",
    "ProcwireError": "errors",
    "RecordingResult": "recorder.session",
    "Scan": "api",
    "UnpackLimits": "sources.limits",
    "UsageError": "errors",
    "__version__": "version",
    "connect": "query",
    "decode_guid": "guid",
    "detect": "api",
    "export": "api",
    "hunt": "api",
    "read": "api",
    "read_into_lake": "api",
    "record": "api",
    "scan": "api",
}


def __getattr__(name: str) -> Any:
    # Import on first use: importing Arrow takes longer than `procwire --version` may.
    if name not in _HOMES:
        raise AttributeError(f"module 'procwire' has no attribute {name!r}")
    from importlib import import_module

    from procwire.extras import named_extras

    with named_extras():
        return getattr(import_module(f"procwire.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
