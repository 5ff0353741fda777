"""`procwire config explain`: what a Sysmon configuration says of network connections, and how it decides over one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode
from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.sysmon.model import Configuration

__all__ = ["ExplainFormat", "explain"]

ExplainFormat = Literal["text", "json"]


def explain(
    file: Path,
    logs: list[str] | None = None,
    match: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 10,
    verbose: bool = False,
    sql: bool = False,
    strict_sysmon: bool = False,
    lenient: bool = False,
    to: ExplainFormat = "text",
) -> ExitCode:
    """Run `procwire config explain`, whose options and help are in `verbs`; return its exit code."""
    from procwire.sysmon.parse import load

    if bool(logs) + bool(match) + sql > 1:
        raise UsageError("found several of logs, --match and --sql, expected one of them")
    if not logs and (since is not None or until is not None):
        raise UsageError("found --since or --until without a log, expected both")
    configuration = load(file, lenient=lenient)
    if sql:
        _write_query(configuration, strict=strict_sysmon)
    elif not logs and not match:
        _explain(configuration, to, strict=strict_sysmon)
    else:
        from procwire.cli.decisions import show_decisions
        from procwire.cli.query_options import period

        return show_decisions(
            configuration,
            logs=logs or [],
            period=period(since, until),
            descriptions=match or [],
            limit=limit,
            to=to,
            strict=strict_sysmon,
            verbose=verbose,
        )
    return ExitCode.ALL_READ


def _write_query(configuration: Configuration, *, strict: bool) -> None:
    from procwire.plain import plain
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
