"""`procwire sigma check`: its options."""

from __future__ import annotations

from procwire.cli.parser import Group, Verb, argument, flag, option, path
from procwire.cli.verbs.shared import LISTS, SINCE, UNPACK, UNTIL

__all__ = ["VERB"]

_LOGS = argument("logs", metavar="LOG", count="*", help="Logs, or Parquet files, in which the rules should match.")
_LAKE = option("--lake", metavar="DIR", help="The lake in which the rules should match: a folder or URI.")

VERB = Verb(
    "sigma_check.check",
    """Check Sigma rules: which run, and which cannot match in logs, or under a Sysmon configuration, and why.

The report goes to stdout, a summary to stderr.""",
    [
        argument("rules", metavar="RULES", type=path, help="Sigma rules: a file, or a folder."),
        _LOGS,
        _LAKE,
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
  procwire sigma check rules/ --lake /srv/lake       which can match in a lake
  procwire sigma check rules/ --config sysmon.xml    which the Sysmon configuration prevents from matching
  procwire sigma check rule.yml --sql                the rule in SQL
  procwire sigma check rules/ --list dcs=dcs.txt     values for the placeholder %dcs%
  procwire sigma check rules/ logs/ --to ndjson | jq -r 'select(.status == "cannot match").title'

Each rule is a line PATH:LINE: STATUS: TITLE, as editors and CI know them:
  matches       it matches in these logs
  runs          it could match, but does not, or there are no logs to check
  cannot match  it needs something that these logs never have
  filtered      the Sysmon configuration does not log what it would match
  not run       it has a mistake, or needs something that connections do not have
  not ours      it is about other events than network connections (shown with --all)
  no rule       it is YAML without a Sigma rule (shown with --all)

What is likely a mistake and does not keep a rule from running is a line PATH:LINE: warning: TEXT.

Exit codes:
  0    every rule about network connections runs, and can match
  1    some do not, or cannot; or nothing could be read
  2    the command line cannot be used, or there is no lake
  3    like 0, but the logs are damaged
  130  ended by Ctrl-C, 143 by SIGTERM
""",
    groups=[Group("options", "query_options.QueryOptions", (_LOGS, _LAKE, SINCE, UNTIL, UNPACK))],
)
