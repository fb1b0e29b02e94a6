"""Texts with next to nothing in them among others that are long."""
from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any, ClassVar

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import first_of, share
from ilk.faults._data import texts

SHORT, USUAL, MANY = 2, 10, 0.005  # letters and digits; half of the texts have more than so many; share of the texts


class NearEmptyTexts(Fault):
    """Texts of at most two letters or digits, where most have many."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many, and the first."""
        found = texts(thing)
        sizes = [sum(c.isalnum() for c in text[:200]) for text in found]
        short = [i for i, n in enumerate(sizes) if n <= SHORT]
        if found and len(short) >= max(2, MANY * len(found)) and median(sizes) > USUAL:
            yield self.found(f"texts {first_of(short)}", f"{share(len(short), len(found))} texts have at most {SHORT} letters, such as {found[short[0]][:20]!r}",
                             "leave them out: [t for t in texts if len(t.strip()) > 2]; a model of texts will make as many")
