"""evaluate: figures beside their floors and ceilings. {"items" or "path" and "called", "n", "most", "metrics", "seed"} -> one piece {"n", "figures"}."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ilk.dataset import Dataset
from ilk.errors import DataError, UsageError
from ilk.model import Model
from ilk.serve.ops._asked import whole
from ilk.serve.ops._worked import items_of
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs._own import beside_own, judges
from ilk.verbs.evaluate import evaluate


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """On the items that were sent, or those of a file: all of them are held out."""
    model, body = held.items(), ask.body
    against, most = _against(model, ask), whole(body, "most", 500, 1, 1 << 20)
    held_out = len(against.index("test"))
    n = min(most, held_out) if body.get("n") is None else whole(body, "n", 1, 1, most)
    if held_out > most:
        raise UsageError(f"{held_out} items take too long to wait for", code="USE_A_JOB", param="file", remedy=f"at most {most} here; submit a job of kind evaluate for more")
    found = evaluate(model, against, n, whole(body, "seed", 0, -(2**63), 2**63 - 1), tuple(body.get("metrics") or ()))
    told = [{"name": f.name, "value": f.value, "error": f.se, "n": f.n, "floor": f.floor, "ceiling": f.ceiling, "better": f.better, "convention": f.convention} for f in found.metrics]
    yield Reply({"n": n, "figures": [*told, *({"name": name, "value": None, "error": None, "n": None, "why": why} for name, why in found.skipped.items())]})


def _against(model: Model, ask: Ask) -> Dataset[Any]:
    if "items" in ask.body:
        return beside_own(model, items_of(model, ask))
    path, called = str(ask.body["path"]), str(ask.body["called"])
    try:
        return judges(model, path)
    except (DataError, UsageError) as why:   # where it lies here is nobody's business
        raise type(why)(why.message.replace(path, called), code=why.code, param=why.param, remedy=why.remedy and why.remedy.replace(path, called)) from None
