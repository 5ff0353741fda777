"""`procwire lake compact`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb
from procwire.cli.verbs.shared import LAKE

__all__ = ["VERB"]

VERB = Verb(
    "lake.compact",
    """Sort each day into few files, which makes it small and fast to query; delete files that no query needs.

Queries, readings and recordings may run meanwhile. Replaced files are deleted a day later, by the next compact.""",
    [
        LAKE.named("location"),
    ],
)
