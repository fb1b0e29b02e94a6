"""Items of any kind on a page: frames as tables, pictures as sheets, everything else one by one, as their kind of data shows them."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import polars as pl
import torch
from markupsafe import Markup

from ilk import registry
from ilk.dataset import Dataset
from ilk.distribution import How, Samples
from ilk.errors import UsageError
from ilk.modality import Shown
from ilk.model import Model
from ilk.pages.page import PIXELS, Block, Cell, Gallery, embedded, grid, width
from ilk.pages.words import Words
from ilk.rng import Rng
from ilk.verbs.sample import sample
from ilk.verbs.score import score

ROWS, SHEET, LARGE, SINGLE, HEAD = 1000, 64, 16, 6, 6  # made for charts of tables, small and large pictures a sheet, other items, rows of a table shown
LETTERS, WHOLE = 600, 1000                             # of a text shown; tokens of a text that has no end


@dataclass(frozen=True, eq=False)
class Told:
    """What a page is about: a model, items it made (None if it makes none), real ones if there are some, in words of one language."""

    model: Model
    data: Dataset[Any] | None
    words: Words
    seed: int
    form: Literal["rows", "sheet", "single"]
    sharp: bool
    made: Any

    @property
    def count(self) -> int:
        """How many items are shown."""
        return {"rows": ROWS, "sheet": SHEET if self.sharp else LARGE, "single": SINGLE}[self.form]

    @property
    def trained(self) -> Dataset[Any] | None:
        """The data if the items learned from are among them."""
        data = self.data
        return data if data is not None and "train" in data.splits and len(data.index("train")) else None

    @cached_property
    def scored(self) -> tuple[str, str]:
        """What sort of number the model gives an item, or "no_score", and against which measure."""
        if self.made is None:
            return "no_score", ""
        try:
            found = score(self.model, self.first(self.made, 1), draws=1)
        except UsageError:
            return "no_score", ""
        return found.sort, found.measure

    def pick(self, items: Any, *index: int) -> Any:
        """Some items."""
        return self.model.modality.take(items, torch.tensor(index, dtype=torch.long))

    def first(self, items: Any, most: int) -> Any:
        """The first items, at most so many."""
        return self.pick(items, *range(min(most, len(items))))

    def body(self, items: Any, alt: str = "") -> Markup:
        """Items as their kind of data shows them; long texts are cut."""
        return embedded(cut(self.model.modality.show(items)), alt, self.sharp)

    def singles(self, items: Any, most: int) -> list[Markup]:
        """Each by itself."""
        return [self.body(self.pick(items, i)) for i in range(min(most, len(items)))]

    def blocks(self, items: Any, caption: str) -> Iterator[Block]:
        """Some items, in the form that suits them."""
        if self.form == "rows":
            yield grid(caption, items.head(HEAD), self.words["missing"])
        elif self.form == "sheet":
            yield Gallery("", [Cell(caption, self.body(items, caption))], 60)
        else:
            yield Gallery(caption, [Cell("", b) for b in self.singles(items, SINGLE)], 20)


def cut(shown: Shown) -> Shown:
    """Items for eyes, long texts cut."""
    if not shown.mime.startswith("text/plain"):
        return shown
    text = shown.data.decode("utf-8", "replace")
    return Shown(shown.mime, (text if len(text) <= LETTERS else text[:LETTERS] + " …").encode())


def told(model: Model, data: Dataset[Any] | None, words: Words, seed: int) -> Told:
    """Items are made, as many as are shown; by a model that makes none, none are."""
    makes = isinstance(model.body, Samples)
    if not makes and data is None:
        return Told(model, data, words, seed, "single", False, None)
    one = sample(model, 1, seed, way(model)).items if makes or data is None else data.sample("test", 1, Rng(seed).child("real"))
    shown = model.modality.show(one)
    form: Any = "rows" if isinstance(one, pl.DataFrame) else "sheet" if shown.mime.startswith("image/") else "single"
    sharp = form == "sheet" and 0 < width(shown) <= PIXELS
    found = Told(model, data, words, seed, form, sharp, None)
    return replace(found, made=sample(model, found.count, seed, way(model)).items) if makes else found


def way(model: Model) -> How | None:
    """How to draw where a text has no end of its own; else the model's own way."""
    if getattr(model.modality, "per", "") != "whole":
        return None
    how: How = registry.get("decoding", "ancestral")(most=WHOLE)
    return how


