"""show: what a model is, for people: a summary and a few items."""
from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from ilk import recipe, registry
from ilk.distribution import Samples, describe
from ilk.given import given_to_json
from ilk.modality import Shown
from ilk.model import Model
from ilk.store import State


@dataclass(frozen=True)
class Summary:
    """A model in facts: family and options, kind of data and its parts, what is given, size, where it came from."""

    family: str
    options: Mapping[str, Any]
    modality: str
    items: str
    parts: Mapping[str, str]
    given: tuple[Mapping[str, Any], ...]
    numbers: int
    card: Mapping[str, Any]


def summary(model: Model) -> Summary:
    """The facts of a model."""
    columns = getattr(model.modality, "columns", ())
    parts = {c.name: c.describe() + (", sometimes missing" if c.maybe else "") for c in columns}
    state: State = model.body.state()
    return Summary(registry.name_of("families", model.body.family), recipe.options(model.body.family), registry.name_of("modalities", model.modality),
                   describe(model.codec.space), parts, tuple(given_to_json(g) for g in model.givens), sum(t.numel() for t in state.tensors.values()), model.card)


def html(model: Model) -> str:
    """How a notebook shows a model: its summary and, if it makes any, five items."""
    said = summary(model)
    body = _embedded(model.modality.show(model.sample(5))) if isinstance(model.body, Samples) else ""
    given = "".join(f"<br>given {escape(str(dict(g)))}" for g in said.given)
    return f"<p><b>{escape(said.family)}</b> of {escape(said.modality)}: {escape(said.items)}; {said.numbers:,} numbers{given}</p>{body}"


def _embedded(shown: Shown) -> str:
    """Items within a page: HTML as it is, text as text, pictures inline."""
    if shown.mime.startswith("image/"):
        return f'<img alt="" src="data:{shown.mime};base64,{b64encode(shown.data).decode()}">'
    text = shown.data.decode() if shown.mime.startswith("text/") else ""
    return text if shown.mime == "text/html" or not text else f"<pre>{escape(text)}</pre>"
