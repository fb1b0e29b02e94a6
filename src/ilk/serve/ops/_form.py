"""What can be given to a model and how it can draw, as fields of forms."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING
from typing import Any, Literal, get_args, get_origin

from ilk import registry
from ilk.distribution import Converses, Defers, Denoises, NextToken, Truncates
from ilk.errors import IlkError
from ilk.flags import _extras, _known, _plain
from ilk.model import Model
from ilk.verbs.sample import bound, sample

BY_TWO = ("speculative",)   # ways of drawing that take a second model, which no request can bring
DRAWS = 256   # rows that say between what bounds numbers lie
TYPES = {int: "integer", float: "number", bool: "boolean", str: "text"}


def givens_of(model: Model) -> list[dict[str, Any]]:
    """Columns of a table with their values or bounds, the beginning and the end of a text, a label, a prompt."""
    found = list(_columns(model)) if getattr(model.modality, "columns", ()) else []
    if registry.name_of("modalities", model.modality) == "text":
        found += [{"part": part, "type": "text"} for part in ("prefix", "suffix")]
    if model.labels:
        found.append({"part": "label", "type": "label", "values": [v.item() if hasattr(v, "item") else v for v in model.labels]})
    return found + ([{"part": "prompt", "type": "prompt"}] if model.words else [])


def _columns(model: Model) -> Iterator[dict[str, Any]]:
    some = sample(model, DRAWS).items
    for c in model.modality.columns:  # type: ignore[attr-defined]
        if c.kind == "category":
            yield {"part": c.name, "type": "category", "values": list(c.values)}
        elif c.kind == "boolean":
            yield {"part": c.name, "type": "category", "values": [False, True]}
        elif c.kind in ("number", "when"):
            cells = some[c.name].drop_nulls()
            low, high = (None, None) if not len(cells) else (v.isoformat() if hasattr(v, "isoformat") else v for v in (cells.min(), cells.max()))
            yield {"part": c.name, "type": "number" if c.kind == "number" else "date", "low": low, "high": high, "step": getattr(c, "step", None) or None}


def ways_of(model: Model) -> list[dict[str, Any]]:
    """Ways of drawing that the model takes, with their options."""
    by = model.body.through if isinstance(model.body, Defers) else model.body
    axes = [*(["decoding"] if isinstance(by, NextToken | Converses) else []), *(["samplers"] if isinstance(by, Denoises | Truncates) else [])]
    found = []
    for axis, name in ((axis, name) for axis in axes for name in registry.names(axis) if name not in BY_TWO):
        if axis == "samplers" and not isinstance(by, Truncates if name == "truncation" else Denoises):
            continue
        with suppress(IlkError, TypeError, ValueError):   # one that has to be told more, or draws from another kind of model
            bound(model, registry.get(axis, name)())
            found.append({"name": name, "axis": axis, "summary": registry.summary(axis, name), "options": options_of(axis, name)})
    return found


def options_of(axis: str, name: str) -> list[dict[str, Any]]:
    """The options of a recipe: what each may be, and what it is when nobody says."""
    return [_option(flag, field.default, hint) for flag, (field, hint) in _known(axis, registry.get(axis, name)).items()]


def _option(flag: str, default: Any, hint: Any) -> dict[str, Any]:
    plain = _plain(hint)
    bounds: Mapping[str, Any] = {}
    for extra in _extras(hint):
        low, high = (next((v for name in names if (v := getattr(extra, name, None)) is not None), None) for names in (("ge", "gt"), ("le", "lt")))
        bounds = {"low": low, "high": high} if (low, high) != (None, None) else bounds
    values = list(get_args(plain)) if get_origin(plain) is Literal else None
    known = default if isinstance(default, int | float | str) else None
    return {"name": flag.replace("-", "_"), "type": "choice" if values else TYPES.get(plain, "other"), "default": None if default is MISSING else known, "values": values,
            "low": bounds.get("low"), "high": bounds.get("high"), "summary": None}
