"""`procwire config explain`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, flag, number, option, path
from procwire.cli.verbs.shared import SINCE, UNTIL

__all__ = ["VERB"]

VERB = Verb(
    "config_explain.explain",
    """Explain what a Sysmon configuration logs of network connections: the rules as logic, and as SQL.

With logs or --match: its decision about a connection, step by step, and the rule that decided.""",
    [
        argument("file", metavar="FILE", type=path, help="The Sysmon configuration."),
        argument(
            "logs",
            metavar="LOG",
            count="*",
            help="Show the decisions about the connections of these logs, step by step; - is stdin.",
        ),
        option("--event", parameter="logs", metavar="LOG", repeated=True, hidden=True, help="Former spelling of LOG."),
        option(
            "--match",
            metavar="FIELD=VALUE,...",
            repeated=True,
            help="Show the decision about a connection that you describe, with Sysmon's names or the standard ones. "
            "May be repeated: all describe one connection.",
        ),
        SINCE,
        UNTIL,
        option("--limit", metavar="N", type=number(1), default=10, help="Connections of the logs to show."),
        flag("--verbose", "-v", help="Show every filter that was evaluated, not only the decisive ones."),
        flag("--sql", help="Print only the SQL, as a query over the table connections."),
        flag("--strict-sysmon", help="Reproduce Sysmon's bug of stale rule names."),
        flag("--lenient", help="Continue past errors that Sysmon rejects or skips."),
        option("--to", choices=("text", "json"), default="text", help="Format of the explanation."),
    ],
    """\
Examples:
  procwire config explain sysmonconfig.xml
  procwire config explain sysmonconfig.xml Sysmon.evtx --limit 3
  procwire config explain sysmonconfig.xml --match 'Image=C:\\Windows\\System32\\mshta.exe,DestinationPort=443'
  procwire config explain sysmonconfig.xml --sql > logged.sql

  procwire read Sysmon.evtx --where 'dst_port = 8080' --to xml |
    procwire config explain sysmonconfig.xml -

Exit codes:
  0    explained
  1    no log can be read, or they hold no network connection
  2    the command line or the configuration cannot be used
  3    explained, and a log is damaged
""",
)
