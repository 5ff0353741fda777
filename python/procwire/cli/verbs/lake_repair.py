"""`procwire lake repair`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, flag
from procwire.cli.verbs.shared import LAKE, YES

__all__ = ["VERB"]

VERB = Verb(
    "lake_repair.repair",
    """Remove damaged parts from the lake, so that the rest can be used and verified. First stop the lake's writers.

Damaged files and commits are moved to the folder damaged/ in the lake, never deleted; what is lost is shown.""",
    [
        LAKE.named("location"),
        flag("--dry-run", help="Only show what is damaged, and what would be lost."),
        YES,
    ],
    """\
Examples:
  procwire lake repair --dry-run    what is damaged, and what would be lost
  procwire lake repair              on a terminal: shows it, and asks
  procwire lake repair --yes

Exit codes:
  0    repaired; or there was nothing to repair
  1    the answer was no; or the lake cannot be repaired or written
  2    the command line cannot be used, there is no lake, or there is no terminal to ask on and no --yes
  3    with --dry-run: there is something to repair
""",
)
