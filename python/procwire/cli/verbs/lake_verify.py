"""`procwire lake verify`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, option
from procwire.cli.verbs.shared import LAKE

__all__ = ["VERB"]

VERB = Verb(
    "lake.verify",
    """Read every commit and file of the lake: is each there, as it was written, of the right day, with all its rows?

Faults go to stdout, a line each. The lake's head, on stderr, covers everything: store it elsewhere, and --expect
detects changes even if all the rest was forged to match.""",
    [
        LAKE.named("location"),
        option(
            "--expect",
            metavar="HEAD",
            help="Head printed by an earlier verify: check that the lake still continues from it.",
        ),
    ],
    """\
Examples:
  procwire lake verify
  procwire lake verify --expect HEAD    HEAD as printed by an earlier verify

Exit codes:
  0    the lake is intact
  3    it is damaged: see lake repair
""",
)
