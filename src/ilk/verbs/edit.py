"""edit: an item with part of it made anew; its variations; and the way from one item to another."""
from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Encodes, How
from ilk.errors import UsageError
from ilk.given import Keep
from ilk.modality import HasParts
from ilk.model import Model
from ilk.region import Named, Region
from ilk.rng import Rng
from ilk.verbs.condition import flat, given
from ilk.verbs.read import native
from ilk.verbs.sample import sample


def edit(model: Model, item: Any, redo: Region | Sequence[str], n: int = 1, seed: int = 0, how: How | None = None) -> Any:
    """n items that are this one but for what is made anew: what is kept is kept exactly.

    `redo` is `ilk.box(top, left, bottom, right)` of a picture, `ilk.outside(...)` of one, names of columns, or `ilk.after(place)` of a text.

    >>> import ilk, polars as pl
    >>> model = ilk.fit(pl.DataFrame({"a": [0, 1] * 50, "b": ["x", "y"] * 50}), ilk.GMM(components=2))
    >>> edit(model, pl.DataFrame({"a": [1], "b": ["x"]}), ["b"])["a"].to_list()
    [1]
    """
    one = _one(model, item)
    if not isinstance(model.modality, HasParts):
        raise UsageError(f"items of {type(model.modality).__name__} have no parts to keep", code="CAPABILITY")
    region = redo if isinstance(redo, Region) else Named(tuple(redo))
    stays = region.kept(model.modality.parts(one))
    return sample(given(model, Keep(stays)) if stays else model, n, seed, how).items


def vary(model: Model, item: Any, strength: float = 0.5, n: int = 1, seed: int = 0) -> Any:
    """n variations of an item: its code mixed with fresh noise. `strength` 0 gives the item as it decodes, 1 any other item."""
    if not 0 <= strength <= 1:
        raise UsageError(f"strength is {strength}", code="OPTION", param="strength", remedy="0 to 1")
    body, code = _code(model, item)
    noise = Rng(seed).child("vary").normal(n, *code.shape[1:])
    return _decoded(model, body, sqrt(1 - strength**2) * code.double() + strength * noise, seed)


def interpolate(model: Model, one: Any, other: Any, n: int = 8, seed: int = 0) -> Any:
    """n items on the way from one to the other, both ends among them: along the arc between their codes (White 2016)."""
    if n < 2:
        raise UsageError(f"n is {n}", code="OPTION", param="n", remedy="at least 2: the ends")
    body, a = _code(model, one)
    _, b = _code(model, other)
    return _decoded(model, body, _arc(a.double(), b.double(), torch.linspace(0, 1, n, dtype=torch.double)), seed)


def _arc(a: Tensor, b: Tensor, at: Tensor) -> Tensor:
    """Points between a and b, (1, *shape) each, on the arc through both."""
    angle = torch.arccos((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12)).clamp_min(1e-6)
    t = at.reshape(-1, *[1] * (a.ndim - 1))
    return ((1 - t) * angle).sin() / angle.sin() * a + (t * angle).sin() / angle.sin() * b


def _one(model: Model, item: Any) -> Any:
    items = native(model.modality, item)
    if len(items) != 1:
        raise UsageError(f"{len(items)} items; one is edited at a time", code="ITEMS", remedy="pass a collection of one: items[3:4]")
    return items


def _code(model: Model, item: Any) -> tuple[Encodes, Tensor]:
    if not isinstance(model.body, Encodes):
        raise UsageError(f"{type(model.body).__name__} has no codes: it lacks Encodes", code="CAPABILITY", remedy="vae, diffusion and flow_matching have it")
    return model.body, model.body.encode(flat(model, _one(model, item), Rng(0).child("code"))).tensor


def _decoded(model: Model, body: Encodes, codes: Tensor, seed: int) -> Any:
    return model.codec.decode(model.lift.decode(body.decode(Batch(codes))), Rng(seed).child("raw"))
