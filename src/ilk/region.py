"""What of an item is to be made anew: the rest of it is kept."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import UsageError
from .given import Value


class Region(ABC):
    """Some parts of an item."""

    @abstractmethod
    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """The parts that stay, by name."""


@dataclass(frozen=True)
class Named(Region):
    """Parts by name: columns of a table."""

    names: tuple[str, ...]

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """All others; UsageError for a name that there is not."""
        if odd := [n for n in self.names if n not in parts]:
            known = f"{', '.join(list(parts)[:8])}{' ...' if len(parts) > 8 else ''}"
            raise UsageError(f"there is no part {odd[0]!r}", code="COLUMN", param="redo", remedy=f"the parts are {known}")
        return {n: v for n, v in parts.items() if n not in self.names}


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
            raise UsageError(f"no pixel lies in rows {self.top} to {self.bottom}, columns {self.left} to {self.right}", code="REGION", param="redo")
        return stays


@dataclass(frozen=True)
class Outside(Region):
    """All that another region leaves: to paint on around it."""

    of: Region

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """What the other one would make anew."""
        stays = self.of.kept(parts)
        return {n: v for n, v in parts.items() if n not in stays}


@dataclass(frozen=True)
class After(Region):
    """All from a place on: to write on from there."""

    place: int

    def kept(self, parts: Mapping[str, Value]) -> dict[str, Value]:
        """The beginning."""
        whole = parts.get("prefix")
        if not isinstance(whole, str):
            raise UsageError("only texts have a beginning", code="REGION", param="redo")
        return {"prefix": whole[:self.place]}


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


def after(place: int) -> After:
    """All from a character on."""
    return After(place)


def outside(region: Region) -> Outside:
    """All but a region."""
    return Outside(region)
