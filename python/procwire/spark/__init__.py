"""Spark: queries a lake's newest snapshot on a cluster, in the same SQL as on one machine. See docs/scale.md.

It needs the extra `procwire[spark]`, and Java.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.spark.connection import SparkConnection, SparkRelation, connect

__all__ = ["SparkConnection", "SparkRelation", "connect"]


def __getattr__(name: str) -> object:
    # Import on first use: finding Java does not need sqlglot, which may not be installed.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module("procwire.spark.connection"), name)
    except ModuleNotFoundError as error:
        raise UsageError(f"found no {error.name}, expected it for Spark: pip install 'procwire[spark]'") from error
