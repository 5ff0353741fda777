"""The grammar of the command line: each verb declares its options as data, and argparse parses them.

Only argparse is imported, not even `typing`: `procwire read --help` must cost little more than the start of Python.
"""

from __future__ import annotations

import argparse
import os
import re

from procwire.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, NoReturn

    from procwire.cli.exits import ExitCode

__all__ = ["Group", "Option", "Verb", "argument", "flag", "meant", "number", "option", "output_path", "path"]

_HELP_COLUMN = 26
_MOST_COLUMNS = 100
# The most digits of a number: far beyond what any option accepts, and quick to parse.
_MOST_DIGITS = 19


class Option:
    """Describe an option or an argument: how it is written, and how argparse parses it.

    flags: `--output`, `-o`; empty for an argument. parameter: the parameter of the verb's function for the value.
    hidden: it is a former spelling of another one with this parameter: neither help nor completion shows it.
    """

    __slots__ = ("bare", "choices", "environment", "flags", "hidden", "parameter", "repeated", "settings",
                 "takes_value")  # fmt: skip

    def __init__(
        self,
        flags: Sequence[str],
        parameter: str,
        *,
        takes_value: bool,
        repeated: bool = False,
        environment: str | None = None,
        bare: str | None = None,
        choices: Sequence[str] = (),
        hidden: bool = False,
        **settings: Any,
    ) -> None:
        self.flags = tuple(flags)
        self.parameter = parameter
        self.takes_value = takes_value
        self.repeated = repeated
        self.environment = environment
        self.bare = bare
        self.choices = tuple(choices)
        self.hidden = hidden
        self.settings = settings

    def named(self, parameter: str) -> Option:
        """Return the option with another parameter."""
        return Option(
            self.flags,
            parameter,
            takes_value=self.takes_value,
            repeated=self.repeated,
            environment=self.environment,
            bare=self.bare,
            choices=self.choices,
            hidden=self.hidden,
            **self.settings,
        )

    @property
    def dest(self) -> str:
        """Return the name under which argparse stores the value: a former spelling has its own."""
        return f"{self.parameter}-hidden" if self.hidden else self.parameter

    @property
    def usage(self) -> str:
        """Return an argument's form in the usage line."""
        pattern = {None: "{}", "?": "[{}]", "*": "[{}]...", "+": "{}..."}[self.settings["nargs"]]
        return pattern.format(self.settings["metavar"])

    @property
    def from_environment(self) -> Any:
        """Return the value from the environment; None if it has none."""
        text = os.environ.get(self.environment, "") if self.environment else ""
        if not text:
            return None
        make = self.settings["type"]
        return [make(part) for part in text.split(os.pathsep) if part] if self.repeated else make(text)

    @property
    def help(self) -> str:
        """Return the text that explains the option."""
        return str(self.settings["help"])


def argument(
    name: str, *, metavar: str, help: str, count: str | None = None, type: Callable[[str], Any] = str
) -> Option:
    """Declare an argument, which is given without a flag.

    count: as argparse's nargs: None for exactly one, "?" for one or none, "*" for any number, "+" for at least one.
    """
    return Option(
        (),
        name,
        takes_value=True,
        metavar=metavar,
        help=help,
        nargs=count,
        type=type,
    )


def flag(*flags: str, help: str, parameter: str | None = None, default: bool = False) -> Option:
    """Declare an option without a value. If the default is True, `--no-NAME` turns it off."""
    return Option(
        (*flags, *([f"--no-{flags[0].lstrip('-')}"] if default else [])),
        parameter or _parameter(flags),
        takes_value=False,
        action=_Switch,
        nargs=0,
        default=default,
        help=help,
    )


def option(
    *flags: str,
    help: str,
    metavar: str | None = None,
    parameter: str | None = None,
    type: Callable[[str], Any] = str,
    choices: Sequence[str] = (),
    default: Any = None,
    repeated: bool = False,
    required: bool = False,
    environment: str | None = None,
    bare: str | None = None,
    hidden: bool = False,
) -> Option:
    """Declare an option with a value.

    type: converts the text, and raises UsageError for an unusable one. choices: the allowed texts. repeated: several
    values make a list; None without any. bare: the value if none follows. environment: the variable with the default,
    with one value for each part between `os.pathsep` if `repeated`. hidden: a former spelling of the argument with this
    parameter, to whose values it adds.
    """
    return Option(
        flags,
        parameter or _parameter(flags),
        takes_value=True,
        repeated=repeated,
        action="append" if repeated else "store",
        metavar=metavar or (f"<{'|'.join(choices)}>" if choices else None),
        type=_naming(flags[0], _among(choices) if choices else type),
        default=default,
        environment=environment,
        bare=bare,
        choices=choices,
        hidden=hidden,
        required=required,
        help=help if default is None or not choices else f"{help} [default: {default}]",
    )


