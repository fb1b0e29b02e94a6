"""Frames between the server and a process that works for it: how long each part is, JSON, and raw bytes beside it. Nothing in them is ever run."""
from __future__ import annotations

import json
import struct
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ilk.errors import IlkError

_FIRST, _SIZE = struct.Struct(">4sII"), struct.Struct(">Q")   # the mark, bytes of JSON, how many blobs; bytes of a blob
_MARK, MOST_HEAD, MOST_BLOBS, MOST_BYTES = b"ilk\x01", 256 << 20, 65_536, 2 << 30


class BadFrame(IlkError):
    """What came is no frame, or none that is taken: whoever is at the other end is not to be trusted any more."""

    default = "FRAME"


@dataclass(frozen=True)
class Frame:
    """JSON and bytes beside it."""

    head: Mapping[str, Any]
    blobs: Sequence[bytes] = field(default=())


def packed(frame: Frame) -> bytes:
    """A frame as bytes.

    >>> unpacked(packed(Frame({"a": 1}, (b"xy",))))
    Frame(head={'a': 1}, blobs=(b'xy',))
    """
    head = json.dumps(frame.head, separators=(",", ":")).encode()
    if len(head) > MOST_HEAD or len(frame.blobs) > MOST_BLOBS or sum(map(len, frame.blobs)) > MOST_BYTES:
        raise BadFrame("that is too much for one frame", code="TOO_LARGE", remedy="ask for less at once")
    return b"".join((_FIRST.pack(_MARK, len(head), len(frame.blobs)), *(_SIZE.pack(len(b)) for b in frame.blobs), head, *frame.blobs))


def unpacked(data: bytes) -> Frame:
    """The frame that these bytes are, no more and no less; BadFrame for others."""
    parts, at = _parts(), 0
    need = next(parts)
    while True:
        if at + need > len(data):
            raise BadFrame("the frame broke off")
        try:
            piece, at = data[at:at + need], at + need
            need = parts.send(piece)
        except StopIteration as done:
            if at != len(data):
                raise BadFrame("something follows the frame") from None
            found: Frame = done.value
            return found


def read(file: BinaryIO) -> Frame | None:
    """The next frame; None where there are no more."""
    parts, data = _parts(), b""
    try:
        need, first = next(parts), True
        while True:
            data = file.read(need) if need else b""
            if first and not data:
                return None
            if len(data) < need:
                raise BadFrame("the frame broke off")
            need, first = parts.send(data), False
    except StopIteration as done:
        found: Frame = done.value
        return found


async def received(reader: StreamReader) -> Frame | None:
    """The next frame; None where there are no more."""
    parts, first = _parts(), True
    try:
        need = next(parts)
        while True:
            data = await reader.readexactly(need)
            need, first = parts.send(data), False
    except StopIteration as done:
        found: Frame = done.value
        return found
    except IncompleteReadError as why:
        if why.partial or not first:
            raise BadFrame("the frame broke off") from None
        return None


def _parts() -> Generator[int, bytes, Frame]:
    """How many bytes come next, each time; it is sent them."""
    mark, long, many = _FIRST.unpack((yield _FIRST.size))
    if mark != _MARK or long > MOST_HEAD or many > MOST_BLOBS:
        raise BadFrame("that is no frame")
    sizes = [size for (size,) in _SIZE.iter_unpack((yield many * _SIZE.size))] if many else []
    if sum(sizes) > MOST_BYTES:
        raise BadFrame("that is too much for one frame", code="TOO_LARGE")
    try:
        head = json.loads((yield long))
    except ValueError:
        raise BadFrame("the frame holds no JSON") from None
    if not isinstance(head, dict):
        raise BadFrame("the frame holds no object")
    blobs = []
    for size in sizes:
        blobs.append((yield size) if size else b"")
    return Frame(head, tuple(blobs))
