"""`procwire lake export`: its options."""

from __future__ import annotations

from procwire.choices import EVENT_TABLES
from procwire.cli.parser import Verb, number, option
from procwire.cli.verbs.shared import EVENT_COLUMNS, FORCE, LAKE, NAMES, OUTPUT, SINCE, TO, UNTIL, WHERE

__all__ = ["VERB"]

VERB = Verb(
    "lake_export.export",
    """Write the lake's rows, all or those of a period, in any format. Days are in order.""",
    [
        LAKE.named("location"),
        option(
            "--table",
            choices=EVENT_TABLES,
            default="connections",
            help="The table to write: connections, or the events that give them context.",
        ),
        SINCE,
        UNTIL,
        TO,
        OUTPUT,
        FORCE,
        NAMES,
        EVENT_COLUMNS,
        WHERE,
        option("--sort", metavar="COLUMN,...", help="Sort; -COLUMN is descending."),
        option("--limit", metavar="N", type=number(1), help="Stop after N rows."),
    ],
    """\
Examples:
  procwire lake export --since 7d -o week.parquet
  procwire lake export --since 2024-03-01 --until 2024-03-02T12:00 --to csv
  procwire lake export --where "process_name LIKE '%powershell.exe'" --sort event_creation_time
""",
)
