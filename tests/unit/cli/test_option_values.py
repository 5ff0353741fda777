"""Options have the values that typer gives them, and the one verb that is called is as it is among all others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer._click import Context
from typer._click.exceptions import BadParameter
from typer._coercion import build_runtime_param
from typer.core import TyperArgument, TyperOption
from typer.testing import CliRunner

from procwire.cli.app import app
from procwire.cli.values import without_pydantic
from procwire.cli.verbs import app_of

GROUP: Any = typer.main.get_command(app)
SAMPLES = (
    "",
    " ",
    "0",
    "1",
    "-1",
    "+1",
    "1_0",
    "007",
    "1024",
    "1025",
    "1.5",
    "\u0661",
    "x",
    "-",
    ".",
    "/",
    "/no/such/file",
    "a\0b",
)
DEFAULTS: tuple[Any, ...] = (None, True, False, 0, 16, [], ["x"], ("1", "x"), Path("x"))


def commands(command: Any = GROUP) -> Iterator[Any]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from commands(below)


PARAMETERS = [
    pytest.param(parameter, id=f"{command.name} {parameter.name}")
    for command in commands()
    for parameter in command.params
    if isinstance(parameter, TyperOption | TyperArgument)
]


def taken(kind: Any, value: Any, parameter: Any) -> tuple[Any, ...]:
    """The value with its type, or what is said against it."""
    try:
        result = kind.coerce(value, param=parameter, ctx=Context(GROUP))
    except BadParameter as error:
        return "refused", str(error)
    except Exception as error:
        return "raised", type(error)
    return result, type(result), [type(one) for one in result] if isinstance(result, list) else None


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_values_are_those_of_typer(parameter: Any) -> None:
    usual = build_runtime_param(parameter.type_descriptor)
    without_pydantic([parameter])
    assert type(parameter.get_runtime_param()) is not type(usual)
    choices = [getattr(choice, "value", choice) for choice in parameter.type_descriptor.choices or ()]
    single = [*SAMPLES, *choices, *(str(choice).upper() for choice in choices)]
    for value in (*single, *DEFAULTS, *([one] for one in single), single):
        assert taken(parameter.get_runtime_param(), value, parameter) == taken(usual, value, parameter), value


def test_recording_imports_no_pydantic() -> None:
    """Nor anything that only other verbs need; here up to the first mistake that the verb itself finds."""
    script = (
        "import sys; from procwire.cli.verbs import app_of\n"
        "try: app_of('record')(['record', '--all', '--to', 'csv', '--buffer-mb', '16', '-o', 'x', '--config', 'y'])\n"
        "except SystemExit: print(sorted({'pydantic', 'pyarrow', 'procwire.cli.read', '_hashlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert "found --all with --config y" in result.stderr
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", GROUP.commands)
def test_a_verb_alone_is_as_among_all(verb: str) -> None:
    alone: Any = typer.main.get_command(app_of(verb))
    assert list(alone.commands) == [verb]
    runner = CliRunner()
    for arguments in ([verb, "--help"], [verb, "--no-such-option"]):
        one, all_ = (runner.invoke(each, arguments, prog_name="procwire") for each in (app_of(verb), app))
        assert (one.exit_code, one.output) == (all_.exit_code, all_.output)


@pytest.mark.parametrize("first", ["rekord", "--help", ""])
def test_what_is_no_verb_has_all_of_them(first: str) -> None:
    alone: Any = typer.main.get_command(app_of(first))
    assert list(alone.commands) == list(GROUP.commands)
