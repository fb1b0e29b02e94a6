"""edit: items with part of them made anew; their variations; and the way from one item to another."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.batch import Batch
from ilk.distribution import Encodes, How
from ilk.errors import UsageError
from ilk.given import Keep
from ilk.modality import HasParts, Limits
from ilk.model import Model
from ilk.region import Mask, Named, Region, mask, parse
from ilk.rng import Rng
from ilk.space import Reals
from ilk.verbs.condition import flat, given
from ilk.verbs.read import alone, native
from ilk.verbs.sample import MOST, bound, drawn


@dataclass(frozen=True, eq=False)
class Edited:
    """Items with part of them made anew, and how what is kept was met."""

    items: Any
    met: str


def edit(model: Model, items: Any, redo: Region | str | Sequence[str], n: int = 1, seed: int = 0, how: How | None = None) -> Any:
    """n items for each of these that are it but for what is made anew: what is kept is kept exactly.

    `redo` is `ilk.box(top, left, bottom, right)` or `ilk.mask(array)` of a picture, `ilk.outside(...)` of one, names of columns, `ilk.after(place)` or
    `ilk.between(start, stop)` of a text, or one of these in writing: "box:8,8,24,24", "mask:hole.png" (white is made anew), "between:10,20", "age,income".

    >>> import ilk, polars as pl
    >>> model = ilk.fit(pl.DataFrame({"a": [0, 1] * 50, "b": ["x", "y"] * 50}), ilk.GMM(components=2))
    >>> edit(model, pl.DataFrame({"a": [1], "b": ["x"]}), ["b"])["a"].to_list()
    [1]
    """
    return edited(model, items, redo, n, seed, how).items


def edited(model: Model, items: Any, redo: Region | str | Sequence[str], n: int = 1, seed: int = 0, how: How | None = None) -> Edited:
    """As `edit`, and how what is kept was met: in the worst case of all items."""
    region = redo if isinstance(redo, Region) else parse(redo, _mask) if isinstance(redo, str) else Named(tuple(redo))
    return anew(model, items, lambda item: region, n, seed, how)


def anew(model: Model, items: Any, region: Callable[[Any], Region], n: int, seed: int, how: How | None) -> Edited:
    """As `edited`, each item's region being what `region` says of a collection of it alone."""
    return worst(model, list(each_anew(model, items, region, n, seed, how)))


def worst(model: Model, each: Sequence[Edited]) -> Edited:
    """All of these together, met as the worst of them."""
    return Edited(model.modality.join([e.items for e in each]), max((e.met for e in each), key=("exact", "estimate", "guided", "rejected").index))


def each_anew(model: Model, items: Any, region: Callable[[Any], Region], n: int, seed: int, how: How | None) -> Iterator[Edited]:
    """As `anew`, item by item."""
    if not isinstance(model.modality, HasParts):
        raise UsageError(f"items of {type(model.modality).__name__} have no parts to keep", code="CAPABILITY")
    if not 1 <= n <= MOST:
        raise UsageError(f"n is {n}", remedy=f"1 to {MOST} items", code="OPTION", param="n")
    apart = alone(model.modality)
    way, rng = bound(model, how), Rng(seed).child("edit")
    for number, one in enumerate(_each(model, items)):
        stays = region(one).kept(model.modality.parts(one))
        asked = {name: value for name, value in stays.items() if name not in apart}
        known = given(model, Keep(asked)) if asked else model
        new = drawn(known, n, rng.child(number).at(number * n), way)   # rows count on, as made identifiers do
        kept = stays.keys() & apart
        yield Edited(new.with_columns([one[name].new_from_index(0, n) for name in kept]) if kept else new, known.met.met.sort)


def _mask(at: str) -> Mask:
    """A black and white picture in a file: white is true."""
    found = registry.get("modalities", "image")(color="grey").read(at, Limits()).items
    if len(found) != 1:
        raise UsageError(f"{at} holds {len(found)} pictures; a mask is one", code="REGION", param="redo", remedy="a single picture, white where it is to be made anew")
    return mask(found[0, :, :, 0] > 127)


def vary(model: Model, items: Any, strength: float = 0.5, n: int = 1, seed: int = 0) -> Any:
    """n variations of each item: its code mixed with fresh noise. `strength` 0 gives the item as it decodes, 1 any other item."""
    if not 0 <= strength <= 1:
        raise UsageError(f"strength is {strength}", code="OPTION", param="strength", remedy="0 to 1")
    if not 1 <= n <= MOST:
        raise UsageError(f"n is {n}", remedy=f"1 to {MOST} items", code="OPTION", param="n")
    body, codes = codes_of(model, items)
    each = codes.double().repeat_interleave(n, 0)
    noise = Rng(seed).child("vary").normal(*each.shape)
    return decoded(model, body, Batch(sqrt(1 - strength**2) * each + strength * noise), seed)


def interpolate(model: Model, one: Any, other: Any, n: int = 8, seed: int = 0) -> Any:
    """n items on the way from one to the other, both ends among them: along the arc between their codes (White 2016)."""
    if not 2 <= n <= MOST:
        raise UsageError(f"n is {n}", code="OPTION", param="n", remedy=f"2 (the ends) to {MOST}")
    body, a = codes_of(model, _single(model, one))
    _, b = codes_of(model, _single(model, other))
    return decoded(model, body, Batch(_arc(a.double(), b.double(), torch.linspace(0, 1, n, dtype=torch.double))), seed)


def _arc(a: Tensor, b: Tensor, at: Tensor) -> Tensor:
    """Points between a and b, (1, *shape) each, on the arc through both."""
    angle = torch.arccos((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12)).clamp_min(1e-6)
    t = at.reshape(-1, *[1] * (a.ndim - 1))
    return ((1 - t) * angle).sin() / angle.sin() * a + (t * angle).sin() / angle.sin() * b


def _each(model: Model, items: Any) -> list[Any]:
    """Collections of one item each; UsageError if there is none."""
    found = native(model.modality, items)
    if not len(found):
        raise UsageError("there is no item", code="ITEMS", remedy="pass one at least")
    return [model.modality.take(found, torch.tensor([i])) for i in range(len(found))]


def _single(model: Model, item: Any) -> Any:
    items = native(model.modality, item)
    if len(items) != 1:
        raise UsageError(f"{len(items)} items; an end of the way is one", code="ITEMS", remedy="pass a collection of one: items[3:4]")
    return items


def codes_of(model: Model, items: Any) -> tuple[Encodes, Tensor]:
    """The body and the codes of items; UsageError where it has none, or none that anything lies between."""
    if not isinstance(model.body, Encodes):
        raise UsageError(f"{type(model.body).__name__} has no codes: it lacks Encodes", code="CAPABILITY",
                         remedy="vae, autoencoder, flow, diffusion and flow_matching have them")
    if not isinstance(model.body.code_space(), Reals):
        raise UsageError(f"the codes of {type(model.body).__name__} are whole numbers: there is nothing between two of them", code="CAPABILITY")
    return model.body, model.body.encode(flat(model, native(model.modality, items), Rng(0).child("code"))).tensor


def decoded(model: Model, body: Encodes, codes: Batch, seed: int) -> Any:
    """The items of codes."""
    return model.codec.decode(model.lift.decode(body.decode(codes)), Rng(seed).child("raw"))
