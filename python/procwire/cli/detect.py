"""`procwire detect`: Sigma rules over the lake, or over logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from procwire.cli.detecting import Request, run
from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.request import Level
from procwire.cli.sought import (
    EngineOption,
    LakeOption,
    MasterOption,
    MemoryOption,
    SinceOption,
    Sought,
    SpillOption,
    TimeoutOption,
    UntilOption,
)
from procwire.cli.targets import check_targets
from procwire.cli.unpacking import UnpackOption
from procwire.cli.ways import ForceOption, OutputOption, RowsToOption

__all__ = ["EXAMPLES", "detect"]

EXAMPLES = """\b
Examples:
  procwire detect --rules rules/ Sysmon.evtx         which rules match, on which host, and why
  procwire detect --rules rules/ --since 7d          over the lake, the last week of it
  procwire detect --rules rules/ --level high logs/ --to ndjson | jq .
  procwire detect --rules base/ --rules ours.yml logs/ -o matches.parquet
  procwire detect --rules rules/ --engine spark --master spark://head:7077
  procwire detect --rules rules/ new.evtx || [ $? -ne 4 ] || page-someone
  procwire rules check rules/ logs/                  what keeps rules from matching

\b
Exit codes:
  0    nothing matched (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used, there is no lake, or no rule that runs
  3    nothing matched, in logs with damage
  4    there are matches
  130  ended by Ctrl-C, 143 by SIGTERM
"""


@ends_well
def detect(
    rules: Annotated[
        list[Path],
        typer.Option(metavar="PATH", help="Sigma rules: a file, or a folder with all below it. May be repeated."),
    ],
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LOG]...", help="Logs to look in, or Parquet files; without one the lake.", show_default=False
        ),
    ] = None,
    lake: LakeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    level: Annotated[Level | None, typer.Option(help="Leave out rules below this level. [default: none]")] = None,
    to: RowsToOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    columns: Annotated[str | None, typer.Option(metavar="A,B,...", help="These columns of the matches.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="The first N matches, of a table the latest N; 0 is all. [default: all; table: 20]",
        ),
    ] = None,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    memory: MemoryOption = None,
    spill: SpillOption = None,
    timeout: TimeoutOption = "1h",
    unpack: UnpackOption = None,
) -> ExitCode:
    """Detect: run Sigma rules over the lake, or over logs, and tell what matches, and why.

    Each match is a row: the rule, the fields and values that made it match, and the event. A table begins with what
    matched on which host. Exit code 4 says that there are matches.
    """
    check_targets([("-o", output)], [*(logs or ()), *rules], force=force)
    sought = Sought(logs, lake, since, until, engine, master, memory, spill, timeout, unpack)
    return run(Request(rules, sought, level, to, output, columns, limit, force))
