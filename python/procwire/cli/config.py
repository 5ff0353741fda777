"""`procwire config`: the verbs about Sysmon's configuration files, each in a file of its own."""

from __future__ import annotations

import typer

from procwire.cli.config_check import EXAMPLES as CHECK_EXAMPLES
from procwire.cli.config_check import check

__all__ = ["config"]

config = typer.Typer(
    name="config",
    help="Sysmon's configuration files: find their mistakes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
config.command(epilog=CHECK_EXAMPLES)(check)


@config.callback()
def _group() -> None:
    """Here, so that a sole verb is one of a group as well."""
