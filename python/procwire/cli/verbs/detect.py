"""`procwire detect`: its options."""

from __future__ import annotations

from procwire.choices import LEVELS
from procwire.cli.parser import Verb, number, option, path
from procwire.cli.verbs.shared import (
    COLUMNS,
    FILES,
    FORCE,
    LAKE,
    LISTS,
    LOGS,
    OUTPUT,
    QUERY,
    QUERY_LIMITS,
    ROWS_TO,
    SINCE,
    UNPACK,
    UNTIL,
)

__all__ = ["VERB"]

VERB = Verb(
    "detect.detect",
    """Run Sigma rules over the lake, or over logs, and show what matches, and why.

Each match is a row: the rule, the fields and values that made it match, and the event. A table begins with the number
of matches of each rule on each host. Exit code 4 says that there are matches.""",
    [
        option(
            "--rules",
            metavar="PATH",
            type=path,
            repeated=True,
            required=True,
            help="Sigma rules: a file, or a folder with everything below it. May be repeated.",
        ),
        LOGS,
        FILES,
        LAKE,
        SINCE,
        UNTIL,
        LISTS,
        option("--level", choices=LEVELS, help="Leave out rules below this level. [default: none]"),
        ROWS_TO,
        OUTPUT,
        FORCE,
        COLUMNS,
        option(
            "--limit",
            metavar="N",
            type=number(0),
            help="The first N matches, in a table the latest N; 0 is all. [default: all; table: 20]",
        ),
        *QUERY_LIMITS,
        UNPACK,
    ],
    """\
Examples:
  procwire detect --rules rules/ Sysmon.evtx         which rules match, on which host, and why
  procwire detect --rules rules/ --since 7d          over the last week of the lake
  procwire detect --rules rules/ --level high logs/ --to ndjson | jq .
  procwire detect --rules base/ --rules ours.yml logs/ -o matches.parquet
  procwire detect --rules rules/ --engine spark --master spark://head:7077
  procwire detect --rules rules/ new.evtx || [ $? -ne 4 ] || page-someone
  procwire sigma check rules/ logs/                  what prevents rules from matching

Exit codes:
  0    nothing matched (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used, there is no lake, or no rule that runs
  3    nothing matched, in logs with damage
  4    there are matches
  130  ended by Ctrl-C, 143 by SIGTERM
""",
    groups=[QUERY],
)
