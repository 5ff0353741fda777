"""The lake: connections kept for months, in Delta tables of a folder or an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.lake.lake import Lake

__all__ = ["Lake"]


def __getattr__(name: str) -> object:
    # On first use: deltalake takes long to import, and the location of a lake is asked for without it.
    if name == "Lake":
        from procwire.lake.lake import Lake

        return Lake
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
