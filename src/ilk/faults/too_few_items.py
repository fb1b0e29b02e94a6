"""So few items that most of what a model learns is their chance."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import frame, texts

FEW, CHARACTERS = 50, 5000


class TooFewItems(Fault):
    """Fewer than fifty items, or than a table has columns; texts of fewer than five thousand characters in all."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many there are."""
        long = sum(map(len, texts(thing)))
        many = len(thing) if "train" not in thing.splits else len(thing.splits["train"])
        least = max(FEW, frame(thing).width)
        remedy = "collect more; until then a family with few parameters: --family gmm --components 1 --covariance diag"
        if long and long < CHARACTERS:
            yield self.found("the texts", f"{long} characters in all, where {CHARACTERS} are hardly enough for how letters follow one another",
                             "collect more; until then --family ngram --order 2")
        elif not long and many < least:
            yield self.found("the items", f"{many} items to learn from, where {least} would be few", remedy)
