"""Recipes (families, modalities, networks, ways to draw) as JSON and back, their options checked against their ranges."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import cache
from inspect import get_annotations
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from . import registry
from .errors import UsageError, nearest

T = TypeVar("T")


@dataclass(frozen=True)
class Tried:
    """Marks an option of a recipe that a race tunes, with the values that are worth a try.

    >>> Tried(1, 2, 4).values
    (1, 2, 4)
    """

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)


def tried(recipe: Any) -> dict[str, tuple[Any, ...]]:
    """The options of a recipe that are worth tuning, each with its values."""
    hints = get_type_hints(type(recipe), include_extras=True)
    return {f.name: mark.values for f in listed(recipe) for mark in getattr(hints[f.name], "__metadata__", ()) if isinstance(mark, Tried)}


_INSIDE = {"net": "nets", "family": "families", "tuning": "tunings"}  # recipes that may stand inside another, by their word in JSON


@cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def checked(recipe: T) -> T:
    """The recipe itself, its options converted and in range; UsageError naming the option that is not."""
    cls: type[T] = type(recipe)
    return made(cls, {f.name: _inside(getattr(recipe, f.name)) for f in fields(recipe)})  # type: ignore[arg-type]


def _inside(value: Any) -> Any:
    return checked(value) if _word(value) else value


def made(cls: type[T], options: Mapping[str, Any]) -> T:
    """A recipe of a class; UsageError for an unknown option or one out of range."""
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    if extra := [k for k in options if k not in names]:
        raise UsageError(f"{cls.__name__} has no option {extra[0]!r}", remedy=nearest(extra[0], names), code="OPTION", param=extra[0])
    try:
        found: T = _adapter(cast(Any, cls)).validate_python(dict(options))
    except ValidationError as why:
        first = why.errors()[0]
        name = ".".join(str(p) for p in first["loc"]) or cls.__name__
        raise UsageError(f"{cls.__name__} option {name}: {first['msg'].lower()}, got {first['input']!r}"[:300], code="OPTION", param=name) from None
    return found


def listed(recipe: Any) -> list[Field[Any]]:
    """The options of a recipe in the order that people are shown: its own, then those it shares with others."""
    cls = recipe if isinstance(recipe, type) else type(recipe)
    homes = [get_annotations(c).keys() for c in cls.__mro__]
    return sorted(fields(cls), key=lambda f: next(i for i, own in enumerate(homes) if f.name in own))


def options(recipe: Any) -> dict[str, Any]:
    """The options of a recipe as JSON; a network inside as its own recipe, a user's own by its name."""
    return {f.name: _plain(getattr(recipe, f.name)) for f in listed(recipe)}


def _plain(value: Any) -> Any:
    if word := _word(value):
        return {word: registry.name_of(_INSIDE[word], value), "options": options(value)}
    if callable(value) and not is_dataclass(value):
        return {"custom": f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__name__)}"}
    return _adapter(object).dump_python(value, mode="json") if not isinstance(value, str | int | float | bool | None) else value


def _word(value: Any) -> str:
    """What a recipe inside another is called in JSON; "" for a plain value."""
    if not is_dataclass(value) or isinstance(value, type):
        return ""
    return next((word for word, axis in _INSIDE.items() if _on(axis, value)), "")


def _on(axis: str, value: Any) -> bool:
    return type(value).__module__.split(".")[:2] == ["ilk", axis] or any(
        (e.module, e.attr) == (type(value).__module__, type(value).__qualname__) for e in registry._installed(axis).values())


def facts(axis: str, recipe: Any) -> dict[str, Any]:
    """A recipe as JSON: its registered name and its options."""
    return {"name": registry.name_of(axis, recipe), "options": options(recipe)}


def from_facts(axis: str, said: Mapping[str, Any], net: Any = None) -> Any:
    """The recipe that `facts` wrote down. `net` stands for a user's own network, which is never loaded from disk."""
    cls = registry.get(axis, str(said["name"]))
    given = {k: _net(v, net) for k, v in dict(said["options"]).items()}
    return made(cls, given)


def _net(value: Any, own: Any) -> Any:
    for word, axis in _INSIDE.items():
        if isinstance(value, Mapping) and set(value) == {word, "options"}:
            return from_facts(axis, {"name": value[word], "options": value["options"]}, own)
    if isinstance(value, Mapping) and set(value) == {"custom"}:
        if own is None:
            raise UsageError(f"this model was made with a network of your own ({value['custom']})", remedy="load it with net=... naming the same class", code="NET")
        return own
    return value
