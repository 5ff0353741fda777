"""`procwire map propose`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument

__all__ = ["VERB"]

VERB = Verb(
    "map.propose",
    """Propose a mapping for a log of unknown format, from the names of its keys and the values of its first records.

The mapping goes to stdout: a TOML file for `procwire read --map`. Check it: it is a guess. Keys that it does not use
are comments at its end.""",
    [argument("logs", metavar="LOG", count="+", help="Logs of JSON, or of CSV with a header; packed ones, too.")],
    """\
Examples:
  procwire map propose edr.ndjson > edr.toml       a mapping to begin with
  procwire map try edr.toml edr.ndjson             what it makes of the log
  procwire read --map edr.toml edr.ndjson          the connections of the log

Exit codes:
  0  proposed
  1  no log could be read, or none has records
  2  the command line cannot be used
""",
)
