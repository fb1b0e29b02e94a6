"""Flags that depend on what is named: the options of a family, of a kind of data, of a way to draw.

They are taken from the command line before the fixed flags are read, since only then is it known which there are.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import Field, fields, is_dataclass
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from . import registry
from .errors import UsageError, nearest

DEFAULTS = {"fit": {"table": "made", "text": "ngram", "image": "diffusion"}, "augment": {"table": "circuit", "image": "copula"}}
HIDDEN = {"modalities": {"columns", "shape", "dtype", "low", "levels"}, "decoding": {"tokens", "draft"}}
SUFFIXES = {".npy": "array", ".npz": "array", ".txt": "text", ".md": "text", ".jsonl": "text", ".gz": "text", ".zip": "image",
            **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"), "image")}


def options(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The words without the flags of recipes, and those flags by axis: {"families": {"order": 3}, ...}."""
    command = next((w for w in words if not w.startswith("-")), "")
    named = _named(command, list(words))
    if not named:
        return list(words), {}
    asked_help = any(w in ("--help", "-h") for w in words)
    if asked_help and "tasks" not in named and not any(f"--{flag}" in w for w in words for flag in ("family", "how", "modality", "tuning")):
        return list(words), {}
    known = {axis: _known(axis, registry.get(axis, name)) for axis, name in named.items() if axis != "families"}
    if "families" in named:
        known = {"families": _with(_known("families", type(recipe := recipe_named(named["families"]))), recipe)} | known
    outer, inner = _inner(list(words), known)
    rest, found = _taken(outer, known)
    _put_inside(found, known, inner)
    if asked_help:
        _explain(known, named)
    return rest, found


def _named(command: str, words: list[str]) -> dict[str, str]:
    """Which recipes the command line is about."""
    if command in ("sample", "edit", "steps", "upscale", "beside", "revise"):
        how = _value(words, "--how")
        return {} if how is None else {"decoding" if how in registry.names("decoding") else "samplers" if how in registry.names("samplers") else _no(how): how}
    if command == "tune":
        return {"tunings": registry.check("tunings", _value(words, "--tuning") or "lora")}
    if command == "task":
        name = next((w for w in words[words.index(command) + 1:] if not w.startswith("-")), "")
        return {"tasks": registry.check("tasks", name)} if name else {}
    if command not in DEFAULTS:
        return {}
    place = words.index(command) + 1
    data = next((w for w in words[place:] if not w.startswith("-")), "")
    modality = _value(words, "--modality") or _guess(data)
    family = _value(words, "--family") or DEFAULTS[command].get(modality, "gmm")
    return {"families": family, "modalities": registry.check("modalities", modality)}


def recipe_named(name: str) -> Any:
    """The recipe of a family with its default options, or of a preset, which takes every family in: only where none has the name."""
    if name in registry.names("families"):
        return registry.get("families", name)()
    from .presets import named

    return named(name)


def _with(known: dict[str, tuple[Field[Any], Any]], recipe: Any) -> dict[str, tuple[Field[Any], Any]]:
    """The same options, their defaults those of a recipe."""
    found = {flag: (copy(field), hint) for flag, (field, hint) in known.items()}
    for field, _ in found.values():
        field.default = getattr(recipe, field.name)
    return found


def _no(how: str) -> str:
    names = (*registry.names("decoding"), *registry.names("samplers"))
    raise UsageError(f"no way to draw named {how!r}", remedy=nearest(how, names), code="UNKNOWN_HOW", param="how")


def _guess(data: str) -> str:
    """The kind of data by its name alone."""
    path = Path(data)
    if data and not os.path.exists(path):
        from . import catalogue

        if data in catalogue.names():
            kind: str = catalogue.entry(data).modality
            return kind if kind in registry.names("modalities") else "table"
    return _of_folder(path) if os.path.isdir(path) else SUFFIXES.get(path.suffix.lower(), "table")


