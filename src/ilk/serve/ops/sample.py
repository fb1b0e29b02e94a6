"""sample: new items. {"n", "seed", "given", "label", "prompt", "how", "options"} -> one piece {"items", "met", "n", "seed", "how", "cost", "together"} with blobs."""
from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ilk.distribution import How
from ilk.model import Model
from ilk.serve.ops._asked import model_of, way_of, whole
from ilk.serve.ops._draw import Wish, alone, joined, may_join
from ilk.serve.ops._items import told
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.sample import named, parts

MOST = 100_000    # items of one request, whatever the server's own limits say
ROUND = 1024      # items of several requests that are drawn at once


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """The items, as `ilk.sample` gives them."""
    wish = _wish(ask)
    model = model_of(held, ask.body)
    how = way_of(model, ask.body)
    for items in alone(model, wish, how):
        yield None if items is None else _answer(model, items, wish, how, 1)


def alike(held: Held, ask: Ask) -> Hashable | None:
    """All that is said but how many and by which seed."""
    try:
        return json.dumps({k: v for k, v in ask.body.items() if k not in ("n", "seed")}, sort_keys=True)
    except (TypeError, ValueError):
        return None


def fitting(held: Held, asks: Sequence[Ask]) -> int:
    """As many as have ROUND items in all; one by one where the model does not keep them apart, or where one is not as it should be."""
    if len(asks) < 2 or not _joins(held, asks[0]):
        return 1
    items = 0
    for i, ask in enumerate(asks):
        items += _wish(ask).n
        if items > ROUND:
            return max(1, i)
    return len(asks)


def together(held: Held, asks: Sequence[Ask]) -> Iterator[Sequence[Reply] | None]:
    """Each the items that it gets alone."""
    model = model_of(held, asks[0].body)
    how, wishes = way_of(model, asks[0].body), [_wish(ask) for ask in asks]
    for found in joined(model, wishes, how):
        yield None if found is None else [_answer(model, items, wish, how, len(asks)) for items, wish in zip(found, wishes, strict=True)]


def _wish(ask: Ask) -> Wish:
    return Wish(whole(ask.body, "n", 1, 1, MOST), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1))


def _joins(held: Held, ask: Ask) -> bool:
    key = ("joins", alike(held, ask))
    if key not in held.memo:
        model = model_of(held, ask.body)
        held.memo[key] = may_join(model, way_of(model, ask.body))
    return bool(held.memo[key])


def _answer(model: Model, items: Any, wish: Wish, how: How | None, many: int) -> Reply:
    said, blobs = told(model.modality, items)
    met = [asdict(given) for given in parts(model)]
    return Reply({"items": said, "n": wish.n, "seed": wish.seed, "how": named(how), "met": met, "cost": model.met.met.cost, "together": many}, blobs)
