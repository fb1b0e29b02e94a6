"""edit: items with part of them made anew. {"items", "redo", "n", "seed", "given", "how", "options", "stream"} -> pieces {"step", "of", "items"}, the whole last.

`redo` is a list of columns, {"box": [top, left, bottom, right]}, {"mask": K} (a blob: a picture, white is made anew), {"span": [a, b]} or {"span": [a]} of a text,
or {"outside": REDO}.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ilk.errors import UsageError
from ilk.modality import Modality
from ilk.region import FORMS, Box, Named, Outside, Region, Span, mask
from ilk.serve.ops._asked import model_of, way_of, whole
from ilk.serve.ops._items import picture
from ilk.serve.ops._worked import items_of, kept, made
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.edit import Edited, each_anew, worst


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """Item by item."""
    model = model_of(held, ask.body)
    items, region = items_of(model, ask), region_of(ask.body.get("redo"), ask.blobs, model.modality)
    done: list[Edited] = []
    for one in each_anew(model, items, lambda item: region, whole(ask.body, "n", 1, 1, 1024), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1), way_of(model, ask.body)):
        done.append(one)
        if ask.body.get("stream") and len(done) < len(items):
            yield made(model, one.items, step=len(done), of=len(items))
        else:
            yield None
    found = worst(model, done)
    yield made(model, found.items, kept(found.met), step=len(items), of=len(items))


def region_of(redo: Any, blobs: Any, modality: Modality[Any]) -> Region:
    """What is made anew; UsageError (code REGION) for anything that says nothing of the kind."""
    if isinstance(redo, list) and redo and all(isinstance(name, str) for name in redo):
        return Named(tuple(redo))
    if not isinstance(redo, Mapping) or len(redo) != 1:
        _no()
    (kind, said), = redo.items()
    if kind == "box" and _whole(said, (4,)):
        return Box(*said)
    if kind == "span" and _whole(said, (1, 2)):
        return Span(*said)
    if kind == "outside":
        return Outside(region_of(said, blobs, modality))
    if kind == "mask" and _whole([said], (1,)) and said < len(blobs) and len(shape := getattr(modality, "shape", ())) == 3:
        return mask(picture(blobs[said], (shape[0], shape[1], 1), "redo.mask")[0][:, :, 0] > 127)
    _no()


def _whole(said: Any, many: tuple[int, ...]) -> bool:
    return isinstance(said, list) and len(said) in many and all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**31 for n in said)


def _no() -> NoReturn:
    raise UsageError("this says nothing that can be made anew", code="REGION", param="redo",
                     remedy=f'["age"], {{"box": [8, 8, 24, 24]}}, {{"mask": "a picture as base64"}}, {{"span": [40]}} or {{"outside": ...}}; on the command line {FORMS}')
