"""pack, unpack: items as the bytes that a model's nats claim, and back."""
from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.coding import CodesBack
from ilk.distribution import HasBound, HasEstimate, HasLogProb
from ilk.errors import DataError, ModelError, ResourceError
from ilk.files import atomic
from ilk.model import Model, identity
from ilk.modality import Limits
from ilk.rng import Rng
from ilk.run import Began, Ended, Listener, Progress, Run
from ilk.verbs._pack_coder import Coder, Push, Reader, Stack, Words, Writer
from ilk.verbs._pack_file import difference, listed, made_with, opened, patched, refused, sealed, squeezed, unlisted, unsqueezed
from ilk.verbs._pack_items import alike, file_of, pieces, plain, sayable, unplain, woven
from ilk.verbs._pack_walk import check, details, rows_back, rows_of, walk_of
from ilk.verbs.condition import flat
from ilk.verbs.read import native
from ilk.verbs.score import score

MOST, ENOUGH, MARGIN = 10**9, 2, 1.1   # items of a pack, words that have to lie on a stack, how much more than the last an item may borrow
BITS = 8 * log(2)


@dataclass(frozen=True, eq=False)
class Packed:
    """Items as bytes: `data` is the file to keep. `nats` are what the model claims for the items that it says, `sort` of what sort that is.

    `raw` are bytes of the file, `content` what others may pack instead. `payload` are bytes said by the model, `aside` those of items and columns that it has no law for, `difference` those of how the file was
    written, `header` all others. `exact` says whether the very file comes back, or (False) equal items.
    """

    data: bytes
    items: int
    strange: int
    nats: float
    sort: str
    payload: int
    aside: int
    difference: int
    raw: int
    content: tuple[bytes, ...]
    exact: bool
    model: int
    per: dict[str, float]

    @property
    def header(self) -> int:
        """Bytes that say what this is a pack of."""
        return len(self.data) - self.payload - self.aside - self.difference

    @property
    def claimed(self) -> float:
        """Bytes that the nats claim: nats / (8 ln 2)."""
        return self.nats / BITS

    @property
    def excess(self) -> float:
        """By which share the payload is more than is claimed; NaN where a density is, which no bytes can be held against."""
        return self.payload / self.claimed - 1 if isfinite(self.nats) and self.nats > 0 else float("nan")

    @cached_property
    def xz(self) -> int:
        """Bytes of the same input by `xz -9`: of the file or of its items without any packing of their own, whichever are fewer."""
        return min(len(lzma.compress(data, preset=9)) for data in self.content)

    def save(self, to: str | Path) -> Path:
        """The file, whole or not at all."""
        with atomic(Path(to)) as file:
            file.write(self.data)
        return Path(to)

    def __repr__(self) -> str:
        claim = "" if self.excess != self.excess else f", {100 * self.excess:+.2f} % over the {self.claimed:.0f} claimed ({self.sort})"
        more = f"; {self.strange} items aside" if self.strange else ""
        return (f"{self.items} items of {self.raw} bytes in {len(self.data)} (xz -9: {self.xz}; the model: {self.model}): payload {self.payload}{claim}, "
                f"aside {self.aside}, difference {self.difference}, header {self.header}{more}")


@dataclass(frozen=True, eq=False)
class Unpacked:
    """Items that were packed, and the file they were read from: its bytes where they were kept, else as the items are written now."""

    items: Any
    file: bytes | None
    suffix: str
    exact: bool


