"""The verbs put together."""

from __future__ import annotations

from typing import Annotated

import typer

from procwire.cli.commands import App
from procwire.cli.config import config
from procwire.cli.detect import EXAMPLES as DETECT_EXAMPLES
from procwire.cli.detect import detect
from procwire.cli.dictionary import dictionary
from procwire.cli.guid import guid
from procwire.cli.hunt import EXAMPLES as HUNT_EXAMPLES
from procwire.cli.hunt import hunt
from procwire.cli.lake import lake
from procwire.cli.read import EXAMPLES, read
from procwire.cli.record import EXAMPLES as RECORD_EXAMPLES
from procwire.cli.record import RecordCommand, record
from procwire.cli.rules_group import rules
from procwire.cli.sql import EXAMPLES as SQL_EXAMPLES
from procwire.cli.sql import sql
from procwire.cli.version import version_line

__all__ = ["app"]

app = App(name="procwire", pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
app.command(epilog=EXAMPLES)(read)
app.command(cls=RecordCommand, epilog=RECORD_EXAMPLES)(record)
app.command(epilog=HUNT_EXAMPLES)(hunt)
app.command(epilog=DETECT_EXAMPLES)(detect)
app.command(epilog=SQL_EXAMPLES)(sql)
app.add_typer(config, name="config")
app.add_typer(rules, name="rules")
app.add_typer(lake, name="lake")
app.command()(dictionary)
app.command()(guid)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_line())
        raise typer.Exit


@app.callback(epilog="`procwire VERB --help` describes a verb.")
def procwire(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Which process talked to whom: network connections (Sysmon's event 3) from every log, in one typed table."""
    del version
