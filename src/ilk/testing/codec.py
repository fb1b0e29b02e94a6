"""What every codec must do."""
from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor

from ..batch import Batch
from ..given import Begin
from ..lift import Known
from ..modality import Codec, Lowered, Modality
from ..rng import Rng
from ..rules import Test
from ..space import to_json
from ..store import State
from ._evidence import bent, weight_of, whole
from ._same import alike, listed, require, require_alike, same, untouched

KEEPS = ("bijection", "cells", "refines", "many_to_one", "lossy")


def check_codec(kind: type[Codec[Any]], modality: Modality[Any], train: Any, items: Any, rules: Sequence[Sequence[Test]] = ()) -> None:
    """All that holds for every codec, on items it was not learned from; `rules` are comparisons it should understand.

    Items must lie in what can be coded; columns that are made afresh (identifiers) do not come back, so leave them out.
    """
    with untouched(f"{kind.__name__}"):
        codec = kind.learned(modality, train)
        before = json.dumps(dict(codec.state().facts), allow_nan=False)
        _check_codes(codec, modality, items)
        _check_noise(codec, modality, items)
        _check_volume(codec, modality, items)
        _check_state(codec, modality, items)
        for tests in rules:
            check_lowered(codec, modality, items, modality.checked(tests))
    require(json.dumps(dict(codec.state().facts)) == before, f"{kind.__name__} changed while it was used")


def _check_codes(codec: Codec[Any], modality: Modality[Any], items: Any) -> None:
    name = type(codec).__name__
    require(codec.keeps in KEEPS, f"{name}.keeps is {codec.keeps!r}")
    batch = codec.encode(items, Rng(1))
    require(codec.space.holds(batch) and len(batch) == len(items), f"{name}: codes are outside {codec.space}")
    back = codec.decode(batch, Rng(2))
    require(len(back) == len(items), f"{name}: {len(back)} items came back of {len(items)}")
    if codec.keeps in ("bijection", "refines", "many_to_one"):
        require(alike(listed(back), listed(items), 1e-12), f"{name} keeps a {codec.keeps}, but other items came back")
    if codec.keeps == "cells":
        require(same(codec.encode(back, Rng(3)), batch), f"{name}: decode left the cell that the item was coded as")
    require(len(codec.encode(modality.take(items, torch.zeros(0, dtype=torch.long)), Rng(1))) == 0, f"{name}: no items are coded as some")


def _check_noise(codec: Codec[Any], modality: Modality[Any], items: Any) -> None:
    """The same rng gives the same noise; item i's depends on neither n nor the block."""
    name, rng = type(codec).__name__, Rng(7)
    whole_batch = codec.encode(items, rng)
    require(same(whole_batch, codec.encode(items, rng)), f"{name}.encode: the same rng gave other codes")
    some = modality.take(items, torch.arange(2, min(7, len(items))))
    require_alike(codec.encode(some, rng.at(2)), whole_batch.cut(2, 7), f"{name}.encode: a block that begins at row 2")
    require_alike(codec.encode(modality.take(items, torch.arange(3)), rng), whole_batch.cut(0, 3), f"{name}.encode: the first 3")
    back = listed(codec.decode(whole_batch, rng))
    require(repr(back) == repr(listed(codec.decode(whole_batch, rng))), f"{name}.decode: the same rng gave other items")
    require(alike(listed(codec.decode(whole_batch.cut(2, 7), rng.at(2))), back[2:7]), f"{name}.decode: a block that begins at row 2")
    require(alike(listed(codec.decode(whole_batch.cut(0, 3), rng)), back[:3]), f"{name}.decode: the first 3")


def _check_volume(codec: Codec[Any], modality: Modality[Any], items: Any) -> None:
    name, found = type(codec).__name__, codec.log_volume(items, Rng(1))
    require(found.shape == (len(items),) and found.dtype == torch.double, f"{name}.log_volume gave {found.dtype} of shape {tuple(found.shape)}")
    require(bool(found.isfinite().all()), f"{name}.log_volume is not finite")
    require(torch.equal(found, codec.log_volume(items, Rng(1))), f"{name}.log_volume: the same rng gave another value")
    half = codec.log_volume(modality.take(items, torch.arange(3)), Rng(1))
    require(torch.allclose(half, found[:3]), f"{name}.log_volume of an item depends on the others")


def _check_state(codec: Codec[Any], modality: Modality[Any], items: Any) -> None:
    """State through JSON makes the same codec; a codec keeps facts only."""
    name, state = type(codec).__name__, codec.state()
    require(not state.tensors, f"{name}: a codec's state is facts, not tensors")
    other = type(codec).restored(modality, State(facts=json.loads(json.dumps(dict(state.facts), allow_nan=False))))
    require(to_json(other.space) == to_json(codec.space) and other.keeps == codec.keeps, f"{name}: restored, it has another space")
    batch = codec.encode(items, Rng(1))
    require(same(batch, other.encode(items, Rng(1))), f"{name}: restored, it codes otherwise")
    require(repr(listed(codec.decode(batch, Rng(2)))) == repr(listed(other.decode(batch, Rng(2)))), f"{name}: restored, it decodes otherwise")
    require(torch.equal(codec.log_volume(items, Rng(1)), other.log_volume(items, Rng(1))), f"{name}: restored, it has other volumes")
    require(json.dumps(dict(other.state().facts)) == json.dumps(dict(state.facts)), f"{name}: restored, it has another state")


def check_lowered(codec: Codec[Any], modality: Modality[Any], items: Any, tests: Sequence[Test]) -> None:
    """given(tests) says the raw truth: what is drawn under it obeys, what obeys is not ruled out, what does not obey is."""
    what = f"{type(codec).__name__}.given({' and '.join(map(str, tests))})"
    lowered = codec.given(tests)
    asked = [t for t in tests if t not in lowered.rest]
    obeys, may = modality.obeys(items, tests), modality.obeys(items, asked)
    found = lowered.codec.log_volume(items, Rng(1)) + _weights(codec, lowered.known, lowered.codec.encode(items, Rng(1)))
    require(not bool(found.isnan().any()), f"{what}: NaN")
    require(bool((found[obeys] > -inf).all()), f"{what}: an item that obeys is ruled out")
    require(bool((found[~may] == -inf).all()), f"{what}: an item that does not obey is not ruled out")
    drawn = _drawn(codec, lowered, items)
    if drawn is not None:
        made = lowered.codec.decode(drawn, Rng(4))
        require(bool(modality.obeys(made, asked).all()), f"{what}: what is drawn under it does not obey")
        require(not asked or bool((lowered.codec.log_volume(made, Rng(1)) > -inf).all()), f"{what}: what is drawn under it has no volume")


def _weights(codec: Codec[Any], known: Known, batch: Batch) -> Tensor:
    return weight_of(codec.space, whole(codec.space, known), batch) if known else torch.zeros(len(batch), dtype=torch.double)


def _drawn(codec: Codec[Any], lowered: Lowered[Any], items: Any) -> Batch | None:
    """Codes that agree with what is known, spread over all that do."""
    batch = codec.encode(items, Rng(3))
    if not lowered.known:
        return batch
    said = whole(codec.space, lowered.known)
    if isinstance(said, Begin):
        kept = batch.take(weight_of(codec.space, said, batch) > -inf)
        return kept if len(kept) else None
    many = batch.take(torch.arange(len(batch)).repeat(-(-500 // len(batch))))
    return bent(codec.space, said, many, Rng(5))
