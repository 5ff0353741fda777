"""`procwire sigma check`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, flag, option, path
from procwire.cli.verbs.shared import LISTS, SINCE, UNPACK, UNTIL

__all__ = ["VERB"]

VERB = Verb(
    "rules_check.check",
    """Check Sigma rules: which run, and which can match nothing in logs, or under a Sysmon configuration, and why.

The report goes to stdout, a summary to stderr.""",
    [
        argument("rules", metavar="RULES", type=path, help="Sigma rules: a file, or a folder."),
        argument("logs", metavar="LOG", count="*", help="Logs that they are to match in, or Parquet files."),
        option("--lake", metavar="DIR", help="The lake that they are to match in: a folder or URI."),
        SINCE,
        UNTIL,
        option("--config", metavar="FILE", type=path, help="The Sysmon configuration that decides what is logged."),
        LISTS,
        flag("--sql", help="Show each rule's SQL, and nothing else."),
        flag("--all", parameter="all_", help="Also rules about other events, and YAML without a rule."),
        option(
            "--to",
            choices=("text", "ndjson"),
            default="text",
            help="Format of the report; ndjson is one object a line.",
        ),
        UNPACK,
    ],
    """\
Examples:
  procwire sigma check rules/                        which rules run, and why others do not
  procwire sigma check rules/ logs/                  which can match in these logs, and which do
  procwire sigma check rules/ --lake /srv/lake       the same of a lake
  procwire sigma check rules/ --config sysmon.xml    which of them the Sysmon configuration leaves blind
  procwire sigma check rule.yml --sql                the rule in SQL
  procwire sigma check rules/ --list dcs=dcs.txt     values for the placeholder %dcs%
  procwire sigma check rules/ logs/ --to ndjson | jq -r 'select(.status == "cannot match").title'

Each rule is a line PATH:LINE: STATUS: TITLE, as editors and CI know them:
  matches       it does, in these logs
  runs          it could, and does not, or there are no logs to tell
  cannot match  not in these logs, whatever happens: what it asks for is never there
  filtered      the Sysmon configuration does not log what it looks for
  not run       it has a mistake, or asks for what connections do not have
  not ours      it is about other events than network connections (shown with --all)
  no rule       it is YAML without a Sigma rule (shown with --all)

What is likely a mistake and does not keep a rule from running is a line PATH:LINE: warning: TEXT.

Exit codes:
  0    every rule about network connections runs, and can match
  1    some do not, or cannot; or nothing could be read
  2    the command line cannot be used, or there is no lake
  3    as 0, of logs with damage
  130  ended by Ctrl-C, 143 by SIGTERM
""",
)
