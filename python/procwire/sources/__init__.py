"""The ways in: logs of every kind become batches of `procwire.event.SCHEMA`, a live machine of `LIVE_SCHEMA`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.sources.logs import read_batches

__all__ = ["read_batches"]


def __getattr__(name: str) -> object:
    # On first use: a recorder gives up privileges before Arrow, which begins threads, is imported.
    if name == "read_batches":
        from procwire.sources.logs import read_batches

        return read_batches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
