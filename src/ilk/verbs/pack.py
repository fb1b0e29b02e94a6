"""pack, unpack: items as the bytes that a model's nats claim, and back."""
from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, log
from pathlib import Path
from typing import Any

import torch

from ilk.distribution import HasBound, HasEstimate, HasLogProb
from ilk.errors import DataError, ModelError
from ilk.files import atomic
from ilk.modality import Limits
from ilk.model import Model, identity
from ilk.run import Began, Ended, Listener, Run
from ilk.verbs._pack_file import difference, listed, made_with, opened, patched, refused, sealed, squeezed, unlisted, unsqueezed
from ilk.verbs._pack_items import file_of, plain, same, sayable
from ilk.verbs._pack_stream import restored, written
from ilk.verbs._pack_walk import check
from ilk.verbs.read import native
from ilk.verbs.score import score

MOST, BITS, SHORT = 10**9, 8 * log(2), 32   # items of a pack, nats of a byte, digits of a hash
ROOM, PART = 64, 20                         # what a difference may take however little the items do: bytes, and a part of the file


@dataclass(frozen=True, eq=False)
class Packed:
    """Items as bytes: `data` is the file to keep. `nats` are what the model claims for the items that it says, `sort` of what sort that is.

    `payload` are bytes said by the model, `aside` those of items and columns that it has no law for, `difference` those of how the file was
    written, `header` all others; `per` are claimed bits of what items are made of. `raw` are bytes of the file, `content` what others may
    pack instead. `exact` says whether the very file comes back, or (False) equal items.
    """

    data: bytes
    items: int
    strange: int
    nats: float
    sort: str
    per: Mapping[str, float]
    payload: int
    aside: int
    difference: int
    raw: int
    content: tuple[bytes, ...]
    exact: bool
    model: int

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
    said, stays = (model.modality.take(items, which.nonzero()[:, 0]) for which in (good, ~good))
    with _alone():
        run.emit(Began("packing", 2 * len(said)))
        kept, payload, rows = written(model, said, run)
        facts = {"model": identity(model)[:SHORT], "with": made_with(), "items": len(items), "strange": len(stays), "rows": rows, "suffix": suffix}
        beside = [(~good).nonzero()[:, 0].numpy().astype("<u8").tobytes(), plain(stays)] if len(stays) else []
        back = restored(model, facts, payload, list(kept), beside, run, len(said))
        run.emit(Ended("packing", len(said), 0.0))
    if not bool(same(items, back).all()):
        raise ModelError("what was packed does not come back: nothing is written", code="PACK_UNSOUND", remedy="another family; please report it")
    change = None if raw is None else _change(model, back, suffix, raw, len(payload))
    facts |= {"digest": _digest(back)} if raw is None or change is None else {"file": _hash(raw)}
    aside, bare = squeezed(listed([*beside, *kept])), plain(items)
    whole = sealed(facts, {"payload": payload, "aside": aside, "difference": change or b""})
    return Packed(whole, len(items), len(stays), *_claimed(model, said), len(payload), len(aside), len(change or b""), len(raw or bare),
                  (bare, *([raw] if raw else [])), change is not None, _size(model))


def _change(model: Model, items: Any, suffix: str, raw: bytes, payload: int) -> bytes | None:
    """What turns the items as they are written here into their file; None where that takes more than the items."""
    again = file_of(model.modality, items, suffix)
    change = None if again is None else difference(again, raw)
    return change if change is not None and len(change) <= max(payload + ROOM, len(raw) // PART) else None


def unpack(model: Model, packed: str | Path | bytes, listeners: tuple[Listener, ...] = ()) -> Unpacked:
    """What was packed with this very model; ModelError for another model, other libraries, or a pack that is damaged."""
    facts, parts = opened(packed if isinstance(packed, bytes) else _bytes(Path(packed)))
    check(model)
    if why := refused(facts, identity(model)[:SHORT]):
        raise why
    items, strange, suffix = _checked(facts)
    kept, run = unlisted(unsqueezed(parts["aside"])), Run(listeners=listeners)
    stays, kept = (kept[:2], kept[2:]) if strange else ([], kept)
    with _alone():
        run.emit(Began("unpacking", items))
        found = restored(model, facts, parts["payload"], kept, stays, run, 0)
        run.emit(Ended("unpacking", items, 0.0))
    exact, file = "file" in facts, file_of(model.modality, found, suffix) if suffix else None
    if exact:
        file = patched(file or b"", parts["difference"])
    if facts["file"] != _hash(file or b"") if exact else facts.get("digest") != _digest(found):
        raise ModelError("what came out is not what was packed: laws came out otherwise here", code="PACK_OTHER", remedy="unpack where it was packed")
    return Unpacked(found, file, suffix, exact)


def _checked(facts: Mapping[str, Any]) -> tuple[int, int, str]:
    """How many items, how many of them aside, and how their file ends; ModelError for facts that can't be."""
    items, strange, rows, suffix = (facts.get(name) for name in ("items", "strange", "rows", "suffix"))
    whole = isinstance(rows, list) and len(rows) > 0 and all(type(n) is int and 0 < n <= MOST for n in rows)
    if whole and type(items) is int and type(strange) is int and 0 <= strange <= items <= MOST and isinstance(suffix, str):
        return items, strange, suffix
    raise ModelError("the facts of the pack are not as they are written", code="PACK_DAMAGED")


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
        raise DataError(f"there is no file {at}", code="NOT_FOUND", remedy="a path: data sets by name have no bytes to give back") from None
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
    return hashlib.sha256(data).hexdigest()[:SHORT]


def _digest(items: Any) -> str:
    return _hash(plain(items))


def _claimed(model: Model, items: Any) -> tuple[float, str, dict[str, float]]:
    """Nats that the model claims for the items, as a cost, of what sort, and bits for each of what they are made of."""
    if "Lebesgue" in model.modality.measure or not len(items) or not isinstance(model.body, HasLogProb | HasBound | HasEstimate):
        return float("nan"), "density", {}
    found = score(model, items)
    return -float(found.nats.sum()), found.sort, {unit: -v / log(2) for unit, v in found.per.items()}


def _size(model: Model) -> int:
    """Bytes of the model's tensors."""
    return sum(t.nbytes for t in model.body.state().tensors.values())