def _of_folder(path: Path) -> str:
    """The kind of data of the first file found whose suffix says one, hidden files left out."""
    files = (Path(name) for _, _, names in os.walk(path) for name in sorted(names) if not name.startswith("."))
    return next((kind for file in islice(files, 1000) if (kind := SUFFIXES.get(file.suffix.lower()))), "text")


def _value(words: Sequence[str], flag: str) -> str | None:
    for i, word in enumerate(words):
        if word == flag:
            return words[i + 1] if i + 1 < len(words) else None
        if word.startswith(flag + "="):
            return word.partition("=")[2]
    return None


def _known(axis: str, cls: type[Any]) -> dict[str, tuple[Field[Any], Any]]:
    from .recipe import listed

    hints = get_type_hints(cls, include_extras=True)
    return {f.name.replace("_", "-"): (f, hints[f.name]) for f in listed(cls) if f.name not in HIDDEN.get(axis, set())}


def _taken(words: list[str], known: Mapping[str, Mapping[str, tuple[Field[Any], Any]]]) -> tuple[list[str], dict[str, Any]]:
    rest: list[str] = []
    found: dict[str, dict[str, Any]] = {axis: {} for axis in known}
    at = 0
    while at < len(words):
        flag, equals, inline = words[at].partition("=")
        name = flag[2:].replace("_", "-") if flag.startswith("--") else ""
        axis = next((a for a, flags in known.items() if name in flags), None)
        if axis is None:
            rest.append(words[at])
            at += 1
            continue
        field, hint = known[axis][name]
        if _plain(hint) is bool and not equals:
            found[axis][field.name], at = True, at + 1
            continue
        if not equals and at + 1 >= len(words):
            raise UsageError(f"{flag} needs a value: {_range(hint)}", param=name)
        text, at = (inline, at + 1) if equals else (words[at + 1], at + 2)
        _put(found[axis], field.name, _parsed(flag, text, hint))
    return rest, found


def _inner(words: list[str], known: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], dict[str, list[str]]]:
    """The words without options of recipes inside a recipe (--prior.components 3), and those by the flag of the recipe."""
    outer: list[str] = []
    inner: dict[str, list[str]] = {}
    at = 0
    while at < len(words):
        head, dot, tail = words[at].partition(".")
        if dot and head.startswith("--") and any(head[2:] in flags for flags in known.values()):
            many = 1 if "=" in tail else 2
            inner.setdefault(head[2:], []).extend(["--" + tail, *words[at + 1:at + many]])
            at += many
        else:
            outer.append(words[at])
            at += 1
    return outer, inner


def _put_inside(found: dict[str, dict[str, Any]], known: Mapping[str, Mapping[str, tuple[Field[Any], Any]]], inner: Mapping[str, list[str]]) -> None:
    """Options of the recipes that were named, or of the default ones."""
    for name, words in inner.items():
        axis = next(a for a, flags in known.items() if name in flags)
        field, hint = known[axis][name]
        recipe = found[axis].get(field.name, field.default)
        if not is_dataclass(recipe) or isinstance(recipe, type):
            raise UsageError(f"--{name} takes no options of its own", param=name, remedy=f"name one first: --{name} NAME" if recipe is None else None)
        kind = _axis(hint)
        inside = {kind: _known(kind, type(recipe))}
        words, deeper = _inner(words, inside)
        rest, options = _taken(words, inside)
        if rest:
            raise UsageError(f"{type(recipe).__name__} has no option {rest[0]}", remedy=nearest(rest[0][2:], inside[kind]), param=name)
        options[kind] = {f.name: getattr(recipe, f.name) for f in fields(recipe)} | options[kind]
        _put_inside(options, inside, deeper)
        found[axis][field.name] = type(recipe)(**options[kind])


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, dict) and name in into:
        into[name] = {**into[name], **value}
    elif isinstance(value, tuple) and name in into:
        into[name] = (*into[name], *value)
    else:
        into[name] = value


def _plain(hint: Any) -> Any:
    """The type behind Annotated and Optional."""
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        left = [a for a in get_args(hint) if a is not NoneType]
        return _plain(left[0])
    return hint


