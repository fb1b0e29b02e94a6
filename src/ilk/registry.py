"""Finds what is built in (by file) and what is installed (by entry point); imports nothing until it is asked for.

An axis is a folder here, and the entry-point group `ilk.<axis>` outside. A built-in module defines one public subclass
of the axis's base, or of one whose name ends in the base's; its name is the file's. The name of a plug-in is its entry point's.
"""
from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from .errors import UsageError, nearest

BASES = {"families": ("ilk.distribution", "Family"), "modalities": ("ilk.modality", "Modality"), "metrics": ("ilk.metric", "Metric"),
         "decoding": ("ilk.distribution", "How"), "samplers": ("ilk.distribution", "How"), "nets": ("ilk.distribution", "Net"),
         "exporters": ("ilk.exporter", "Exporter"), "quantities": ("ilk.quantity", "Quantity"), "faults": ("ilk.fault", "Fault"),
         "attacks": ("ilk.attack", "Attack"), "trackers": ("ilk.tracker", "Tracker"),
         "backends": ("ilk.backend", "Backend"),
         "tunings": ("ilk.tuning", "Tuning"), "readers": ("ilk.reader", "Reader"), "indexes": ("ilk.vectors", "VectorIndex"),
         "tasks": ("ilk.checked", "Task")}
SINGULAR = {"families": "family", "modalities": "modality", "metrics": "metric", "decoding": "way of decoding", "samplers": "sampler",
            "nets": "network", "exporters": "exporter", "quantities": "quantity", "faults": "fault", "attacks": "attack",
            "trackers": "tracker", "backends": "scheme", "tunings": "way of tuning", "readers": "format", "indexes": "index", "tasks": "task"}
_HOME = Path(__file__).parent


@cache
def _built_in(axis: str) -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in (_HOME / axis).glob("*.py") if not p.stem.startswith("_")))


@cache
def _installed(axis: str) -> dict[str, EntryPoint]:
    return {e.name: e for e in entry_points(group=f"ilk.{axis}") if e.name not in _built_in(axis)}


def names(axis: str) -> tuple[str, ...]:
    """The names on an axis: built in and installed.

    >>> "gmm" in names("families")
    True
    """
    return tuple(sorted((*_built_in(axis), *_installed(axis))))


def check(axis: str, name: str) -> str:
    """The name itself; UsageError with the nearest one if there is no such thing."""
    if name not in names(axis):
        raise UsageError(f"no {SINGULAR[axis]} named {name!r}", remedy=nearest(name, names(axis)), code=f"UNKNOWN_{axis.upper()}", param=axis)
    return name


def summary(axis: str, name: str) -> str:
    """The first line of the module's docstring, read as text: nothing is imported."""
    if name in _built_in(axis):
        path: Path | None = _HOME / axis / f"{name}.py"
    else:
        spec = importlib.util.find_spec(_installed(axis)[name].module)
        path = Path(spec.origin) if spec and spec.origin else None
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path and path.suffix == ".py" else None
    return (doc or "").split("\n")[0]


@cache
def class_name(axis: str, name: str) -> str:
    """The name of the class, read as text: nothing is imported."""
    if name not in _built_in(axis):
        return _installed(axis)[name].attr
    text = (_HOME / axis / f"{name}.py").read_text(encoding="utf-8")
    found = re.search(rf"^class ([A-Za-z]\w*)\((?:\w*{BASES[axis][1]}|Sampler)\b", text, re.MULTILINE)
    return found[1] if found else ""


def get(axis: str, name: str) -> type[Any]:
    """The class of that name; UsageError for an unknown name, TypeError for a module that defines none."""
    if name in _installed(axis):
        loaded: type[Any] = _installed(axis)[name].load()
        return loaded
    check(axis, name)
    module = importlib.import_module(f"ilk.{axis}.{name}")
    found: type[Any] | None = getattr(module, class_name(axis, name) or " ", None)
    home, base = BASES[axis]
    if found is None or not issubclass(found, getattr(importlib.import_module(home), base)):
        raise TypeError(f"{module.__name__} must define a public subclass of {base}")
    return found


def name_of(axis: str, thing: object) -> str:
    """The registered name of an instance's class: what a saved model calls it."""
    cls = type(thing)
    place = cls.__module__.split(".")
    if place[:2] == ["ilk", axis]:
        return place[2]
    for name, entry in _installed(axis).items():
        if (entry.module, entry.attr) == (cls.__module__, cls.__qualname__):
            return name
    raise UsageError(f"{cls.__module__}.{cls.__qualname__} is not a registered {SINGULAR[axis]}",
                     remedy=f"install it with an entry point in the group ilk.{axis}", code="UNREGISTERED")
