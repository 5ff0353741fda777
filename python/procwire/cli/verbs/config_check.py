"""`procwire config check`: its options."""

from __future__ import annotations

from procwire.cli.parser import Verb, argument, flag, option

__all__ = ["VERB"]

VERB = Verb(
    "config_check.check",
    """Find the mistakes in Sysmon configurations: errors, and parts that are legal but wrong.

These are rules that never or always match, repeat or contradict each other, and values that Sysmon does not compare as
expected. All checks cover NetworkConnect; those of text (repeats, lists of tokens, paths) cover every event.
Findings go to stdout; a summary of each file goes to stderr.""",
    [
        argument("paths", metavar="FILE", count="+", help="Sysmon configurations; - is stdin."),
        flag("--notes", help="Also show parts that are legal but without effect."),
        flag(
            "--lenient",
            help="Continue past errors that Sysmon rejects or skips: older schemas, fragments, unknown names. "
            "Errors become warnings.",
        ),
        flag("--strict", help="Exit with 1 for warnings, too."),
        option(
            "--to", choices=("text", "json"), default="text", help="Format of the findings; json is one object a line."
        ),
    ],
    """\
Examples:
  procwire config check sysmonconfig.xml              errors and warnings, each with its place
  procwire config check --notes modules/*.xml         also parts without effect
  procwire config check --lenient old.xml             a schema below 4.0, a fragment without <Sysmon>, -- in a comment
  git show HEAD:sysmon.xml | procwire config check -  from a pipe
  procwire config check --strict sysmonconfig.xml     in CI: warnings fail, too
  procwire config check --to json sysmonconfig.xml | jq -r 'select(.severity == "warning").line'

Findings are lines FILE:LINE:COLUMN: SEVERITY: TEXT, as editors and CI know them:
  error    Sysmon refuses it, or reads something other than what is written
  warning  legal, and likely wrong
  note     legal, and without effect here

Exit codes:
  0    no errors
  1    errors, or with --strict warnings
  2    the command line cannot be used, or a file cannot be read
""",
)
