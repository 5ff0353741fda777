"""The former name of `query.runner`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.engine import Limits
    from procwire.query import QueryRunner
    from procwire.query.protocol import Connection

__all__ = ["asking"]


@contextmanager
def asking(connection: Connection, limits: Limits | None = None) -> Iterator[QueryRunner]:
    """Ask `connection` until the end of the block; on a terminal, what takes long shows how far it is."""
    from procwire.cli.progress import query_progress
    from procwire.query import QueryRunner

    yield QueryRunner(connection, limits, query_progress)
