"""`procwire map try`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, number, option, path
from procwire.cli.verbs.shared import NAMES

__all__ = ["VERB"]

VERB = Verb(
    "map.attempt",
    """Show what a mapping makes of the first records of a log, field by field, and the keys that it does not use.

The rows go to stdout, the unused keys and the summary to stderr.""",
    [
        argument("mapping", metavar="FILE", type=path, help="The mapping: a TOML file."),
        argument("logs", metavar="LOG", count="+", help="Logs of JSON, or of CSV with a header; packed ones, too."),
        option("--limit", metavar="N", type=number(1), default=3, help="Show N rows."),
        NAMES,
    ],
    """\
Examples:
  procwire map try edr.toml edr.ndjson             the first three connections
  procwire map try edr.toml logs/ --limit 20

Exit codes:
  0  rows were shown
  1  no log could be read, or no record became a row
  2  the mapping or the command line cannot be used
  3  read with damage
""",
)
