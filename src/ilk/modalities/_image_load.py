"""From files to one array: sizes and colours of all headers first, then pixels, in memory or mapped from disk; what is broken is told."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from ilk.dataset import RESIDENT
from ilk.errors import DataError, ResourceError
from ilk.files import not_written
from ilk.modalities._image_decode import Broken, Fit, Header, Items, header, pixels
from ilk.modalities._image_files import Found, Picture
from ilk.modality import Limits

T = TypeVar("T")
MOST_NUMBERS = 1 << 24  # of one picture
_TOLD = 3
_COLOURS = {1: "grey", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True)
class Wanted:
    """What pictures shall become: 0 and () where the data decide; and the share of files that may be broken."""

    shape: tuple[int, ...]
    size: int
    channels: int
    fit: Fit
    bad: float


@dataclass(frozen=True, eq=False)
class Loaded:
    """Pictures as an array, what each was, and what was decided."""

    items: Items
    pictures: Sequence[Picture]
    notes: tuple[str, ...]


def load(at: Path, found: Found, wanted: Wanted, limits: Limits) -> Loaded:
    """All pictures that can be read; DataError where too many can't, ResourceError where they are too much."""
    total, broken = len(found.pictures), _Broken(at, len(found.pictures), wanted.bad)
    if total > limits.items:
        raise ResourceError(f"{at} has more than {limits.items} pictures", code="TOO_LARGE")
    heads = [(p, h) for p in found.pictures if (h := broken.tried(p, _header)) is not None]
    broken.check()
    shape, notes = _shape(at, [h for _, h in heads], wanted)
    if len(heads) * prod(shape) > limits.bytes:
        raise ResourceError(f"{at} takes {len(heads) * prod(shape) >> 30} GiB as pixels; the limit is {limits.bytes >> 30}", code="TOO_LARGE", remedy="a smaller --size")
    kept: list[Picture] = []

    def decoded() -> Iterator[Items]:
        for picture, _ in heads:
            x = broken.tried(picture, lambda p: _pixels(p, shape, wanted.fit))
            if x is not None:
                kept.append(picture)
                yield x

    items = _gathered(decoded(), len(heads), shape)
    broken.check()
    return Loaded(items, kept, (*notes, *found.notes, *broken.notes()))


def _header(picture: Picture) -> Header:
    with picture.open() as file:
        return header(file)


def _pixels(picture: Picture, shape: tuple[int, int, int], fit: Fit) -> Items:
    with picture.open() as file:
        return pixels(file, shape, fit)


class _Broken:
    """The files that gave no picture, and why."""

    def __init__(self, at: Path, total: int, share: float) -> None:
        self.at, self.total, self.share = at, total, share
        self.found: list[tuple[str, Broken]] = []

    def tried(self, picture: Picture, how: Callable[[Picture], T]) -> T | None:
        """What came of a file; None where it is broken, which is kept in mind."""
        try:
            return how(picture)
        except Broken as why:
            self.found.append((picture.name, why))
        except OSError as why:
            self.found.append((picture.name, Broken(why.strerror or str(why), "UNREADABLE")))
        return None

    def check(self) -> None:
        """DataError where more are broken than may be, or all."""
        many = len(self.found)
        if not many or (many < self.total and many <= self.share * self.total):
            return
        code = self.found[0][1].code
        if self.total == 1:
            raise DataError(f"{self.at} can't be read: {self.found[0][1]}", code=code)
        raise DataError(f"{many} of {self.total} pictures in {self.at} can't be read: {self._few()}", code=code,
                        remedy="mend or remove them, or say what share may be left out: --bad" if many < self.total else "give whole pictures")

    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return (f"{len(self.found)} of {self.total} pictures can't be read and were left out: {self._few()}",) if self.found else ()

    def _few(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in self.found[:_TOLD]) + ("; ..." if len(self.found) > _TOLD else "")


def _shape(at: Path, heads: Sequence[Header], wanted: Wanted) -> tuple[tuple[int, int, int], list[str]]:
    """The shape of all: as the model knows it, as asked, or the most frequent size, colour if any has it, transparency if half of them have."""
    sizes = Counter((h.height, h.width) for h in heads)
    usual = sizes.most_common(1)[0][0]
    clear = sum(h.channels == 4 for h in heads)
    channels = wanted.channels or (4 if 2 * clear >= len(heads) else max(min(h.channels, 3) for h in heads))
    shape = (wanted.size or usual[0], wanted.size or usual[1], channels)
    if wanted.shape:
        shape = (wanted.shape[0], wanted.shape[1], wanted.shape[2])
    if prod(shape) > MOST_NUMBERS:
        raise DataError(f"pictures of {shape[1]} x {shape[0]} pixels in {at} have more than {MOST_NUMBERS} numbers each", code="TOO_LARGE", remedy="--size 64")
    notes = [f"{shape[1]} x {shape[0]} pixels, {_COLOURS[shape[2]]}"]
    if other := sum(n for size, n in sizes.items() if size != shape[:2]):
        how = {"crop": "scaled and cut around their middle", "pad": "scaled and given margins", "stretch": "stretched"}[wanted.fit]
        notes.append(f"{other} of {len(heads)} pictures have another size and were {how}")
    if clear:
        notes.append(f"{clear} of {len(heads)} pictures have transparency" + ("" if shape[2] == 4 else ", which was put on white (--color rgba keeps it)"))
    if moving := sum(h.moving for h in heads):
        notes.append(f"{moving} of {len(heads)} files have several frames, of which the first was taken")
    return shape, notes


def _gathered(arrays: Iterator[Items], many: int, shape: tuple[int, int, int]) -> Items:
    """Arrays as one: in memory, or in a file without a name that goes when the array goes."""
    if many * prod(shape) <= RESIDENT:
        whole = BytesIO()
        for x in arrays:
            whole.write(x.tobytes())
        return np.frombuffer(whole.getbuffer(), dtype=np.uint8).reshape(-1, *shape)
    with TemporaryDirectory(prefix="ilk-", ignore_cleanup_errors=True) as folder:
        at = Path(folder) / "pixels.raw"
        try:
            with at.open("wb") as file:
                for x in arrays:
                    file.write(x.tobytes())
        except OSError as why:
            raise not_written(at, why) from None
        return np.memmap(at, dtype=np.uint8, mode="c").reshape(-1, *shape) if at.stat().st_size else np.zeros((0, *shape), dtype=np.uint8)
