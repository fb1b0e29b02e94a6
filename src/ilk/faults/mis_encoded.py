"""Text that was read in the wrong encoding: Ã© for é, replacement characters for what is lost."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
FEW = 2


class MisEncoded(Fault):
    """Runs of Western letters that are UTF-8 when written as bytes again, or characters that stand for bytes that could not be read."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """Texts, columns and their names."""
        for where, found in strings(thing):
            for search, what, remedy in ((_lost, "characters that could not be read, which are lost", "read the source again in the encoding that it is in: --encoding gb18030, or cp1252"),
                                         (_twice, "UTF-8 that was read as a Western encoding", "text.encode('cp1252').decode('utf-8'), or read the source with --encoding utf-8")):
                yield from self._told(where, found, search, what, remedy)

    def _told(self, where: str, found: Sequence[str], search: Any, what: str, remedy: str) -> Iterator[Found]:
        hits = [(text, at) for text in found if (at := search(text)) is not None]
        if len(hits) >= min(FEW, len(found)):
            yield self.found(where, f"{share(len(hits), len(found))} hold {what}, such as {quoted(*hits[0])}", remedy)


def _lost(text: str) -> int | None:
    hit = LOST.search(text)
    return hit.start() if hit else None


def _twice(text: str) -> int | None:
    """Where such a run begins."""
    return next((hit.start() for hit in HIGH.finditer(text) if _decodes(hit[0])), None)


def _decodes(run: str) -> bool:
    """Whether most of a run is whole UTF-8 characters, if its characters are bytes."""
    made = bytes(BYTES[c] for c in run if c in BYTES).decode("utf-8", "ignore")
    return 0 < len(made) and len(made.encode()) > 0.6 * len(run)
