"""Commands whose help is in the language that is asked for."""
from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from types import FunctionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter

from ilk.commands._shared import COMMON
from ilk.words import chinese, help_text


def spoken(command: Callable[..., None]) -> Callable[..., None]:
    """The same command; in another language than English a copy, with its docstring and the help of its parameters translated."""
    if not chinese() or not isinstance(command, FunctionType):
        return command
    made = FunctionType(command.__code__, command.__globals__, command.__name__, command.__defaults__, command.__closure__)
    made.__kwdefaults__, made.__doc__ = command.__kwdefaults__, help_text(cleandoc(command.__doc__ or ""))
    made.__annotations__ = {name: _said(hint) for name, hint in get_type_hints(command, include_extras=True).items()}
    return made


def _said(hint: Any) -> Any:
    if get_origin(hint) is not Annotated:
        return hint
    plain, *marks = get_args(hint)
    return Annotated[plain, *(_mark(mark) for mark in marks)]


def _mark(mark: Any) -> Any:
    if not isinstance(mark, Parameter) or not mark.help:
        return mark
    said = Parameter.combine(mark, Parameter(help=help_text(mark.help)))
    return Parameter.combine(said, Parameter(group=Group(help_text(COMMON.name), sort_key=COMMON.sort_key))) if mark.group == (COMMON,) else said
