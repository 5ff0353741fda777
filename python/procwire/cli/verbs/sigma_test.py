"""`procwire sigma test`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, option, path
from procwire.cli.verbs.shared import LISTS

__all__ = ["VERB"]

VERB = Verb(
    "sigma_test.run_examples",
    """Test Sigma rules by examples of events that they should match, and should not match, and say why.

Outcomes go to stdout, a summary to stderr.""",
    [
        argument("rules", metavar="RULES", type=path, help="A Sigma rule, or a folder of them."),
        option("--events", metavar="FILE", type=path, help="The examples. [default: RULE.test.yml beside RULE.yml]"),
        LISTS,
        option(
            "--to",
            choices=("text", "ndjson"),
            default="text",
            help="Format of the outcomes; ndjson is one object a line.",
        ),
    ],
    """\
Examples:
  procwire sigma test notepad.yml                    by the examples in notepad.test.yml
  procwire sigma test notepad.yml --events more.yml  by the examples of another file
  procwire sigma test rules/                         every rule that has examples

Examples are a list in YAML; fields have Sysmon's names:
  - name: notepad talks to a server
    match: true
    event:
      Image: C:\\Windows\\System32\\notepad.exe
      Initiated: true
      DestinationIp: 203.0.113.5
      DestinationPort: 443

Exit codes:
  0    all examples pass
  1    one fails, or a rule with examples does not run
  2    the command line cannot be used, there are no examples, or a file of them has a mistake
""",
)
