"""`procwire config explain`: what a Sysmon configuration says of network connections, and how it decides over one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.sysmon.model import Configuration

__all__ = ["EXAMPLES", "ExplainFormat", "explain"]

ExplainFormat = Literal["text", "json"]

EXAMPLES = """\b
Examples:
  procwire config explain sysmonconfig.xml
  procwire config explain sysmonconfig.xml --event Sysmon.evtx --limit 3
  procwire config explain sysmonconfig.xml --match 'Image=C:\\Windows\\System32\\mshta.exe,DestinationPort=443'
  procwire config explain sysmonconfig.xml --sql > logged.sql

\b
  procwire read Sysmon.evtx --where 'dst_port = 8080' --to xml |
    procwire config explain sysmonconfig.xml --event -

\b
Exit codes:
  0    explained
  1    the log of --event cannot be read, or holds no network connection
  2    the command line or the configuration cannot be used
  3    explained, and the log of --event is damaged
"""


@ends_well
def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Sysmon configuration.", show_default=False)],
    event: Annotated[
        str | None,
        typer.Option(metavar="LOG", help="Show step by step what decides over the connections of a log; - is stdin."),
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE,...",
            help="The same for a connection that you describe, under Sysmon's names or the standard ones. May be "
            "repeated: all describe the one connection.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Connections of --event to show.")] = 10,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every filter that was asked, not only those that tell.")
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print only the SQL, as a query over the table connections.")
    ] = False,
    strict_sysmon: Annotated[
        bool, typer.Option("--strict-sysmon", help="With Sysmon's bug: names left by rules that did not match.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Read on where Sysmon refuses the file: old schemas, faulty rules.")
    ] = False,
    to: Annotated[ExplainFormat, typer.Option(help="Format of the explanation.")] = "text",
) -> ExitCode:
    """Explain what a Sysmon configuration logs of network connections: the rules as logic, and as SQL.

    With --event or --match: what it decides over a connection, step by step, and which rule decided.
    """
    from procwire.sysmon.parse import load

    if (event is not None) + bool(match) + sql > 1:
        raise UsageError("found several of --event, --match and --sql, expected one of them")
    configuration = load(file, lenient=lenient)
    if sql:
        _write_query(configuration, strict=strict_sysmon)
    elif event is None and not match:
        _explain(configuration, to, strict=strict_sysmon)
    else:
        from procwire.cli.decisions import show_decisions

        return show_decisions(
            configuration,
            log=event,
            descriptions=match or [],
            limit=limit,
            to=to,
            strict=strict_sysmon,
            verbose=verbose,
        )
    return ExitCode.ALL_READ


def _write_query(configuration: Configuration, *, strict: bool) -> None:
    from procwire.sinks.plain import plain
    from procwire.sysmon.query import query

    text = query(configuration, strict=strict)
    sys.stdout.write(plain(text) if sys.stdout.isatty() else text)


def _explain(configuration: Configuration, to: ExplainFormat, *, strict: bool) -> None:
    from procwire.sysmon.explaining.logic import described
    from procwire.sysmon.sql import compile_sql

    try:
        sql = compile_sql(configuration, strict=strict)
    except UsageError as error:
        # What the rules say is shown all the same.
        sql = f"/* {error} */"
    if to == "json":
        sys.stdout.write(json.dumps({**described(configuration), "sql": sql}, indent=2) + "\n")
    else:
        _write_logic(configuration, sql)


def _write_logic(configuration: Configuration, sql: str) -> None:
    from procwire.cli.page import Page
    from procwire.sysmon.explaining.logic import element_lines, finding_lines, head_lines

    page = Page()
    page.lines(head_lines(configuration))
    for element in configuration.evaluation_order:
        page.line()
        page.listing(element_lines(element))
    if configuration.findings:
        page.line()
        page.line("Beside the rules:", strong=True)
        page.listing(finding_lines(configuration))
    page.line()
    page.line("As SQL over the table's columns; null: not logged, '-': logged without a RuleName", strong=True)
    page.lines(sql.split("\n"))
