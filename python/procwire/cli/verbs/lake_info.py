"""`procwire lake info`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, flag, option
from procwire.cli.verbs.shared import LAKE

__all__ = ["VERB"]

VERB = Verb(
    "lake.info",
    """Show what the lake holds, and for every log and recording the rows that were added, lost and already stored.""",
    [
        LAKE.named("location"),
        flag("--readings", help="Show every log and recording, not only the last ten."),
        option("--to", choices=("text", "json"), default="text", help="Format; json is one object."),
    ],
)
