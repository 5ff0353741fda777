"""`procwire guid`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, option

__all__ = ["VERB"]

VERB = Verb(
    "guid.guid",
    """Decode ProcessGuids: machine, start of the process to the second, and the key that distinguishes processes.

The kind of key is inferred from its form, since a GUID does not name its writer.""",
    [
        argument("guids", metavar="GUID", count="+", help="ProcessGuids, with or without braces, in either case."),
        option("--to", choices=("text", "json"), default="text", help="Format of the result."),
    ],
)
