"""Options that several verbs have, each declared once."""

from __future__ import annotations

from procwire.choices import ENGINES
from procwire.choices import NAMES as VOCABULARIES
from procwire.cli.parser import Group, argument, flag, option, output_path
from procwire.sinks.formats import EXPORT_FORMATS, ROW_FORMATS

__all__ = [
    "COLUMNS",
    "EVENT_COLUMNS",
    "FILES",
    "FORCE",
    "LAKE",
    "LISTS",
    "LOGS",
    "NAMES",
    "OUTPUT",
    "QUERY",
    "QUERY_LIMITS",
    "ROWS_TO",
    "SINCE",
    "TO",
    "UNPACK",
    "UNTIL",
    "WHERE",
    "YES",
]

LOGS = argument("logs", metavar="LOG", count="*", help="Logs, as for `read`, or Parquet files. [default: the lake]")
FILES = option("--files", parameter="logs", metavar="LOG", repeated=True, hidden=True, help="Former spelling of LOG.")
LISTS = option(
    "--list",
    metavar="NAME=FILE",
    parameter="list_",
    repeated=True,
    help="Values of the placeholder %%NAME%% in Sigma rules: one a line, or a column of a .csv file. May be repeated.",
)
LAKE = option("--lake", metavar="DIR", help="The lake: a folder or URI. [default: PROCWIRE_LAKE, else the user's own]")
SINCE = option("--since", metavar="TIME", help="From this time on: 7d (ago), 2024-03-01, 2024-03-01T12:00 (UTC).")
UNTIL = option("--until", metavar="TIME", help="Before this time, in the same forms.")
ENGINE = option(
    "--engine", choices=ENGINES, default="duckdb", help="Query engine: DuckDB on this machine, or Spark on a cluster."
)
MASTER = option(
    "--master",
    metavar="URL",
    help="Where Spark runs: spark://host:7077, yarn, local[4]. [default: as configured, else this machine]",
)
MEMORY = option(
    "--memory", metavar="SIZE", help="Memory that the query may use: 4GiB. [default: half of the machine's]"
)
SPILL = option(
    "--spill", metavar="SIZE", help="Temporary files of the query, in TMPDIR. [default: half of what is free there]"
)
TIMEOUT = option(
    "--timeout",
    metavar="TIME",
    default="1h",
    help="End the query after this time, such as 10m; none is no limit. [default: 1h]",
)
QUERY_LIMITS = (ENGINE, MASTER, MEMORY, SPILL, TIMEOUT)
"""Options for where a query runs, and its limits."""
_TO_HELP = "Format of the result. [default: by the suffix of -o; table on a terminal; else ndjson]"
TO = option("--to", choices=EXPORT_FORMATS, help=_TO_HELP)
ROWS_TO = option("--to", choices=ROW_FORMATS, help=_TO_HELP)
OUTPUT = option("--output", "-o", metavar="FILE", type=output_path, help="Write to FILE instead of stdout.")
FORCE = flag("--force", help="Overwrite existing files; without it they are never touched.")
COLUMNS = option("--columns", metavar="A,B,...", help="These columns of the result.")
EVENT_COLUMNS = option(
    "--columns", metavar="A,B,...", help="Columns of the result, in this order; `procwire dictionary` lists them."
)
NAMES = option(
    "--names",
    choices=VOCABULARIES,
    default="ossem",
    help="Names of the columns: OSSEM's, Sysmon's own, or OSSEM's current ones (CDM).",
)
WHERE = option(
    "--where",
    metavar="SQL",
    repeated=True,
    help="Keep rows for which this predicate holds, in DuckDB's SQL over the columns. May be repeated: all must hold.",
)
UNPACK = option(
    "--unpack-limits",
    parameter="unpack",
    metavar="LIMIT=N,...",
    help="Limits for packed files; what exceeds them is damage: ratio (of a packing, over 256 MiB), size (in "
    "total), members, nesting. [default: ratio=1000,size=64GiB,members=100000,nesting=4]",
)
YES = flag("--yes", help="Do not ask. Required if there is no terminal to ask on.")
QUERY = Group("options", "query_options.QueryOptions", (LOGS, LAKE, SINCE, UNTIL, *QUERY_LIMITS, UNPACK))
"""The options that `sql`, `hunt` and `detect` have in common: what to query, and how."""
