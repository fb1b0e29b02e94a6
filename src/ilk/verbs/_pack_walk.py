"""How the items of a model are said number by number: by what its distribution can do, best first."""
from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from ilk.batch import Batch, ragged
from ilk.coding import Codes, CodesBack, Details, Grids, Say
from ilk.distribution import HasBound, HasEstimate, HasLogProb, NextToken
from ilk.errors import UsageError
from ilk.lift import ToReals
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Discrete, Many, Space
from ilk.verbs._pack_rows import Rows, places_of

Walk = Callable[[Say, int, Batch | None], Batch]
PLACES, ROWS, FEW, SAID = 1 << 18, 4096, 512, 1 << 26   # places worked on at once, items at most, those with numbers, and numbers of laws that wait to be pushed


def walk_of(model: Model) -> Walk:
    """How items of a model without hidden codes are said; UsageError where they can't be."""
    body: Any = model.body
    if isinstance(body, Codes):
        return body.coded
    if isinstance(body, NextToken) and isinstance(body.space, Many) and isinstance(body.space.of, Discrete) and body.space.of.shape == ():   # type: ignore[attr-defined]
        return lambda say, n, batch: _sequences(body, say, n, batch)
    if (places := places_of(model)) is not None and (rows := Rows(model, places)).exact():
        return rows
    name = type(body.family).__name__
    scored = "has no likelihood" if not isinstance(body, HasLogProb | HasBound | HasEstimate) else "does not tell the law of one number after the other"
    raise UsageError(f"{name} can't pack these items: it {scored}", code="NO_PACK",
                     remedy="fit made, circuit or chow_liu (tables), ngram or transformer (sequences), pixelcnn or vae (pictures in whole levels)")


def check(model: Model) -> None:
    """UsageError for a model whose items can't be said, whatever its distribution can do."""
    if model.givens:
        raise UsageError("a model that is given something packs other items than these", code="NO_PACK", remedy="pack with the model as it was fitted")
    if model.body.about:
        raise UsageError(f"the model was told {', '.join(model.body.about)} beside every item, which the file does not hold", code="NO_PACK",
                         remedy="fit one that is told nothing")
    noisy = model.codec.keeps == "refines" and not isinstance(model.codec, Grids)
    if noisy or model.codec.keeps == "lossy" or isinstance(model.lift, ToReals):
        raise UsageError("the model takes whole numbers for real ones, filled up with noise: that noise can't be packed", code="NO_PACK",
                         remedy="a family that counts them: made, circuit or chow_liu (tables), pixelcnn or vae (pictures in whole levels)")
    if not isinstance(model.body, CodesBack):
        walk_of(model)


def rows_of(space: Space) -> int:
    """How many items are said side by side."""
    places = space.at_most if isinstance(space, Many) else prod(space.shape) if isinstance(space, Discrete) else 1
    return max(1, min(ROWS if isinstance(space, Discrete | Many) else FEW, PLACES // max(1, places)))


def rows_back(space: Space, lent: int) -> int:
    """The same where laws wait to be pushed: `lent` numbers for the codes of an item, and those of its places."""
    said = prod(space.shape) * max(space.each, default=1) if isinstance(space, Discrete) else 1
    return max(1, min(rows_of(space), SAID // (said + lent)))


def details(model: Model, say: Say, batch: Batch, items: Any) -> Any:
    """Raw items, given what the distribution says of them."""
    outer = model.lift.decode(batch)
    return model.codec.detailed(say, outer, items) if isinstance(model.codec, Details) else model.codec.decode(outer, Rng(0))


def _sequences(body: Any, say: Say, n: int, batch: Batch | None) -> Batch:
    """Token by token, all sequences side by side, until each has said its end."""
    end, most = body.space.of.each[0], body.space.at_most
    truth = None if batch is None else _ended(batch, end)
    made, length = [], torch.zeros(n, dtype=torch.long)
    alive, token = torch.arange(n), None
    cache = body.begin(Batch(Batch(torch.zeros(0, dtype=torch.long)), length=length.clone()))
    for place in range(most + 1):
        law = body.step(cache, token)
        token = say(law, None if truth is None else truth[alive, place])
        goes = token < end
        if not bool(goes.all()):
            rows = goes.nonzero()[:, 0]
            alive, token, cache = alive[rows], token[rows], cache.pick(rows)
        if not len(alive):
            break
        made.append(torch.zeros(n, dtype=torch.long).index_copy_(0, alive, token))
        length[alive] += 1
    return ragged(torch.stack(made, 1) if made else torch.zeros(n, 0, dtype=torch.long), length)


def _ended(batch: Batch, end: int) -> Tensor:
    """Sequences filled up with their end, (n, longest + 1)."""
    return torch.cat([batch.padded(end), torch.full((len(batch), 1), end)], 1)
