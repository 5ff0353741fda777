"""The ways out: batches of the event table to bytes, one file per format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procwire.sinks.protocol import Sink, Terminal, Way

if TYPE_CHECKING:
    from procwire.sinks.ways import (
        AT_A_GLANCE,
        CONNECTION_COLUMNS,
        RECORDING_COLUMNS,
        SINKS,
        open_sink,
        sink_for_suffix,
    )

__all__ = [
    "AT_A_GLANCE",
    "CONNECTION_COLUMNS",
    "RECORDING_COLUMNS",
    "SINKS",
    "Sink",
    "Terminal",
    "Way",
    "open_sink",
    "sink_for_suffix",
]


def __getattr__(name: str) -> object:
    # On first use: a recording of lines does without Arrow.
    if name in __all__:
        from procwire.sinks import ways

        return getattr(ways, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
