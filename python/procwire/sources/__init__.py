"""Read sources: logs of every kind become batches of `procwire.event.EVENTS`, a live machine's of `LIVE_SCHEMA`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.sources.logs import read_batches, read_events

__all__ = ["read_batches", "read_events"]


def __getattr__(name: str) -> object:
    # On first use: a recorder drops privileges before it imports Arrow, which starts threads.
    if name in __all__:
        from procwire.sources import logs

        return getattr(logs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
