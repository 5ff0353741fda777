"""Values of options without pydantic: typer asks that for each, and to import it takes longer than all verbs do.

Only what is beyond doubt is taken here. All else, mistakes above all, typer decides as ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from typer._coercion import RuntimeParam, build_runtime_param, resolve_type_descriptor
from typer.core import TyperArgument, TyperOption
from typer.models import ParameterInfo

if TYPE_CHECKING:
    from typer._click import Context
    from typer._click.core import Parameter
    from typer.core import _TyperParameter

__all__ = ["without_pydantic"]


def without_pydantic(parameters: Iterable[Parameter]) -> None:
    """Have these parameters take their values here, as far as they can."""
    for parameter in parameters:
        if isinstance(parameter, TyperOption | TyperArgument) and parameter._runtime_param is None:
            kind = parameter.type_descriptor
            parameter._runtime_param = _Plain(kind.parameter_info, kind.annotation)


class _Plain(RuntimeParam):
    def _coerce_value(self, value: Any, param: _TyperParameter, ctx: Context) -> Any:
        try:
            return _plain(value, self.annotation, self.parameter_info)
        except ValueError:
            usual = build_runtime_param(resolve_type_descriptor(self.annotation, self.parameter_info))
            return usual._coerce_value(value, param, ctx)


def _plain(value: Any, kind: Any, info: ParameterInfo) -> Any:
    """The value as one of this kind. Raises ValueError where that is not for us to say."""
    if info.parser is not None:
        raise ValueError(value)
    if get_origin(kind) is list and isinstance(value, list | tuple):
        [each] = get_args(kind)
        return [_plain(one, each, info) for one in value]
    if kind is int and isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if not isinstance(value, str):
        # Or a default, in its own type.
        if type(value) is kind and (kind is bool or (kind is int and _is_within(value, info))):
            return value
    elif kind is str:
        return value
    elif kind is Path and _is_any(info) and (os.access(value, os.R_OK) or not os.path.exists(value)):  # noqa: PTH110
        return Path(value)
    elif get_origin(kind) is Literal and value in get_args(kind):
        return value
    elif isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    raise ValueError(value)


def _is_within(number: int, info: ParameterInfo) -> bool:
    return (info.min is None or number >= info.min) and (info.max is None or number <= info.max)


def _is_any(info: ParameterInfo) -> bool:
    """Whether a path may lead to anything, if it can be read."""
    limits = (info.exists, info.writable, info.resolve_path, info.allow_dash, info.path_type)
    return info.file_okay and info.dir_okay and not any(limits)
