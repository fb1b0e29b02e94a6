"""impute: rows with their missing cells filled. {"items", "n", "best", "seed", "given"} -> one piece {"items", "met", "cells", "left"}."""
from __future__ import annotations

from collections.abc import Iterator

from ilk.errors import UsageError
from ilk.serve.ops._asked import model_of, whole
from ilk.serve.ops._worked import items_of, kept, made
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.impute import imputed


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """All rows in one pass where the family can, else row by row."""
    model, best = model_of(held, ask.body), ask.body.get("best", False)
    if not isinstance(best, bool):
        raise UsageError("best is true or false", code="OPTION", param="best")
    found = imputed(model, items_of(model, ask), whole(ask.body, "n", 1, 1, 1024), best, whole(ask.body, "seed", 0, -(2**63), 2**63 - 1))
    yield made(model, found.items, kept(found.met, found.ess), cells=found.cells, left=list(found.left))
