"""`procwire rules test`: do Sigma rules match the examples that stand beside them, and only those?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.sigma import Rule, RuleSet
    from procwire.sigma.examples import Example

__all__ = ["EXAMPLES", "try_rules"]

EXAMPLES = """\b
Examples:
  procwire rules test notepad.yml                    by the examples in notepad.test.yml
  procwire rules test notepad.yml --events more.yml  by those of another file
  procwire rules test rules/                         every rule that has examples

\b
Examples are a list in YAML; fields have Sysmon's names:
  - name: notepad talks to a server
    match: true
    event:
      Image: C:\\Windows\\System32\\notepad.exe
      Initiated: true
      DestinationIp: 203.0.113.5
      DestinationPort: 443

\b
Exit codes:
  0    all examples pass
  1    one fails, or a rule with examples does not run
  2    the command line cannot be used, there are no examples, or a file of them has a mistake
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an example."""

    path: str
    """Of the examples."""
    number: int
    name: str
    passed: bool
    text: str


@ends_well
def try_rules(
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="A Sigma rule, or a folder of them.", show_default=False)
    ],
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The examples. [default: RULE.test.yml beside RULE.yml]")
    ] = None,
    to: Annotated[
        Literal["text", "ndjson"], typer.Option(help="Format of the outcomes; ndjson is one object a line.")
    ] = "text",
) -> ExitCode:
    """Test Sigma rules by examples: events that they are to match, and events that they are not, and say why.

    Outcomes go to stdout, a summary to stderr.
    """
    outcomes = [outcome for rule, examples in _tests(rules, events) for outcome in _tried(rule, rules, examples)]
    for outcome in outcomes:
        _write(outcome, to)
    failed = sum(not outcome.passed for outcome in outcomes)
    sys.stdout.flush()
    sys.stderr.write(f"{len(outcomes) - failed:,} of {len(outcomes):,} examples pass\n")
    return ExitCode.INVALID if failed else ExitCode.VALID


def _tests(path: Path, events: Path | None) -> list[tuple[Path, Path]]:
    """The rules' files, each with that of its examples."""
    from procwire.sigma.documents import rule_files
    from procwire.sigma.examples import examples_beside

    if not path.exists():
        raise UsageError(f"found no file or folder {path}, expected Sigma rules")
    if events is not None and path.is_dir():
        raise UsageError(f"found --events with the folder {path}, expected a rule")
    pairs = [(file, events or examples_beside(file)) for file in rule_files(path)]
    found = [(file, examples) for file, examples in pairs if examples.is_file()]
    if not found:
        beside = pairs[0][1] if pairs else path / "RULE.test.yml"
        raise UsageError(f"found no examples, expected them in {beside}")
    return found


def _tried(file: Path, root: Path, path: Path) -> Iterator[Outcome]:
    from procwire.sigma.examples import read_examples

    examples, rules = read_examples(path), _rules_of(file, root)
    if not rules.rules:
        reason = "; ".join(problem.reason for problem in rules.problems) or "no rule at all"
        yield Outcome(str(path), 0, "", False, f"{file} does not run: {reason}")
        return
    for number, example in enumerate(examples, 1):
        try:
            passed, text = _judged(example, rules.rules)
        except UsageError as error:
            raise UsageError(f"{path}: example {number}: {error}") from error
        yield Outcome(str(path), number, example.name, passed, text)


def _rules_of(file: Path, root: Path) -> RuleSet:
    """The rules of a file. The whole folder is loaded: correlations refer to rules in other files."""
    from procwire.sigma import RuleSet, load

    found = load([root])
    return RuleSet(
        tuple(rule for rule in found.rules if rule.path == str(file)),
        tuple(problem for problem in found.problems if problem.path == str(file)),
    )


def _judged(example: Example, rules: Sequence[Rule]) -> tuple[bool, str]:
    """Whether a rule does as the example says, and what it does."""
    from procwire.cli.detect_text import reason
    from procwire.sigma import RuleSet, SigmaStream
    from procwire.sigma.examples import batch_of
    from procwire.sigma.unmet import unmet

    linux = any(rule.logsource.product == "linux" for rule in rules)
    batch = batch_of(example, linux=linux)
    # A stream of its own: correlations must not remember the examples before.
    matches = SigmaStream(RuleSet(tuple(rules))).matches(batch).to_pylist()
    if matches:
        told = f"matches {matches[0]['rule_title']!r} {reason(matches[0])}".rstrip()
    else:
        told = "does not match" + (f": {why}" if (why := unmet(rules, batch)) else "")
    return bool(matches) == example.match, told


def _write(outcome: Outcome, to: str) -> None:
    from procwire.sinks.plain import plain

    if to == "ndjson":
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        return
    name = f" ({outcome.name})" if outcome.name else ""
    word = "ok" if outcome.passed else "FAILED"
    sys.stdout.write(plain(f"{outcome.path}: {outcome.number}{name}: {word}: {outcome.text}") + "\n")
