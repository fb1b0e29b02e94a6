"""A few texts in another script than the rest, or words that mix scripts: another language, or letters that only look alike."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import share
from ilk.faults._data import strings
from ilk.faults._texts import main_script, quoted, scripts

LEAST, FEW, MOST, LETTERS = 20, 3, 0.15, 8  # texts; in another script, at least and as a share at most; letters of a text that tell its script
ALIKE = ("LATIN", "CYRILLIC", "GREEK")


class MixedScripts(Fault):
    """Texts mostly in a script that is rare here, or letters of Latin, Cyrillic and Greek within one word."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """Texts and columns of texts."""
        for where, found in strings(thing):
            if said := _rare(found) or _within(found):
                yield self.found(where, said, "if it is not meant: leave these texts out, or fit a model for each language")


def _rare(found: Sequence[str]) -> str | None:
    long = [text for text in found if sum(scripts(text).values()) >= LETTERS]
    count = Counter(map(main_script, long)).most_common(2)
    if len(long) < LEAST or len(count) < 2 or not FEW <= count[1][1] <= MOST * len(long):
        return None
    (usual, _), (rare, n) = count
    first = next(text for text in long if main_script(text) == rare)
    return f"{share(n, len(long))} texts are in {rare.title()} letters, the others in {usual.title()}, such as {quoted(first, 15)}"


def _within(found: Sequence[str]) -> str | None:
    """Texts with a word of two scripts that have letters that look alike."""
    hits = [(text, word) for text in found if len(set(scripts(text)) & set(ALIKE)) > 1 for word in re.findall(r"[^\W\d_]{3,}", text[:400]) if _mixed(word)]
    if len(hits) < FEW:
        return None
    return f"{share(len(dict(hits)), len(found))} texts have words that mix scripts, such as {hits[0][1]!r}: letters that look alike and are not"


def _mixed(word: str) -> bool:
    """Whether letters of two such scripts make up the word; one Greek letter, as of a formula, does not."""
    found = scripts(word)
    return len(set(found) & set(ALIKE)) > 1 and ("GREEK" not in found or found["GREEK"] > 1)