def _parsed(flag: str, text: str, hint: Any) -> Any:
    plain = _plain(hint)
    if get_origin(plain) is Literal:
        if text not in get_args(plain):
            raise UsageError(f"{flag} is {text!r}", remedy=nearest(text, get_args(plain)), param=flag[2:])
        return text
    if get_origin(plain) in (dict, Mapping) or getattr(get_origin(plain), "__name__", "") == "Mapping":
        return _pair(flag, text)
    if get_origin(plain) is tuple:
        return (text,)
    if plain in (int, float):
        try:
            return plain(text)
        except ValueError:
            raise UsageError(f"{flag} is {text!r}, which is no {'whole ' if plain is int else ''}number", remedy=_range(hint), param=flag[2:]) from None
    if plain is str or plain is bool:
        return text if plain is str else text.lower() in ("1", "true", "yes")
    return registry.get(_axis(hint), registry.check(_axis(hint), text))()


def _axis(hint: Any) -> str:
    """What a recipe inside a recipe is one of; told by the name of its type, since flags import no torch."""
    return "families" if getattr(_plain(hint), "__name__", "") == "Family" else "nets"


def _pair(flag: str, text: str) -> dict[str, Any]:
    """NAME=VALUE, or NAME=LOW:HIGH for bounds."""
    name, equals, value = text.rpartition("=")
    if not equals:
        raise UsageError(f"{flag} {text!r} is not NAME=VALUE", remedy=f'{flag} "age=text"', param=flag[2:])
    if flag != "--bounds":
        return {name: value}
    low, colon, high = value.partition(":")
    try:
        return {name: (float(low) if low else None, float(high) if high else None)}
    except ValueError:
        raise UsageError(f"{flag} {text!r} is not NAME=LOW:HIGH", remedy='--bounds "age=0:120"', param="bounds") from None


def _range(hint: Any) -> str:
    """What may be given, in words."""
    plain = _plain(hint)
    if get_origin(plain) is Literal:
        return " | ".join(map(str, get_args(plain)))
    bounds = [m for m in _extras(hint) if hasattr(m, "ge") or hasattr(m, "gt")]
    low = next((f"from {m.ge}" if m.ge is not None else f"above {m.gt}" for m in bounds if m.ge is not None or m.gt is not None), "")
    high = next((f"to {m.le}" if m.le is not None else f"below {m.lt}" for m in bounds if m.le is not None or m.lt is not None), "")
    words = {int: "whole number", float: "number", str: "text", bool: "flag"}
    kind = "text; several compose" if get_origin(plain) is tuple else words.get(plain, "NAME=VALUE" if "Mapping" in str(plain) else f"name of ilk list {_axis(hint)}")
    inside = ", whose options are --THIS.OPTION" if kind.startswith("name") else ""
    return " ".join(p for p in (kind, low, high) if p) + inside


def _extras(hint: Any) -> list[Any]:
    if get_origin(hint) is Annotated:
        return [*hint.__metadata__, *_extras(get_args(hint)[0])]
    return [m for a in get_args(hint) for m in _extras(a)] if get_origin(hint) in (Union, UnionType) else []


def _summary(axis: str, name: str) -> str:
    if name in registry.names(axis):
        return registry.summary(axis, name)
    from .presets import summary

    return summary(name)


def _explain(known: Mapping[str, Mapping[str, tuple[Field[Any], Any]]], named: Mapping[str, str]) -> None:
    """The flags of the recipes, before the fixed ones."""
    for axis, flags in known.items():
        if not flags:
            continue
        sys.stdout.write(f"Options of {registry.SINGULAR[axis]} {named[axis]}: {_summary(axis, named[axis])}\n")
        for name, (field, hint) in flags.items():
            default = "" if field.default is None or not isinstance(field.default, int | float | str) else f" (default {field.default})"
            sys.stdout.write(f"  --{name.ljust(14)} {_range(hint)}{default}\n")
        sys.stdout.write("\n")
