"""The same lines in most texts: headers, footers and notices, which a model learns first and says always."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import share
from ilk.faults._data import texts
from ilk.faults._texts import main_script

LEAST, MANY, LONG = 10, 0.2, 24  # texts; share of them that have it; letters of it (a third of that in scripts of whole words)


class Boilerplate(Fault):
    """A line, a beginning or an end that a fifth of all texts share, while the texts differ."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """The longest that is shared most."""
        found = texts(thing)
        distinct = list(dict.fromkeys(found))
        if len(distinct) < LEAST:
            return
        count = Counter(piece for text in distinct for piece in set(_pieces(text)))
        shared = [(piece, n) for piece, n in count.items() if n >= MANY * len(distinct)]
        if shared:
            piece, n = max(shared, key=lambda pair: (pair[1], len(pair[0]), pair[0]))
            yield self.found("the texts", f"{share(n, len(distinct))} different texts have {piece[:60]!r}", f"take it out: text.replace({piece[:60]!r}, '')")


def _pieces(text: str) -> Iterator[str]:
    """Lines, and the beginning and the end, as far as they are long."""
    least = LONG // 3 if main_script(text) == "HAN" else LONG
    ends = [text[:least], text[-least:]] if len(text) > least else []
    for piece in (*(line.strip() for line in text.split("\n")), *ends):
        if sum(c.isalpha() for c in piece) >= 0.6 * least and len(piece) >= least:
            yield piece
