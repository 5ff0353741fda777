"""`procwire dictionary`: its options."""

from __future__ import annotations

from procwire.choices import NAMES
from procwire.cli.parser import Verb, option

__all__ = ["VERB"]

VERB = Verb(
    "dictionary.dictionary",
    """Print the data dictionary: every column's name, Sysmon's name for it, type, group, meaning and a sample.

Derived columns are computed on request: name them in `procwire read --columns`.""",
    [
        option("--names", choices=NAMES, default="ossem", help="Vocabulary of the first column."),
        option("--to", choices=("table", "markdown", "json"), default="table", help="Format of the dictionary."),
        option(
            "--event",
            metavar="EVENT",
            default="connection",
            help="Whose columns: connection (or 3), process-creation (1), dns-query (22).",
        ),
    ],
)
