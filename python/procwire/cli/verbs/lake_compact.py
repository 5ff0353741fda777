"""`procwire lake compact`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb
from procwire.cli.verbs.shared import LAKE

__all__ = ["VERB"]

VERB = Verb(
    "lake.compact",
    """Sort each day into few files, which makes it small and quick to ask; delete files that nobody reads any more.

Queries, readings and recordings may go on meanwhile. What is replaced is deleted a day later, by the next compact.""",
    [
        LAKE.named("location"),
    ],
)