class Group:
    """Describe options that a verb's function takes as one object.

    parameter: the function's parameter for the object. kind: "MODULE.NAME" of its class in `procwire.cli`, imported
    when the verb runs; it takes the values by name.
    """

    __slots__ = ("kind", "options", "parameter")

    def __init__(self, parameter: str, kind: str, options: Sequence[Option]) -> None:
        self.parameter = parameter
        self.kind = kind
        self.options = tuple(options)

    def made(self, values: dict[str, Any]) -> Any:
        """Return the object with the group's values, which are removed from `values`."""
        return _imported(self.kind)(**{name: values.pop(name) for name in self.parameters})

    @property
    def parameters(self) -> list[str]:
        """Return the names of the class's parameters."""
        return list(dict.fromkeys(each.parameter for each in self.options))


class Verb:
    """Describe a verb: its function, its help, and its options and arguments.

    function: "MODULE.NAME" in `procwire.cli`, imported when the verb runs; it takes the values by name, and returns the
    exit code. epilog: examples and exit codes, printed verbatim. groups: groups of options, each of which the function
    takes as one object.
    """

    __slots__ = ("description", "epilog", "function", "groups", "options")

    def __init__(
        self,
        function: str,
        description: str,
        options: Sequence[Option],
        epilog: str = "",
        groups: Sequence[Group] = (),
    ) -> None:
        self.function = function
        self.description = description
        self.options = tuple(options)
        self.epilog = epilog
        self.groups = tuple(groups)

    @property
    def parameters(self) -> list[str]:
        """Return the names of the function's parameters: for single options, then for groups."""
        grouped = {name for group in self.groups for name in group.parameters}
        single = dict.fromkeys(each.parameter for each in self.options if each.parameter not in grouped)
        return [*single, *(group.parameter for group in self.groups)]

    def load(self) -> Callable[..., ExitCode]:
        """Import the function that runs the verb."""
        found: Callable[..., ExitCode] = _imported(self.function)
        return found

    def parse(self, program: str, words: Sequence[str]) -> dict[str, Any]:
        """Parse the words after the verb. Raises UsageError for wrong ones."""
        found = vars(self._parser(program).parse_args(_in_order(program, self.options, words)))
        values: dict[str, Any] = {}
        for each in self.options:
            # None, as for an option that is not given.
            value = each.from_environment if found[each.dest] in (None, []) else found[each.dest]
            if each.hidden:
                value = [*(values[each.parameter] or ()), *(value or ())] or None
            values[each.parameter] = value
        for group in self.groups:
            values[group.parameter] = group.made(values)
        return values

    def help(self, program: str) -> str:
        """Return the text of --help, as wide as the terminal."""
        text = self._parser(program).format_help()
        return f"{text}\n{self.epilog}" if self.epilog else text

    def _parser(self, program: str) -> argparse.ArgumentParser:
        parser = _Parser(
            prog=program,
            usage=" ".join([program, "[OPTIONS]", *(each.usage for each in self.options if not each.flags)]),
            description=self.description,
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=False,
        )
        for each in self.options:
            if each.flags:
                # Short forms are declared last, and shown first.
                settings = {**each.settings, "help": argparse.SUPPRESS} if each.hidden else each.settings
                parser.add_argument(*sorted(each.flags, key=len), dest=each.dest, **settings)
            else:
                parser.add_argument(each.parameter, **each.settings)
        parser.add_argument(
            "-h", "--help", action="store_true", default=argparse.SUPPRESS, help="Show this text and exit."
        )
        return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        missing = message.partition("the following arguments are required: ")[2]
        if missing:
            message = f"found no {missing.replace(', ', ', no ')}, expected it"
        raise UsageError(f"{message}; `{self.prog} --help` lists what there is")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Format help as wide as the terminal, and the description in paragraphs."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=min(_columns(), _MOST_COLUMNS))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap

        del indent

        paragraphs = re.split(r"\n\s*\n", text.strip())
        return "\n\n".join(textwrap.fill(" ".join(each.split()), width) for each in paragraphs)

    def _expand_help(self, action: argparse.Action) -> str:
        # Our texts have no placeholders, but some have percent signs.
        return action.help or ""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, '')}"


