"""`procwire lake info`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, flag, option
from procwire.cli.verbs.shared import LAKE

__all__ = ["VERB"]

VERB = Verb(
    "lake.info",
    """Tell what the lake holds, and of every log and recording what it gave, lost, and what was there already.""",
    [
        LAKE.named("location"),
        flag("--readings", help="Every log and recording, not only the last ten."),
        option("--to", choices=("text", "json"), default="text", help="Format; json is one object."),
    ],
)
