"""`procwire config`: what Sysmon's configuration files say."""

from __future__ import annotations

import typer

from procwire.cli.config_check import EXAMPLES as CHECK_EXAMPLES
from procwire.cli.config_check import check

__all__ = ["config"]

config = typer.Typer(
    help="Sysmon's configuration files: what they log of network connections, and why.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
config.command("check", epilog=CHECK_EXAMPLES)(check)
