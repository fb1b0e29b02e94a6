"""The contract of a format of documents: bytes become a text with its sections, and what was left out is said."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from .modality import Limits

Fact = str | int | float | bool


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it: characters `start` to `end` of the document's text; `level` 1 is the highest."""

    title: str
    level: int
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A text to look things up in. What a citation points at is a stretch of `text`, which is kept as it is.

    `facts` can be filtered by (author, year, row of a table); `notes` say what was left out: hidden text, characters without width.
    """

    name: str
    text: str
    sections: tuple[Section, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Reader(ABC):
    """Reads one format, never running anything that is in it. One file of `readers/` each."""

    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The documents in a file: one, or one per record. DataError for what is broken, encrypted or too large."""
