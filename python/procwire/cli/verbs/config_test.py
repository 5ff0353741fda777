"""`procwire config test`: its options."""

from __future__ import annotations

from procwire.choices import FIGURE_ORDERS
from procwire.cli.parser import Verb, argument, flag, option, path
from procwire.cli.verbs.shared import SINCE, UNPACK, UNTIL

__all__ = ["VERB"]

VERB = Verb(
    "config_test.measure",
    """Try a Sysmon configuration on logs: how often each rule matches and decides, and what changes without it.

MATCHED: connections that the rule matches, whatever other rules say. DECIDED: connections that it decided, being
the first to match. WITHOUT IT: how many more (+) or fewer (-) connections would be logged if the rule were not in
the file. A rule is a filter, a <Rule> or an entire element. Without an element the default may change, too: only a
single element that excludes logs what nothing matches.""",
    [
        argument("file", metavar="FILE", type=path, help="The Sysmon configuration."),
        argument("logs", metavar="LOG", count="+", help="Logs, as for `procwire read`; - is stdin."),
        option(
            "--sort",
            choices=FIGURE_ORDERS,
            default="file",
            help="Order of the rules: as in the file, or by this figure, the highest first.",
        ),
        flag("--never", help="Show only rules that never matched."),
        flag("--lenient", help="Continue past errors that Sysmon rejects or skips."),
        SINCE,
        UNTIL,
        option("--to", choices=("text", "json", "csv"), default="text", help="Format of the figures."),
        UNPACK,
    ],
    """\
Examples:
  procwire config test sysmonconfig.xml Sysmon.evtx
  procwire config test sysmonconfig.xml logs/ --sort alone     the rules that matter most first
  procwire config test sysmonconfig.xml logs/ --never          the rules that never matched
  procwire config test sysmonconfig.xml logs/ --to csv > rules.csv

Exit codes:
  0    all logs were read
  1    nothing could be read
  2    the command line or the configuration cannot be used
  3    read with damage: the figures cover what was readable
  130  ended by Ctrl-C
""",
)
