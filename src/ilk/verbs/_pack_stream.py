"""The streams of a pack: items to words and back, forwards through a queue, or on a stack that lends hidden codes their bits."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ilk.batch import Batch
from ilk.coding import CodesBack
from ilk.errors import ModelError
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Progress, Run
from ilk.verbs._pack_coder import Coder, Push, Reader, Stack, Words, Writer
from ilk.verbs._pack_items import alike, pieces, unplain, woven
from ilk.verbs._pack_walk import details, rows_back, rows_of, walk_of
from ilk.verbs.condition import flat

ENOUGH, MARGIN = 2, 1.1   # words that have to lie on a stack, how much more than the last an item may borrow


def written(model: Model, items: Any, run: Run) -> tuple[list[bytes], bytes, list[int]]:
    """Bytes aside, the payload, and how many items are said side by side at first and from then on."""
    if isinstance(model.body, CodesBack) and len(items):
        return _pushed(model, model.body, items, run)
    walk, coder, rows = walk_of(model) if len(items) else None, Writer(), [rows_of(model.lift.space)]
    for start, stop in pieces(len(items), rows) if walk else ():
        some, batch = _batch(model, items, start, stop)
        details(model, coder, walk(coder, len(batch), batch), some)   # type: ignore[misc]
        run.emit(Progress(stop, stop / (2 * len(items)), None))
    return coder.kept, _as_bytes(coder.words()), rows


def _pushed(model: Model, body: CodesBack, items: Any, run: Run) -> tuple[list[bytes], bytes, list[int]]:
    """The first item borrows from as few words of noise as will do, all others from those before."""
    _, first = _batch(model, items, 0, 1)
    stack = Stack(_bottom(1 << 16))
    whole = stack.size
    body.lent(stack, first, None)
    lent, most = whole - stack.size, rows_back(model.lift.space, stack.numbers)
    seed = lent + ENOUGH
    while (found := _on_stack(model, items, run, Stack(_bottom(seed)), (lent, most))) is None:
        seed += lent + ENOUGH
    stack, rows = found
    return stack.kept, _as_bytes(stack.words()), rows


def _on_stack(model: Model, items: Any, run: Run, stack: Stack, size: tuple[int, int]) -> tuple[Stack, list[int]] | None:
    """All items on a stack that lends them their codes, as many side by side as it can; None where it had too little for one.

    `size`: words that an item borrows, and how many items are said side by side at most.
    """
    body: Any = model.body
    (lent, most), start, rows = size, 0, list[int]()
    while start < len(items):
        rows.append(max(1, min(most, int(stack.size / (MARGIN * lent + ENOUGH)), len(items) - start)))
        some, batch = _batch(model, items, start, start + rows[-1])
        before = stack.size
        codes = body.lent(stack, batch, None)
        if stack.size < ENOUGH:
            return None
        lent = max(lent, -((stack.size - before) // rows[-1]))
        push = Push(stack)
        batch, _ = body.coded_by(push, len(batch), (batch, codes))
        details(model, push, batch, some)
        push.done()
        start += rows[-1]
        run.emit(Progress(start, start / (2 * len(items)), None))
    return stack, _short(rows)


def _short(rows: list[int]) -> list[int]:
    """Without what is repeated until the items end."""
    rows = rows[:-1] if len(rows) > 1 and rows[-1] <= rows[-2] else rows
    while len(rows) > 1 and rows[-1] == rows[-2]:
        rows = rows[:-1]
    return rows


def _bottom(words: int) -> Words:
    """What lies on a stack at first: anything."""
    return (Rng(0).child("pack").uniform(words) * 2**32).numpy().astype(np.uint32)


def _batch(model: Model, items: Any, start: int, stop: int) -> tuple[Any, Batch]:
    some = model.modality.take(items, torch.arange(start, stop))
    return some, alike(flat(model, some, Rng(0)))


def restored(model: Model, facts: dict[str, Any], payload: bytes, kept: list[bytes], stays: list[bytes], run: Run, done: int) -> Any:
    """The items; `done` of them count as worked on already."""
    many, words = facts["items"] - facts["strange"], _as_words(payload)
    found: list[Any] = []
    total = max(1, done + many)
    coder: Coder
    if isinstance(model.body, CodesBack):
        coder = Stack(words, kept)
        for start, stop in reversed(list(pieces(many, facts["rows"]))):
            batch, codes = model.body.coded_by(coder, stop - start, None)
            found.insert(0, details(model, coder, batch, None))
            push = Push(coder)
            model.body.lent(push, alike(batch), codes)
            push.done()
            run.emit(Progress(done + many - start, (done + many - start) / total, None))
    elif many:
        walk, coder = walk_of(model), Reader(words, kept)
        for start, stop in pieces(many, facts["rows"]):
            found.append(details(model, coder, walk(coder, stop - start, None), None))
            run.emit(Progress(done + stop, (done + stop) / total, None))
    strange, aside = torch.zeros(facts["items"], dtype=torch.bool), None
    if stays:
        strange[torch.from_numpy(_rows(stays[0], facts))] = True
        aside = unplain(stays[1])
        if len(aside) != facts["strange"]:
            raise ModelError("the pack holds less than it says", code="PACK_DAMAGED")
    return woven(model.modality, model.modality.join(found) if found else None, aside, strange)


def _rows(data: bytes, facts: dict[str, Any]) -> Any:
    rows = np.frombuffer(data, "<u8").astype(np.int64) if len(data) == 8 * facts["strange"] else np.zeros(0, np.int64)
    if len(rows) != facts["strange"] or (rows >= facts["items"]).any() or (rows < 0).any():
        raise ModelError("the pack holds less than it says", code="PACK_DAMAGED")
    return rows


def _as_bytes(words: Words) -> bytes:
    return words.astype("<u4").tobytes()


def _as_words(data: bytes) -> Words:
    if len(data) % 4:
        raise ModelError("the packed stream is cut short", code="PACK_DAMAGED")
    return np.frombuffer(data, "<u4").astype(np.uint32)
