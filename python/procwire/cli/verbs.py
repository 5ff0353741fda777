"""The verbs, put together: all of them, or the one that is called, since to import the others takes longer than it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from procwire.cli.commands import App

__all__ = ["app_of"]


def app_of(verb: str | None = None) -> App:
    """Make the command line with one verb only; with all of them where `verb` is None or none of these."""
    app = App(name="procwire", pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
    for add in [_VERBS[verb]] if verb in _VERBS else _VERBS.values():
        add(app)
    app.callback(epilog="`procwire VERB --help` describes a verb.")(_procwire)
    return app


def _read(app: App) -> None:
    from procwire.cli.read import EXAMPLES, read

    app.command(epilog=EXAMPLES)(read)


def _record(app: App) -> None:
    from procwire.cli.record import EXAMPLES, RecordCommand, record

    app.command(cls=RecordCommand, epilog=EXAMPLES)(record)


def _hunt(app: App) -> None:
    from procwire.cli.hunt import EXAMPLES, hunt

    app.command(epilog=EXAMPLES)(hunt)


def _detect(app: App) -> None:
    from procwire.cli.detect import EXAMPLES, detect

    app.command(epilog=EXAMPLES)(detect)


def _sql(app: App) -> None:
    from procwire.cli.sql import EXAMPLES, sql

    app.command(epilog=EXAMPLES)(sql)


def _config(app: App) -> None:
    from procwire.cli.config import config

    app.add_typer(config, name="config")


def _rules(app: App) -> None:
    from procwire.cli.rules_group import rules

    app.add_typer(rules, name="rules")


def _lake(app: App) -> None:
    from procwire.cli.lake import lake

    app.add_typer(lake, name="lake")


def _dictionary(app: App) -> None:
    from procwire.cli.dictionary import dictionary

    app.command()(dictionary)


def _guid(app: App) -> None:
    from procwire.cli.guid import guid

    app.command()(guid)


_VERBS: dict[str | None, Callable[[App], None]] = {
    "read": _read,
    "record": _record,
    "hunt": _hunt,
    "detect": _detect,
    "sql": _sql,
    "config": _config,
    "rules": _rules,
    "lake": _lake,
    "dictionary": _dictionary,
    "guid": _guid,
}
"""In the order of the help."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from procwire.cli.version import version_line

        typer.echo(version_line())
        raise typer.Exit


def _procwire(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Which process talked to whom: network connections (Sysmon's event 3) from every log, in one typed table."""
    del version
