"""What requests for items say, checked: which items of which model, drawn in which way."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ilk import recipe, registry
from ilk.distribution import How
from ilk.errors import ModelError, UsageError
from ilk.files import parse_json
from ilk.given import Label, Prompt
from ilk.model import Model
from ilk.serve.work import Held

WHOLE, KEPT = 1000, 16   # tokens of a text that has no end, unless more are asked for; models with something given that are remembered


def whole(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number that is asked for; UsageError for anything else."""
    value = body.get(name, default)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{name} is {str(value)[:40]!r}", code="OPTION", param=name, remedy=f"a whole number from {low} to {high}")
    return value


def given_key(body: Mapping[str, Any]) -> str:
    """What is given, as one text."""
    return json.dumps([body.get(k) for k in ("given", "label", "prompt")], sort_keys=True)


def model_of(held: Held, body: Mapping[str, Any]) -> Model:
    """The model with all that is given: rules as texts or objects of values to keep, a label, a prompt. The last few are remembered."""
    key = ("given", given_key(body))
    if key not in held.memo:
        mine = [k for k in held.memo if isinstance(k, tuple) and k[0] == "given"]
        if len(mine) >= KEPT:
            del held.memo[mine[0]]
        made = _given(held.items(), body)
        made.met  # noqa: B018  worked out here, so that what is impossible is refused
        held.memo[key] = made
    found: Model = held.memo[key]
    return found


def _given(model: Model, body: Mapping[str, Any]) -> Model:
    rules = body.get("given") or ()
    for rule in [rules] if isinstance(rules, str | Mapping) else rules if isinstance(rules, list | tuple) else [None]:
        model = model.given(_rule(rule))
    if (label := body.get("label")) is not None:
        known = {str(v): v for v in model.labels}
        model = model.given(Label(known.get(str(label), str(label))))
    prompt = body.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise UsageError("the prompt is no text", code="GIVEN", param="prompt", remedy="a text in quotes")
    return model.given(Prompt(prompt)) if prompt else model


def _rule(rule: Any) -> Any:
    if isinstance(rule, Mapping):
        return dict(rule)
    if not isinstance(rule, str):
        raise UsageError("what is given is no rule", code="GIVEN", param="given", remedy='a list of rules as texts, such as ["age > 60"]')
    if not rule.lstrip().startswith("{"):
        return rule
    try:
        return parse_json(rule.encode("utf-8", "replace"), "given")
    except ModelError as why:
        raise UsageError(why.message, code="RULE", param="given", remedy='such as {"age": 42}') from None


def way_of(model: Model, body: Mapping[str, Any]) -> How | None:
    """The way of drawing that is named with its options; of a text that has no end, its beginning."""
    from ilk.verbs.sample import bound

    name, options = body.get("how"), body.get("options") or {}
    if not isinstance(name, str | None) or not isinstance(options, Mapping):
        raise UsageError("a way of drawing is a name, its options an object", code="HOW", param="how")
    if name is None and getattr(model.modality, "per", "") == "whole":
        name, options = "ancestral", {"most": WHOLE, **options}
    if name is None or name == "default":
        if options:
            raise UsageError("there are options, but no way of drawing", code="HOW", param="how", remedy="name it as how")
        return None
    axis = "samplers" if name in registry.names("samplers") else "decoding"
    made: How = recipe.made(registry.get(axis, name), options)
    return bound(model, made)
