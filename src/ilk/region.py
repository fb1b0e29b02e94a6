"""What of an item is to be made anew: the rest of it is kept."""
from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError, nearest
from .rules import Value


class Region(ABC):
    """Some parts of an item."""

    @abstractmethod
    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """The parts that stay, by name."""


@dataclass(frozen=True)
class Named(Region):
    """Parts by name: columns of a table, or pixels, `3,4` being all channels of one."""

    names: tuple[str, ...]

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """All others; UsageError for a name that there is not."""
        goes = {name: [name] if name in parts else [p for p in parts if "," in name and p.startswith(f"{name},")] for name in self.names}
        if odd := [name for name, found in goes.items() if not found]:
            known = f"{', '.join(map(_written, list(parts)[:8]))}{' ...' if len(parts) > 8 else ''}"
            raise UsageError(f"there is no part {odd[0]!r}", code="COLUMN", param="redo", remedy=f"the parts are {known}")
        gone = {part for found in goes.values() for part in found}
        return {n: v for n, v in parts.items() if n not in gone}


@dataclass(frozen=True)
class Box(Region):
    """Rows from `top` up to `bottom`, columns from `left` up to `right`, counted from 0, the last ones not among them."""

    top: int
    left: int
    bottom: int
    right: int

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """Every pixel outside; UsageError where items have no rows and columns, or nothing lies inside."""
        places = {name: _place(name) for name in parts}
        stays = {n: parts[n] for n, (row, column) in places.items() if not (self.top <= row < self.bottom and self.left <= column < self.right)}
        if len(stays) == len(parts):
            last = [max(place[axis] for place in places.values()) for axis in (0, 1)]
            raise UsageError(f"no pixel lies in rows {self.top} to {self.bottom}, columns {self.left} to {self.right}", code="REGION", param="redo",
                             remedy=f"rows are 0 to {last[0]}, columns 0 to {last[1]}")
        return stays


@dataclass(frozen=True, eq=False)
class Mask(Region):
    """Every pixel where `where`, (rows, columns), is true."""

    where: NDArray[np.bool_]

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """Every pixel where it is false; UsageError where items are of another size, or it is true nowhere."""
        places = {name: _place(name) for name in parts}
        size = tuple(max((place[axis] for place in places.values()), default=-1) + 1 for axis in (0, 1))
        if size != self.where.shape:
            raise UsageError(f"the mask is of {_by(self.where.shape)} pixels, the picture of {_by(size)}", code="REGION", param="redo", remedy="a mask of the picture's size")
        if not self.where.any():
            raise UsageError("the mask is true nowhere: nothing is to be made anew", code="REGION", param="redo", remedy="white, or True, is made anew")
        return {n: parts[n] for n, place in places.items() if not self.where[place]}


@dataclass(frozen=True)
class Outside(Region):
    """All that another region leaves: to paint on around it."""

    of: Region

    def __post_init__(self) -> None:
        if isinstance(self.of, Span):
            raise UsageError("a text can't be made anew around a part of it", code="REGION", param="redo",
                             remedy="after:PLACE keeps its beginning, between:PLACE,PLACE its beginning and its end")

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """What the other one would make anew."""
        stays = self.of.kept(parts)
        return {n: v for n, v in parts.items() if n not in stays}


@dataclass(frozen=True)
class Span(Region):
    """The characters of a text from one place up to another, or all from the first on: as many as it takes are made in their stead."""

    start: int
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.stop is not None and self.stop < self.start:
            raise UsageError(f"characters {self.start} to {self.stop} are none: it ends before it begins", code="REGION", param="redo", remedy=FORMS)

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """The beginning, and the end where there is one; UsageError for items that are no texts."""
        whole = parts.get("prefix")
        if not isinstance(whole, str):
            raise UsageError("only texts have a beginning and an end", code="REGION", param="redo", remedy="name columns, or a box of pixels")
        end = "" if self.stop is None else whole[self.stop:]
        return {"prefix": whole[:self.start], **({"suffix": end} if end else {})}


