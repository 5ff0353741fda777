"""Write sinks: batches of the event table to bytes, one file per format, and the table of formats."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procwire.sinks.formats import SINKS, Format, open_sink, sink_for_suffix
    from procwire.sinks.glance import AT_A_GLANCE, CONNECTION_COLUMNS, RECORDING_COLUMNS
    from procwire.sinks.protocol import Sink, Terminal, write_all

__all__ = [
    "AT_A_GLANCE",
    "CONNECTION_COLUMNS",
    "RECORDING_COLUMNS",
    "SINKS",
    "Format",
    "Sink",
    "Terminal",
    "open_sink",
    "sink_for_suffix",
    "write_all",
]

_HOMES = {
    "AT_A_GLANCE": "glance",
    "CONNECTION_COLUMNS": "glance",
    "RECORDING_COLUMNS": "glance",
    "SINKS": "formats",
    "Format": "formats",
    "Sink": "protocol",
    "Terminal": "protocol",
    "open_sink": "formats",
    "sink_for_suffix": "formats",
    "write_all": "protocol",
}


def __getattr__(name: str) -> object:
    # On first use: a recording of lines does not import Arrow.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"procwire.sinks.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