def pack(model: Model, data: Any, listeners: tuple[Listener, ...] = ()) -> Packed:
    """Items, or a file of them, without loss in about as many bytes as the model's nats claim: nats / (8 ln 2). All is unpacked once to be sure.

    >>> import ilk
    >>> verse = ["row row row your boat", "gently down the stream"] * 20
    >>> model = ilk.fit(verse, ilk.NGram(order=4))
    >>> packed = ilk.pack(model, verse)
    >>> ilk.unpack(model, packed.data).items == verse, len(packed.data) < 1500
    (True, True)
    """
    check(model)
    raw, suffix, items = _read(model, data)
    run, good = Run(listeners=listeners), sayable(model, items)
    said = model.modality.take(items, good.nonzero()[:, 0])
    with _alone():
        run.emit(Began("packing", 2 * len(said)))
        kept, payload, rows = _written(model, said, run)
        stays = [] if bool(good.all()) else [(~good).nonzero()[:, 0].numpy().astype("<u8").tobytes(), plain(model.modality.take(items, (~good).nonzero()[:, 0]))]
        facts = {"model": identity(model)[:32], "with": made_with(), "items": len(items), "strange": int((~good).sum()), "rows": rows, "suffix": suffix}
        back = _restored(model, facts, payload, list(kept), stays, run, len(said))
        run.emit(Ended("packing", len(said), 0.0))
    written = file_of(model.modality, back, suffix) if raw is not None else None
    change = None if raw is None or written is None else difference(written, raw)
    exact = change is not None and len(change) <= max(len(payload) + 64, len(raw or b"") // 20)
    change = change if exact else b""
    facts |= {"file": _hash(raw)} if raw is not None and exact else {"digest": _digest(back)}
    aside = squeezed(listed([*stays, *kept]))
    whole = sealed(facts, {"payload": payload, "aside": aside, "difference": change or b""})
    nats, sort, per = _claimed(model, said)
    bare = plain(items)
    return Packed(whole, len(items), int((~good).sum()), nats, sort, len(payload), len(aside), len(change or b""), len(raw or bare), (bare, *([raw] if raw else [])),
                  exact, _size(model), per)


def unpack(model: Model, packed: str | Path | bytes, listeners: tuple[Listener, ...] = ()) -> Unpacked:
    """What was packed with this very model; ModelError for another model, other libraries, or a pack that is damaged."""
    facts, parts = opened(packed if isinstance(packed, bytes) else _bytes(Path(packed)))
    check(model)
    if why := refused(facts, identity(model)[:32]):
        raise why
    items, strange, rows, suffix = (facts.get(name) for name in ("items", "strange", "rows", "suffix"))
    whole = type(items) is int and type(strange) is int and isinstance(rows, list) and rows and all(type(n) is int and 0 < n <= MOST for n in rows)
    if not whole or not 0 <= strange <= items <= MOST or not isinstance(suffix, str):   # type: ignore[operator]
        raise ModelError("the facts of the pack are not as they are written", code="PACK_DAMAGED")
    kept, run = unlisted(unsqueezed(parts["aside"])), Run(listeners=listeners)
    stays, kept = (kept[:2], kept[2:]) if strange else ([], kept)
    with _alone():
        run.emit(Began("unpacking", items))
        found = _restored(model, facts, parts["payload"], kept, stays, run, 0)
        run.emit(Ended("unpacking", items, 0.0))
    exact, file = "file" in facts, file_of(model.modality, found, suffix) if suffix else None
    if exact:
        file = patched(file or b"", parts["difference"])
    if facts["file"] != _hash(file or b"") if exact else facts.get("digest") != _digest(found):
        raise ModelError("what came out is not what was packed: laws came out otherwise here", code="PACK_OTHER", remedy="unpack where it was packed")
    return Unpacked(found, file, suffix, exact)


def _read(model: Model, data: Any) -> tuple[bytes | None, str, Any]:
    """The bytes of a file, its suffix, and the items."""
    if not isinstance(data, str | Path):
        items = native(model.modality, data)
        if not len(items):
            raise DataError("there are no items to pack", code="EMPTY")
        return None, "", items
    at = Path(data)
    if os.path.isdir(at):
        raise DataError(f"{at} is a folder: a pack holds one file", code="FORMAT", remedy="pack its files one by one, or write its items as one file")
    raw = _bytes(at)
    return raw, at.suffix.lower(), model.modality.read(at, Limits()).items


def _bytes(at: Path) -> bytes:
    try:
        return at.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {at}", code="NOT_FOUND") from None
    except OSError as why:
        raise DataError(f"{at} can't be read: {why.strerror}", code="UNREADABLE") from None


@contextmanager
def _alone() -> Iterator[None]:
    """One thread, no gradients: sums in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def _hash(data: bytes) -> str:
    """128 bits of SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


def _digest(items: Any) -> str:
    return _hash(plain(items))


def _written(model: Model, items: Any, run: Run) -> tuple[list[bytes], bytes, list[int]]:
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


def _restored(model: Model, facts: dict[str, Any], payload: bytes, kept: list[bytes], stays: list[bytes], run: Run, done: int) -> Any:
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


def _claimed(model: Model, items: Any) -> tuple[float, str, dict[str, float]]:
    """Nats that the model claims for the items, as a cost, of what sort, and bits for each of what they are made of."""
    if "Lebesgue" in model.modality.measure or not len(items) or not isinstance(model.body, HasLogProb | HasBound | HasEstimate):
        return float("nan"), "density", {}
    found = score(model, items)
    return -float(found.nats.sum()), found.sort, {unit: -v / log(2) for unit, v in found.per.items()}


def _size(model: Model) -> int:
    """Bytes of the model's tensors."""
    return sum(t.nbytes for t in model.body.state().tensors.values())
