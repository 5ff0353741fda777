"""The former names of what `cli.options` and `query` have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from procwire.cli.options import LakeOption, SinceOption, UntilOption
from procwire.cli.options import QueryOptions as Sought

if TYPE_CHECKING:
    from procwire.ledger import Ledger
    from procwire.query.protocol import Connection

__all__ = ["LakeOption", "SinceOption", "Sought", "UntilOption", "opened"]


@contextmanager
def opened(sought: Sought, *, called: str = "logs") -> Iterator[tuple[Connection, Ledger | None]]:
    """Open what the options stand for."""
    from procwire.cli.options import option_names
    from procwire.cli.progress import query_progress
    from procwire.query import open_source

    with open_source(sought.source(), progress=query_progress, names=option_names(called)) as source:
        yield source.connection, source.ledger
