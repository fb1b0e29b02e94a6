"""vary: variations of items. {"items", "strength", "n", "seed"} -> one piece {"items", "met"}."""
from __future__ import annotations

from collections.abc import Iterator

from ilk.serve.ops._asked import whole
from ilk.serve.ops._worked import items_of, made, share
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.edit import vary


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """n of each item, side by side."""
    model, body = held.items(), ask.body
    yield made(model, vary(model, items_of(model, ask), share(body, "strength", 0.5), whole(body, "n", 1, 1, 1024), whole(body, "seed", 0, -(2**63), 2**63 - 1)))
