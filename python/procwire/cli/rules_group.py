"""`procwire rules`: for people who write and keep Sigma rules."""

from __future__ import annotations

from procwire.cli.commands import App
from procwire.cli.rules_check import EXAMPLES as CHECK_EXAMPLES
from procwire.cli.rules_check import check
from procwire.cli.rules_trial import EXAMPLES as TEST_EXAMPLES
from procwire.cli.rules_trial import try_rules

__all__ = ["rules"]

rules = App(help="Sigma rules: which run, which can match nothing here, and whether they do what they are to.")
rules.command("check", epilog=CHECK_EXAMPLES)(check)
rules.command("test", epilog=TEST_EXAMPLES)(try_rules)
