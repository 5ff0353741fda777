"""`procwire config`: what Sysmon's configuration files say."""

from __future__ import annotations

from procwire.cli.commands import App
from procwire.cli.config_check import EXAMPLES as CHECK_EXAMPLES
from procwire.cli.config_check import check
from procwire.cli.config_explain import EXAMPLES as EXPLAIN_EXAMPLES
from procwire.cli.config_explain import explain
from procwire.cli.config_trial import EXAMPLES as TEST_EXAMPLES
from procwire.cli.config_trial import try_configuration

__all__ = ["config"]

config = App(help="Sysmon's configuration files: what they log of network connections, and why.")
config.command("check", epilog=CHECK_EXAMPLES)(check)
config.command("explain", epilog=EXPLAIN_EXAMPLES)(explain)
config.command("test", epilog=TEST_EXAMPLES)(try_configuration)
