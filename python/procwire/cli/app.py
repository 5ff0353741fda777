"""The command line: finds the verb, parses its options, runs it."""

from __future__ import annotations

import sys

from procwire.cli.verbs import ALIASES, GROUPS, VERBS, verb_named
from procwire.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["run"]

_SUMMARY = (
    "Which process talked to which peer: network connections (Sysmon's event 3) from every log, in one typed table."
)
_OPTIONS = """\
options:
  -V, --version                   Print the version and exit.
  -h, --help                      Show this text and exit.
  --completion <bash|zsh|fish>    Print what makes this shell complete command lines, and exit."""


def run(words: Sequence[str]) -> int:
    """Run the command line of these words, without the program's name, and return the exit code."""
    try:
        if list(words) in (["--version"], ["-V"]):
            from procwire.cli.version import version_line

            sys.stdout.write(version_line() + "\n")
            return 0
        if words and words[0] in ("--complete", "--completion"):
            sys.stdout.write(_completion(words[0], words[1:]))
            return 0
        name, rest = _verb(words)
        program = " ".join(("procwire", *name))
        if name not in VERBS:
            sys.stdout.write(_group_help(name))
            return 0
        verb = verb_named(name)
        if _asks_for_help(rest):
            sys.stdout.write(verb.help(program))
            return 0
        values = verb.parse(program, rest)
    except UsageError as error:
        from procwire.cli.exits import ExitCode, complain

        complain(str(error))
        return ExitCode.USAGE
    from procwire.cli.exits import exit_code_of

    return exit_code_of(lambda: verb.load()(**values))


def _verb(words: Sequence[str]) -> tuple[tuple[str, ...], Sequence[str]]:
    """Return the words of the verb, or of a group whose help is wanted, and what follows them.

    Raises UsageError where they name no verb.
    """
    first = ALIASES.get(words[0], words[0]) if words else "--help"
    if first in ("-h", "--help"):
        return (), words
    if (first,) in VERBS:
        return (first,), words[1:]
    if first not in GROUPS:
        raise _unknown("procwire", first, dict.fromkeys(name[0] for name in VERBS))
    if len(words) == 1 or words[1] in ("-h", "--help"):
        return (first,), words[1:]
    if (first, words[1]) not in VERBS:
        raise _unknown(f"procwire {first}", words[1], [name[1] for name in VERBS if name[0] == first])
    return (first, words[1]), words[2:]


def _unknown(program: str, word: str, known: Iterable[str]) -> UsageError:
    from procwire.cli.parser import meant

    what = "option" if word.startswith("-") else "verb"
    return UsageError(f"found no {what} {word!r}{meant(word, known)}; `{program} --help` lists what there is")


def _completion(option: str, words: Sequence[str]) -> str:
    from procwire.cli.completion import SHELLS, candidates

    if option == "--complete":
        return "".join(f"{each}\n" for each in candidates(words))
    if len(words) != 1 or words[0] not in SHELLS:
        raise UsageError(f"--completion: found {' '.join(words)!r}, expected one of {', '.join(SHELLS)}")
    return SHELLS[words[0]]


def _asks_for_help(words: Sequence[str]) -> bool:
    before = words[: words.index("--")] if "--" in words else words
    return any(word in ("-h", "--help") for word in before)


def _group_help(name: tuple[str, ...]) -> str:
    """Return the help of a group of verbs, or of all of them."""
    entries = {}
    for words, summary in VERBS.items():
        if words[: len(name)] == name:
            first = words[len(name)]
            entries[first] = summary if len(words) == len(name) + 1 else GROUPS[words[0]]
    program = " ".join(("procwire", *name))
    lines = [f"usage: {program} VERB [OPTIONS]", "", GROUPS[name[0]] if name else _SUMMARY, "", "verbs:"]
    lines += [f"  {verb:11} {summary}" for verb, summary in entries.items()]
    lines += ["", *([] if name else [_OPTIONS, ""]), f"`{program} VERB --help` describes a verb."]
    return "\n".join(lines) + "\n"
