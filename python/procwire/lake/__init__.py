"""The lake: connections stored for months, in Delta tables in a folder or an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.lake.lake import Lake

__all__ = ["Lake"]


def __getattr__(name: str) -> object:
    # Import on first use: deltalake takes long to import, and the location of a lake does not need it.
    if name == "Lake":
        from procwire.lake.lake import Lake

        return Lake
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