_NAME = re.compile(r"\s*+(?:`((?:[^`]|``)++)`|([^`,:\s](?:[^`,:]*[^`,:\s])?))\s*+(,|$)")
FORMS = "box:TOP,LEFT,BOTTOM,RIGHT, mask:FILE, outside:REGION, after:PLACE, between:PLACE,PLACE, or names such as age,income (odd ones in `backticks`)"


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _no_files(at: str) -> Mask:
    raise UsageError(f"{at} can't be read as a mask here", code="REGION", param="redo", remedy="ilk.mask(array)")


def parse(text: str, read: Callable[[str], Mask] = _no_files) -> Region:
    """A region as people write it; `read` gets the mask in a file. UsageError for anything else.

    >>> parse("outside:box:8,8,24,24")
    Outside(of=Box(top=8, left=8, bottom=24, right=24))
    >>> parse("age, `hours per week`").names
    ('age', 'hours per week')
    """
    inside, times = text, 0
    while (kind := inside.partition(":"))[1] and kind[0].strip() == "outside":
        inside, times = kind[2], times + 1
    region = _region(inside, read)
    outer = Outside(region) if times else region
    return outer if times % 2 else region   # what is outside of the outside is inside


def _region(text: str, read: Callable[[str], Mask]) -> Region:
    kind, colon, rest = text.partition(":")
    if not colon or "`" in kind:
        return Named(_names(text))
    kind = kind.strip()
    if kind == "box":
        return Box(*_numbers(rest, 4, text))
    if kind == "mask":
        return read(rest.strip())
    if kind == "after":
        return Span(*_numbers(rest, 1, text))
    if kind == "between":
        return Span(*_numbers(rest, 2, text))
    raise UsageError(f"no region {kind!r}: {nearest(kind, ('box', 'mask', 'outside', 'after', 'between'))}", code="REGION", param="redo", remedy=FORMS)


def _numbers(text: str, many: int, whole: str) -> list[int]:
    found = [n.strip() for n in text.split(",")]
    if len(found) != many or not all(re.fullmatch(r"[0-9]{1,9}", n) for n in found):
        raise UsageError(f"{whole!r} is no region: {text!r} is not {many} whole number{'s' * (many > 1)} from 0", code="REGION", param="redo", remedy=FORMS)
    return [int(n) for n in found]


def _names(text: str) -> tuple[str, ...]:
    names, at, comma = [], 0, ","
    while comma:
        found = _NAME.match(text, at)
        if found is None:
            raise UsageError(f"{text!r} is no region: no name at character {at}", code="REGION", param="redo", remedy=FORMS)
        names.append(found[1].replace("``", "`") if found[1] else found[2])
        at, comma = found.end(), found[3]
    return tuple(names)


def _written(name: str) -> str:
    return "`" + name.replace("`", "``") + "`" if re.search(r"[`,:]", name) else name


def _place(name: str) -> tuple[int, int]:
    found = name.split(",")
    if len(found) < 2 or not all(f.isdigit() for f in found):
        raise UsageError(f"the part {name!r} has no row and column", code="REGION", param="redo", remedy="name the parts to make anew")
    return int(found[0]), int(found[1])


def box(top: int, left: int, bottom: int, right: int) -> Box:
    """A rectangle of pixels.

    >>> sorted(box(0, 0, 1, 2).kept({"0,0": 1, "0,1": 2, "1,0": 3}))
    ['1,0']
    """
    return Box(top, left, bottom, right)


def mask(where: Any) -> Mask:
    """Pixels by an array of truths, (rows, columns): a picture's pixels above a threshold, say; UsageError for anything else.

    >>> mask([[True, False]]).kept({"0,0": 1, "0,1": 2})
    {'0,1': 2}
    """
    found = np.asarray(where)
    if found.ndim != 2 or found.dtype != np.bool_:
        raise UsageError(f"an array of {found.dtype} of shape {found.shape} is no mask", code="REGION", param="redo", remedy="bool of shape (rows, columns): array > 127")
    return Mask(found)


def after(place: int) -> Span:
    """All from a character on: to write on from there."""
    return Span(place)


def between(start: int, stop: int) -> Span:
    """The characters from one place up to another, counted from 0: the beginning and the end stay.

    >>> between(4, 7).kept({"prefix": "the cat sat"})
    {'prefix': 'the ', 'suffix': ' sat'}
    """
    return Span(start, stop)


def outside(region: Region) -> Outside:
    """All but a region."""
    return Outside(region)
