"""score: how likely items are. {"items": [...], "given", "label", "prompt", "seed"} -> one piece {"nats", "sort", "measure", "error", "per"}; null: never made."""
from __future__ import annotations

from collections.abc import Iterator

from ilk.serve.ops._asked import model_of, whole
from ilk.serve.ops._worked import items_of
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.score import score


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """Nats of every item."""
    model = model_of(held, ask.body)
    found = score(model, items_of(model, ask), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1))
    yield Reply({"nats": found.nats.tolist(), "sort": found.sort, "measure": found.measure, "mean": found.mean, "error": found.error, "shared_error": found.mass_error,
                 "per": dict(found.per)})
