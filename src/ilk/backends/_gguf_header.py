"""The header of a GGUF file, read and checked before any other code opens it: what a library may abort at is refused here with a word."""
from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError

MOST_FACTS, MOST_TENSORS, MOST_LIST, MOST_TEXT = 1 << 16, 1 << 16, 1 << 24, 1 << 26
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
# Numbers and bytes of a block, by the kind of tensor.
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144),
           13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
           22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66)}


@dataclass(frozen=True)
class Header:
    """What a file says of its model: facts by key (long lists as their length), and how many tensors."""

    facts: dict[str, Any]
    tensors: int

    @property
    def context(self) -> int | None:
        """Tokens of the window that the model was trained with."""
        found = self.facts.get(f"{self.facts.get('general.architecture')}.context_length")
        return found if isinstance(found, int) else None


class _Reader:
    def __init__(self, at: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at = at, data, 0

    def wrong(self, why: str) -> ModelError:
        return ModelError(f"{self.path} is no whole GGUF file: {why}", code="MODEL_DAMAGED", remedy="fetch it again")

    def number(self, kind: str) -> Any:
        size = struct.calcsize(f"<{kind}")
        if self.at + size > len(self.data):
            raise self.wrong("it is cut short")
        self.at += size
        return struct.unpack_from(f"<{kind}", self.data, self.at - size)[0]

    def some(self, most: int, what: str) -> int:
        found = int(self.number("Q"))
        if found > most:
            raise self.wrong(f"it claims {found} {what}")
        return found

    def text(self) -> str:
        size = self.some(MOST_TEXT, "bytes of a text")
        if self.at + size > len(self.data):
            raise self.wrong("it is cut short")
        self.at += size
        return self.data[self.at - size:self.at].decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind == _LIST and depth < 4:
            return self.list(depth)
        if kind not in _NUMBERS:
            raise self.wrong(f"it has a fact of the unknown kind {kind}")
        return self.number(_NUMBERS[kind])

    def list(self, depth: int) -> int:
        kind, many = int(self.number("I")), self.some(MOST_LIST, "values of a list")
        if kind in _NUMBERS:
            self.at += many * struct.calcsize(f"<{_NUMBERS[kind]}")
        else:
            for _ in range(many):
                self.value(kind, depth + 1)
        if self.at > len(self.data):
            raise self.wrong("it is cut short")
        return many


def header(at: Path) -> Header:
    """The header; ModelError for a file that is not GGUF, is cut short, or claims more than it has."""
    try:
        with open(at, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(_Reader(at, data))
    except (OSError, ValueError) as why:
        if isinstance(why, ModelError):
            raise
        raise ModelError(f"{at} can't be read: {getattr(why, 'strerror', None) or why}", code="MODEL_DAMAGED", remedy="a whole GGUF file") from None


def _header(read: _Reader) -> Header:
    if read.data[:4] != b"GGUF":
        raise read.wrong("it does not begin with GGUF")
    read.at = 4
    if (version := read.number("I")) not in (2, 3):
        raise read.wrong(f"its version is {version}")
    tensors, many = read.some(MOST_TENSORS, "tensors"), read.some(MOST_FACTS, "facts")
    facts = {read.text(): read.value(int(read.number("I"))) for _ in range(many)}
    if not isinstance(facts.get("general.architecture"), str) or not tensors:
        raise read.wrong("it does not say its architecture, or has no tensors")
    end = max(_tensor(read) for _ in range(tensors))
    step = facts.get("general.alignment", 32)
    if not isinstance(step, int) or not 1 <= step <= 1 << 16 or -(-read.at // step) * step + end > len(read.data):
        raise read.wrong("its tensors go beyond its end")
    return Header(facts, tensors)


def _tensor(read: _Reader) -> int:
    """Where a tensor ends, in bytes after the header."""
    read.text()
    many = int(read.number("I"))
    if not 1 <= many <= 4:
        raise read.wrong(f"a tensor has {many} dimensions")
    size = 1
    for _ in range(many):
        size *= int(read.number("Q"))
    kind, offset = int(read.number("I")), int(read.number("Q"))
    block, each = _BLOCKS.get(kind, (1, 0))   # of a kind that is newer than this table nothing is known
    return offset + -(-size // block) * each
