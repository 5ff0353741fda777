"""`procwire lake expire`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, flag, option
from procwire.cli.verbs.shared import LAKE, YES

__all__ = ["VERB"]

VERB = Verb(
    "lake_expire.expire",
    """Drop old days for good: a log that was read is not read again. On a terminal it shows them and asks first.

Files are deleted a day later, by the next compact or expire: a query may be reading them.""",
    [
        option("--older-than", metavar="AGE", help="Drop days that ended longer ago: 90d, 12w."),
        LAKE.named("location"),
        flag("--dry-run", help="Only show the days, files, rows and bytes that would be dropped."),
        YES,
    ],
    """\
Examples:
  procwire lake expire --older-than 90d --dry-run    what would be dropped
  procwire lake expire --older-than 90d              on a terminal: shows it, and asks
  procwire lake expire --older-than 12w --yes        from cron

Exit codes:
  0    dropped; or there was nothing to drop
  1    the answer was no: nothing was dropped; or the lake could not be written
  2    the command line cannot be used, there is no lake, or there is no terminal to ask on and no --yes
""",
)
