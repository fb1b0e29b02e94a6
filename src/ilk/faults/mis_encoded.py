"""Text that was read in the wrong encoding: Ã© for é, replacement characters for what is lost."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import share
from ilk.faults._data import strings
from ilk.faults._texts import quoted

LOST = re.compile("[\ufffd\udc80-\udcff]|锟斤拷|ï¿½|烫烫|屯屯")
HIGH = re.compile("[\u0080-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]{2,}")
CODES = {**{c: bytes([c]).decode("latin-1") for c in range(128, 256)}, **{c: bytes([c]).decode("cp1252") for c in range(128, 160) if c not in (129, 141, 143, 144, 157)}}
BYTES = {**{chr(c): c for c in range(128, 256)}, **{text: c for c, text in CODES.items()}}
FEW, WHOLE, LONG = 2, 0.8, 6  # texts; the share of a run that must be characters; letters of a run that may be Chinese
UNREAD = "read the source again in the encoding that it is in: --encoding gb18030, or cp1252"


class MisEncoded(Fault):
    """Runs of Western letters that are UTF-8 when written as bytes again, or characters that stand for bytes that could not be read."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """Texts, columns and their names."""
        for where, found in strings(thing):
            yield from self._told(where, found, _lost, "characters that could not be read, which are lost", UNREAD)
            for encoding in ("utf-8", "gb18030"):
                remedy = f"read the source with --encoding {encoding}, or text.encode('cp1252').decode({encoding!r})"
                yield from self._told(where, found, _read_as(encoding), f"{encoding} that was read as a Western encoding", remedy)

    def _told(self, where: str, found: Sequence[str], search: Callable[[str], int | None], what: str, remedy: str) -> Iterator[Found]:
        places = {text: search(text) for text in set(found)}
        hits = [(text, at) for text in found if (at := places[text]) is not None]
        if hits and len(hits) >= min(FEW, len(found)):
            yield self.found(where, f"{share(len(hits), len(found))} hold {what}, such as {quoted(*hits[0])}", remedy)


def _lost(text: str) -> int | None:
    hit = LOST.search(text)
    return hit.start() if hit else None


def _read_as(encoding: str) -> Callable[[str], int | None]:
    """What finds where a run begins that is of an encoding, if its characters are bytes."""

    def where(text: str) -> int | None:
        return next((hit.start() for hit in HIGH.finditer(text) if _encoding(hit[0]) == encoding), None)

    return where


def _encoding(run: str) -> str:
    """The encoding whose characters nearly all of a run is, if its characters are bytes; empty for none. Chinese takes a longer run: any bytes may be such."""
    raw = bytes(BYTES[c] for c in run if c in BYTES)
    if len(raw.decode("utf-8", "ignore").encode()) > WHOLE * len(run):
        return "utf-8"
    han = [c for c in raw.decode("gb18030", "ignore") if "\u4e00" <= c <= "\u9fff"]
    return "gb18030" if len(run) >= LONG and 2 * len(han) > WHOLE * len(run) else ""
