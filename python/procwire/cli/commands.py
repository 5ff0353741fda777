"""What every verb and every group of verbs is made of: a repeated option never replaces the first one silently."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import CommandFunctionType

if TYPE_CHECKING:
    from typer._click import Context
    from typer._click.core import Parameter
    from typer._click.parser import _Option, _OptionParser, _ParsingState

from procwire.cli.values import without_pydantic

__all__ = ["App", "Command", "Group"]


class Command(TyperCommand):
    """A verb that refuses an option of one value which is given twice."""

    def make_parser(self, ctx: Context) -> _OptionParser:
        """Build the parser of the tokens."""
        return _strict(super().make_parser(ctx), ctx)

    def get_params(self, ctx: Context) -> list[Parameter]:
        """List the options and arguments, and --help."""
        parameters = super().get_params(ctx)
        without_pydantic(parameters)
        return parameters


class Group(TyperGroup):
    """A group of verbs; its own options are checked in the same way."""

    def make_parser(self, ctx: Context) -> _OptionParser:
        """Build the parser of the tokens."""
        return _strict(super().make_parser(ctx), ctx)

    def get_params(self, ctx: Context) -> list[Parameter]:
        """List the options and arguments, and --help."""
        parameters = super().get_params(ctx)
        without_pydantic(parameters)
        return parameters


class App(typer.Typer):
    """The settings that the whole command line shares. Its verbs are of `Command`, unless they say otherwise."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=Group, no_args_is_help=True, rich_markup_mode=None, **settings)

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **settings: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Register a verb, as `typer.Typer.command` does."""
        return super().command(name, cls=cls or Command, **settings)


def _strict(parser: _OptionParser, ctx: Context) -> _OptionParser:
    """Make the parser refuse a second value for an option that holds one."""
    for option in {*parser._short_opt.values(), *parser._long_opt.values()}:
        # --help and the like act at once: saying them twice means nothing else.
        if option.action in ("store", "store_const") and not option.obj.is_eager:
            option.process = partial(_process_once, option, option.process, ctx)  # type: ignore[method-assign]
    return parser


def _process_once(
    option: _Option, process: Callable[[Any, _ParsingState], None], ctx: Context, value: Any, state: _ParsingState
) -> None:
    if option.dest in state.opts:
        second = option.const if option.action == "store_const" else value
        first, second = (_as_typed(option, given) for given in (state.opts[option.dest], second))
        ctx.fail(f"found {first} and {second}, expected one of them")
    process(value, state)


def _as_typed(option: _Option, value: Any) -> str:
    """Return how the option is written with this value, safe to show."""
    from procwire.plain import plain

    if option.action == "store_const":
        return (option.obj.opts if value else option.obj.secondary_opts)[-1]
    return plain(shlex.join([option.obj.opts[-1], value]))
