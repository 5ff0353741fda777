"""`procwire hunt`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, flag, number, option, path
from procwire.cli.verbs.shared import (
    COLUMNS,
    FILES,
    FORCE,
    LAKE,
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
    "hunt.hunt",
    """Run a query that is useful in every network, such as which programs call home at regular intervals.

Hunts in the lake, or in logs that you name. Rows go to stdout or to a file, the most remarkable first.""",
    [
        argument("name", metavar="NAME", count="?", help="The hunt; without one, all are listed."),
        LOGS,
        FILES,
        flag("--describe", help="Show what the hunt does, its parameters and columns."),
        LAKE,
        SINCE,
        UNTIL,
        option("--param", "-p", metavar="NAME=VALUE", repeated=True, help="A parameter. May be repeated."),
        option(
            "--hunts",
            metavar="DIR",
            type=path,
            repeated=True,
            environment="PROCWIRE_HUNTS",
            help="Folder with your own hunts. May be repeated.",
        ),
        ROWS_TO,
        OUTPUT,
        FORCE,
        COLUMNS,
        option("--limit", metavar="N", type=number(1), help="The first N rows."),
        *QUERY_LIMITS,
        UNPACK,
    ],
    """\
Examples:
  procwire hunt                                      the list of hunts
  procwire hunt beacons --describe                   what a hunt does, its parameters and columns
  procwire hunt beacons logs/                        over every log of a folder
  procwire hunt beacons --since 7d                   over the last week of the lake
  procwire hunt fan_out --param min_hosts=50 -o sweeps.csv
  procwire hunt process_profile --param process=powershell.exe --to csv
  procwire hunt beacons --engine spark --master spark://head:7077
  procwire hunt mine --hunts ~/hunts                 your own hunt

Exit codes:
  0    done, whether anything was found or not (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used
  3    done, but the logs are damaged: only what was readable was searched
  130  ended by Ctrl-C, 143 by SIGTERM
""",
    groups=[QUERY],
)
