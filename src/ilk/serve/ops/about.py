"""about: what a model is and can. {} -> one piece: kind, family, can, score, labels, givens, ways, shape, card, window."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING
from math import isfinite
from typing import Any

from ilk.chat import Continues, Weighs
from ilk.serve.work import Ask, Held, Reply

SHOWN = 200   # values of a category that a form offers


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """All that is known."""
    yield Reply(summary(held) | (_whole(held) if held.model is not None else {"labels": [], "givens": [], "ways": [], "card": ""}))


def summary(held: Held) -> dict[str, Any]:
    """What a list of models tells: kind, family, what it can, and of what sort its scores are."""
    talks = held.chat is not None
    can = [word for word, there in (("chat", talks), ("continue", isinstance(held.chat, Continues)), ("weigh", isinstance(held.chat, Weighs)), ("embed", held.embeds is not None)) if there]
    window = {"window": held.chat.window} if held.chat is not None else {}
    if held.model is None:
        return {"kind": "text", "family": "pretrained", "can": [*(["sample"] if talks else []), *can], "score": "bound" if isinstance(held.chat, Weighs) else None, **window}
    from ilk import registry

    sort = _score(held.model)
    every = [*_can(held.model), *(["score"] if sort else []), *can]
    return {"kind": registry.name_of("modalities", held.model.modality), "family": registry.name_of("families", held.model.body.family), "can": every, "score": sort, **window}


def _score(model: Any) -> str | None:
    from ilk.distribution import HasBound, HasEstimate, HasLogProb, sort_of, weakest
    from ilk.errors import UsageError

    for protocol, sort in ((HasLogProb, "exact"), (HasBound, "bound"), (HasEstimate, "estimate")):
        if isinstance(model.body, protocol):
            with suppress(UsageError):
                return weakest(sort, sort_of(model.codec.keeps), sort_of(model.lift.keeps))  # type: ignore[arg-type]
    return None


def _can(model: Any) -> list[str]:
    """What the verbs can do with it: those that look at the body's own capabilities first."""
    from ilk.distribution import Completes, Conditions, Encodes, Revises, Samples, Translates, Unfolds
    from ilk.space import Reals

    body = model.body
    parts = isinstance(body, Conditions)
    codes = isinstance(body, Encodes) and isinstance(body.code_space(), Reals)
    found = {"sample": isinstance(body, Samples), "steps": isinstance(body, Unfolds), "edit": parts or isinstance(body, Completes), "steer": isinstance(body, Unfolds) and parts,
             "impute": (parts or isinstance(body, Completes)) and hasattr(model.modality, "columns"), "vary": codes or isinstance(body, Revises), "interpolate": codes,
             "translate": isinstance(body, Translates)}
    return [word for word, there in found.items() if there]


def _whole(held: Held) -> dict[str, Any]:
    from ilk.model import card_text

    model: Any = held.model
    shape = list(model.modality.shape) if getattr(model.modality, "shape", ()) else None
    return {"labels": list(model.labels), "givens": _givens(model), "ways": _ways(model), "shape": shape, "card": card_text(model), "facts": dict(model.card)}


def _givens(model: Any) -> list[dict[str, Any]]:
    """What a form may ask for: columns with their values or ranges, a label, a prompt."""
    columns = [c for c in getattr(model.modality, "columns", ()) if c.kind not in ("identifier", "text")]
    some = _some(model) if any(c.kind == "number" and (c.low is None or c.high is None) for c in columns) else None
    found = [_column(c, some) for c in columns]
    if "label" in model.body.about:
        found.append({"part": "label", "type": "label", "values": list(model.labels)})
    if model.vocabulary is not None:
        found.append({"part": "prompt", "type": "prompt", "values": list(model.words[:SHOWN])})
    return found


def _some(model: Any) -> Any:
    """A few items: the range of a slider is that of what the model makes."""
    from ilk.distribution import Samples
    from ilk.verbs.sample import sample

    return sample(model, SHOWN).items if isinstance(model.body, Samples) else None


def _column(column: Any, some: Any) -> dict[str, Any]:
    if column.kind == "number":
        step = 1 if column.integer else column.step or None
        seen = (None, None) if some is None else (some[column.name].min(), some[column.name].max())
        low, high = (bound if bound is not None else made for bound, made in zip((column.low, column.high), seen, strict=True))
        return {"part": column.name, "type": "number", "low": low, "high": high, "step": step, "missing": column.maybe}
    if column.kind == "when":
        return {"part": column.name, "type": "time", "form": column.form, "missing": column.maybe}
    values = [str(v) for v in column.raw] if column.kind == "boolean" else list(column.raw[:SHOWN])
    return {"part": column.name, "type": "category", "values": values, "missing": column.maybe}


def _ways(model: Any) -> list[dict[str, Any]]:
    """The ways of drawing that its body takes, each with its options."""
    from ilk import registry
    from ilk.distribution import Converses, Defers, Denoises, NextToken, Truncates
    from ilk.samplers._contract import Sampler

    body = model.body.through if isinstance(model.body, Defers) else model.body
    found = []
    for axis in ("samplers", "decoding"):
        for name in registry.names(axis):
            way = registry.get(axis, name)
            step = axis == "samplers" and issubclass(way, Sampler)
            takes = (isinstance(body, NextToken) if axis == "decoding" else isinstance(body, Denoises) if step else isinstance(body, Truncates))
            if takes or (axis == "decoding" and isinstance(body, Converses) and name in ("ancestral", "top_k", "top_p", "min_p")):
                found.append({"name": name, "axis": axis, "summary": registry.summary(axis, name), "options": _options(way)})
    return found


def _options(way: Any) -> list[dict[str, Any]]:
    """Options that a form can show: numbers, words and choices."""
    from pydantic import TypeAdapter

    from ilk.recipe import listed

    schema = TypeAdapter(way).json_schema()["properties"]
    found = []
    for option in listed(way):
        told = schema.get(option.name, {})
        kinds = [k for k in (told, *told.get("anyOf", ())) if k.get("type") in ("integer", "number", "string", "boolean") or "enum" in k]
        if not kinds:
            continue
        kind, default = kinds[0], None if option.default is MISSING else option.default
        low, high = kind.get("minimum", kind.get("exclusiveMinimum")), kind.get("maximum", kind.get("exclusiveMaximum"))
        default = None if isinstance(default, float) and not isfinite(default) else default
        found.append({"name": option.name, "type": "choice" if "enum" in kind else kind["type"], "default": default, "low": low, "high": high, "values": kind.get("enum"),
                      "summary": ""})
    return found
