"""Test whether Sigma rules match the examples beside them, and only those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.errors import UsageError
from procwire.sigma.analysis.examples import Example, batch_of, examples_beside, read_examples
from procwire.sigma.analysis.unmet import unmet
from procwire.sigma.describe import reason
from procwire.sigma.loading.documents import rule_files
from procwire.sigma.loading.parse import load
from procwire.sigma.matching.stream import SigmaStream
from procwire.sigma.model.rule import RuleSet

if TYPE_CHECKING:
    from procwire.sigma.model.rule import Rule
    from procwire.sigma.problems import Problem

__all__ = ["Outcome", "TestReport", "test"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold the result of an example."""

    path: str
    """The file of the examples."""
    number: int
    """The example's place in its file, from 1; 0 if the rule itself does not run."""
    name: str
    """The example's name; empty if it has none."""
    passed: bool
    text: str
    """What the rule does, and why."""


@dataclass(frozen=True, slots=True)
class TestReport:
    """Hold the outcomes of all examples, in the order of the rules' files."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> int:
        """Return how many examples passed."""
        return sum(outcome.passed for outcome in self.outcomes)

    @property
    def is_sound(self) -> bool:
        """Return whether all passed."""
        return self.passed == len(self.outcomes)


def test(
    rules: str | Path,
    *,
    examples: str | Path | None = None,  # noqa: PT028 - no test
    lists: Mapping[str, str | Path] | None = None,  # noqa: PT028 - no test
) -> TestReport:
    """Test Sigma rules by examples: events that they are to match, and events that they are not to match.

    rules: a file, or a folder. examples: the file of a single rule's examples; without it, those in RULE.test.yml
    beside each RULE.yml. lists: for names of placeholders the files with their values, as for `load`.

    Raises UsageError if there are no rules or no examples, and for a file of examples with a mistake.

    >>> from procwire import sigma
    >>> report = sigma.test("examples/rules")
    >>> report.passed, report.is_sound
    (11, True)
    """
    path = Path(rules)
    tests = _tests(path, None if examples is None else Path(examples))
    # Loaded once, and completely: correlations refer to rules in other files.
    loaded = load([path], lists=lists)
    by_file = _by_file(loaded)
    outcomes = [outcome for file, beside in tests for outcome in _outcomes(file, by_file.get(str(file)), beside)]
    return TestReport(tuple(outcomes))


def _tests(path: Path, examples: Path | None) -> list[tuple[Path, Path]]:
    """Return the rules' files, each with the file of its examples."""
    if not path.exists():
        raise UsageError(f"found no file or folder {path}, expected Sigma rules")
    if examples is not None and path.is_dir():
        raise UsageError(f"found --events with the folder {path}, expected a rule")
    pairs = [(file, examples or examples_beside(file)) for file in rule_files(path)]
    found = [(file, beside) for file, beside in pairs if beside.is_file()]
    if not found:
        expected = pairs[0][1] if pairs else path / "RULE.test.yml"
        raise UsageError(f"found no examples, expected them in {expected}")
    return found


def _by_file(loaded: RuleSet) -> Mapping[str, RuleSet]:
    """Return the rules and problems of each file."""
    rules: dict[str, list[Rule]] = {}
    for rule in loaded.rules:
        rules.setdefault(rule.path, []).append(rule)
    problems: dict[str, list[Problem]] = {}
    for problem in loaded.problems:
        problems.setdefault(problem.path, []).append(problem)
    return {path: RuleSet(tuple(rules.get(path, ())), tuple(problems.get(path, ()))) for path in {*rules, *problems}}


def _outcomes(file: Path, found: RuleSet | None, path: Path) -> Iterator[Outcome]:
    examples = read_examples(path)
    if found is None or not found.rules:
        why = "; ".join(problem.reason for problem in found.problems) if found else ""
        yield Outcome(str(path), 0, "", False, f"{file} does not run: {why or 'no rule at all'}")
        return
    for number, example in enumerate(examples, 1):
        try:
            passed, text = _judged(example, found.rules)
        except UsageError as error:
            raise UsageError(f"{path}: example {number}: {error}") from error
        yield Outcome(str(path), number, example.name, passed, text)


def _judged(example: Example, rules: Sequence[Rule]) -> tuple[bool, str]:
    """Return whether the rules behave as the example says, and what they do."""
    linux = any(rule.logsource.product == "linux" for rule in rules)
    batch = batch_of(example, linux=linux)
    # Use a new stream: correlations must not remember earlier examples.
    matches = SigmaStream(RuleSet(tuple(rules))).matches(batch).to_pylist()
    if matches:
        does = f"matches {matches[0]['rule_title']!r} {reason(matches[0])}".rstrip()
    else:
        does = "does not match" + (f": {why}" if (why := unmet(rules, batch)) else "")
    return bool(matches) == example.match, does
