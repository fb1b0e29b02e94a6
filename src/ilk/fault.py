"""The contract of a known fault: what it looks at, and what it says when it is there."""
from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from . import registry


@dataclass(frozen=True)
class Found:
    """A fault that is there: `where` (a file and line, a column, a figure), `why` it is one, and the `remedy`; `page` has more to read."""

    fault: str
    where: str
    why: str
    remedy: str
    page: str


@dataclass(frozen=True, eq=False)
class Script:
    """A program's text and its syntax tree; of a notebook, also the line that each cell begins at."""

    name: str
    text: str
    tree: ast.Module
    cells: tuple[int, ...] = ()

    def place(self, line: int) -> str:
        """A line as people find it: by its number, in a notebook by that of its cell."""
        before = [first for first in self.cells if first <= line]
        return f"{self.name}, cell {len(before)}, line {line - before[-1] + 1}" if before else f"{self.name}, line {line}"


@dataclass(frozen=True, eq=False)
class Record:
    """How a fit went: its events as facts, in order, and the seconds, options and figures it ended with."""

    events: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A figure as it is told: of how many items, its standard error, a trivial model's value and real data's beside it, if known."""

    name: str
    value: float
    se: float | None = None
    n: int | None = None
    floor: float | None = None
    ceiling: float | None = None
    better: str = ""
    convention: str = ""
    model: str = ""


@dataclass(frozen=True, eq=False)
class Figures:
    """Figures that are told together, and facts of how they came about: the kind of data, how many test items, made items, features and seeds."""

    figures: Sequence[Figure]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Installation:
    """What is installed: versions by package (None if absent), and facts of the machine."""

    versions: Mapping[str, str | None]
    machine: Mapping[str, Any]


class Fault(ABC):
    """One fault that people make. `looks_at` is the type it judges: a Script, a Record, an Installation, a Dataset or Figures."""

    looks_at: ClassVar[type]

    def found(self, where: str, why: str, remedy: str) -> Found:
        """The fault at a place."""
        name = registry.name_of("faults", self)
        return Found(name, where, why, remedy, f"docs/en/doctor.md#{name}")

    @abstractmethod
    def find(self, thing: Any) -> Iterator[Found]:
        """Where the fault is in the thing; nothing where it is not."""
