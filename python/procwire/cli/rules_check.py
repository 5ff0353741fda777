"""`procwire rules check`: which Sigma rules run, and which cannot match anything, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.sought import SinceOption, Sought, UntilOption
from procwire.cli.unpacking import UnpackOption

__all__ = ["EXAMPLES", "CheckFormat", "check"]

CheckFormat = Literal["text", "ndjson"]

EXAMPLES = """\b
Examples:
  procwire rules check rules/                        which rules run, and why others do not
  procwire rules check rules/ logs/                  which can match in these logs, and which do
  procwire rules check rules/ --lake /srv/lake       the same of a lake
  procwire rules check rules/ --config sysmon.xml    which of them the Sysmon configuration leaves blind
  procwire rules check rule.yml --sql                the rule in SQL
  procwire rules check rules/ logs/ --to ndjson | jq -r 'select(.status == "cannot match").title'

\b
Each rule is a line PATH:LINE: STATUS: TITLE, as editors and CI know them:
  matches       it does, in these logs
  runs          it could, and does not, or there are no logs to tell
  cannot match  not in these logs, whatever happens: what it asks for is never there
  filtered      the Sysmon configuration does not log what it looks for
  not run       it has a mistake, or asks for what connections do not have
  not ours      it is about other events than network connections (shown with --all)

\b
Exit codes:
  0    every rule about network connections runs, and can match
  1    some do not, or cannot; or nothing could be read
  2    the command line cannot be used, or there is no lake
  3    as 0, of logs with damage
  130  ended by Ctrl-C, 143 by SIGTERM
"""


@ends_well
def check(
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="Sigma rules: a file, or a folder.", show_default=False)
    ],
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LOG]...", help="Logs that they are to match in, or Parquet files.", show_default=False
        ),
    ] = None,
    lake: Annotated[
        str | None, typer.Option(metavar="DIR", help="The lake that they are to match in: a folder or URI.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The Sysmon configuration that decides what is logged.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Show each rule's SQL, and nothing else.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also rules about other events.")] = False,
    to: Annotated[CheckFormat, typer.Option(help="Format of the report; ndjson is one object a line.")] = "text",
    unpack: UnpackOption = None,
) -> ExitCode:
    """Check Sigma rules: which run, and which can match nothing in logs, or under a Sysmon configuration, and why.

    The report goes to stdout, a summary to stderr.
    """
    from procwire.cli.rules_checking import Request, run, show_sql

    if sql:
        return show_sql(rules, to)
    return run(Request(rules, Sought(logs, lake, since, until, unpack=unpack), config, all_, to))