def _columns() -> int:
    """Return the width of the terminal: COLUMNS, else that of stdout, else 80. shutil has this, but imports much."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


class _Switch(argparse.Action):
    """Set True, or False by the `--no-` form."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del parser, values
        setattr(namespace, self.dest, not (option_string or "").startswith("--no-"))


def _imported(name: str) -> Any:
    """Return the object called "MODULE.NAME" in `procwire.cli`."""
    from importlib import import_module

    module, _, found = name.partition(".")
    return getattr(import_module(f"procwire.cli.{module}"), found)


def _parameter(flags: Sequence[str]) -> str:
    return max(flags, key=len).lstrip("-").replace("-", "_")


def _among(choices: Sequence[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text in choices:
            return text
        raise UsageError(f"found {text!r}, expected one of {', '.join(choices)}{meant(text, choices)}")

    return check


def _naming(name: str, make: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return `make` with its errors prefixed by the name of its option."""

    def named(text: str) -> Any:
        try:
            return make(text)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error

    return named


def _in_order(program: str, options: Sequence[Option], words: Sequence[str]) -> list[str]:
    """Return the words with the options first, each with its value in one word, then the arguments.

    So an option may be anywhere, and a value may begin with a dash. Raises UsageError for an unknown option, an option
    without its value, and a repeated option that must not be.
    """
    by_flag = {name: each for each in options for name in each.flags}
    first: dict[Option, str] = {}
    found: list[str] = []
    arguments: list[str] = []
    # The next word is the last.
    rest = [*reversed(words)]
    while rest:
        word = rest.pop()
        if word == "--":
            arguments += reversed(rest)
            rest.clear()
        elif not word.startswith("-") or word == "-":
            arguments.append(word)
        else:
            each, written = _option(program, by_flag, word, rest)
            if each in first and not each.repeated:
                raise UsageError(f"found {first[each]} and {written}, expected one of them")
            first[each] = written
            found.append(written)
    if arguments and all(each.flags for each in options):
        raise UsageError(f"found {arguments[0]!r}, expected options only; `{program} --help` lists them")
    return [*found, "--", *arguments] if arguments else found


def _option(program: str, by_flag: Mapping[str, Option], word: str, rest: list[str]) -> tuple[Option, str]:
    """Return the option that a word begins, and the word with its value."""
    name, is_attached, value = (word[:2], word[2:] != "", word[2:]) if word[1] != "-" else _split(word)
    option = by_flag.get(name)
    if option is None:
        raise UsageError(f"found no option {name}{meant(name, by_flag)}; `{program} --help` lists them")
    if not option.takes_value:
        if is_attached:
            raise UsageError(f"{name}: found the value {value!r}, expected none")
        return option, name
    if not is_attached:
        following = rest.pop() if rest and (option.bare is None or not rest[-1].startswith("-")) else option.bare
        if following is None:
            raise UsageError(f"{name}: found no value, expected {option.settings['metavar'] or 'one'} after it")
        value = following
    return option, f"{name}={value}"


def _split(word: str) -> tuple[str, bool, str]:
    name, equals, value = word.partition("=")
    return name, equals == "=", value


def meant(text: str, known: Iterable[str]) -> str:
    """Return ` (did you mean ...?)` with the most similar known word; an empty text if none is similar."""
    import difflib

    close = difflib.get_close_matches(text, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def path(text: str) -> Path:
    """Return the path that a text names."""
    from pathlib import Path

    return Path(text)


def output_path(text: str) -> Path | None:
    """Return the path that a text names; None for `-`, which is stdout."""
    return None if text == "-" else path(text)


def number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a function that parses a whole number from `least` to `most`, or without upper bound if that is None."""
    expected = f"a whole number from {least} {'on' if most is None else f'to {most}'}"

    def make(text: str) -> int:
        value = int(text) if text.isascii() and text.isdecimal() and len(text) < _MOST_DIGITS else -1
        if value < least or (most is not None and value > most):
            raise UsageError(f"found {text!r}, expected {expected}")
        return value

    return make
