"""blind: items of several models or files side by side, to be compared by people who don't know which is whose."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.dataset import Dataset, split_dataset
from ilk.distribution import Draws, Samples
from ilk.errors import DataError, UsageError
from ilk.given import Label
from ilk.modality import Modality, Shown
from ilk.model import Model, load
from ilk.pages.page import PIXELS, cell, embedded, width
from ilk.rng import Rng
from ilk.verbs._ballots import Comparison, schedule
from ilk.verbs._own import alike, own
from ilk.verbs._shown import LETTERS, cut, way
from ilk.verbs.evaluate import prompted
from ilk.verbs.fit import fingerprint
from ilk.verbs.read import native, read
from ilk.verbs.sample import sample

MOST, AGAIN = 1000, 0.1   # items of each participant; share of comparisons that come a second time


@dataclass(frozen=True, eq=False)
class Study:
    """What is compared: names, HTML of every item by participant, what all were asked for (texts, "" for nothing), and the order of comparisons."""

    names: tuple[str, ...]
    items: tuple[tuple[str, ...], ...]
    asked: tuple[str, ...]
    order: tuple[Comparison, ...]
    wide: bool

    @cached_property
    def digest(self) -> str:
        """A hash of all that is shown: votes belong to it."""
        return sha256(repr((self.names, self.items, self.asked, self.order)).encode("utf-8", "surrogatepass")).hexdigest()


def blind(sides: Mapping[str, Any], n: int = 20, seed: int = 0, again: float = AGAIN) -> Study:
    """Items of each participant, n of each: a Model or its folder makes them, of a Dataset, a file or items they are chosen at random.

    Where all know labels, item i is of the same label everywhere; where all know captions, of the same caption. Of data that are divided, or
    that a participant was fitted on, test items take part. `again` of the comparisons come twice.

    >>> import ilk
    >>> x = ilk.Rng(0).normal(60, 2).numpy()
    >>> found = ilk.blind({"model": ilk.fit(x, ilk.GMM(components=1)), "real": x}, n=5)
    >>> len(found.order), found.names
    (5, ('model', 'real'))
    """
    if len(sides) < 2 or not 1 <= n <= MOST or not 0 <= again <= 1:
        raise UsageError(f"{len(sides)} participants of {n} items, {again} of them again", code="OPTION", param="n", remedy=f"2 or more, 1 to {MOST}, 0 to 1")
    models = {name: side for name, thing in sides.items() if (side := _model(thing)) is not None}
    first = next(iter(models.values()), None)
    found = {name: models.get(name) or _data(thing, first, list(models.values())) for name, thing in sides.items()}
    kinds = {registry.name_of("modalities", side.modality) for side in found.values()}
    if len(kinds) > 1:
        raise UsageError(f"the participants are {' and '.join(sorted(kinds))}", code="MODALITY", remedy="items of one kind")
    rng = Rng(seed).child("blind")
    many = min([n, *(len(side.index("test")) for side in found.values() if isinstance(side, Dataset))])
    made, asked = _items(found, many, rng)
    many = len(asked)
    shown = tuple(tuple(_shown(side.modality, items, i) for i in range(many)) for side, items in zip(found.values(), made, strict=True))
    return Study(tuple(found), shown, asked, schedule(len(found), many, again, rng), kinds != {"image"})


def _model(thing: Any) -> Model | None:
    if isinstance(thing, str | Path) and os.path.exists(Path(thing) / "ilk.json"):
        thing = load(thing)
    if isinstance(thing, Model) and not isinstance(thing.body, Samples):
        raise UsageError(f"{type(thing.body).__name__} makes no items", code="CAPABILITY")
    return thing if isinstance(thing, Model) else None


def _data(thing: Any, first: Model | None, models: Sequence[Model]) -> Dataset[Any]:
    """Data whose split `test` takes part: test items where the data are divided or were learned from, else all."""
    if isinstance(thing, str | Path):
        thing = read(thing) if first is None else alike(first, str(thing))
    elif not isinstance(thing, Dataset):
        found = read(thing)
        thing = Dataset(first.modality, native(first.modality, thing)) if first is not None and type(first.modality) is type(found.modality) else found
    thing = _pieces(thing)
    if "test" not in thing.splits:
        parts = split_dataset(thing)
        learned = len(parts.index("train")) and any(fingerprint(parts, m.body.family)["data"] == m.card.get("data_sha256") for m in models)
        thing = parts if learned else replace(thing, splits={"test": torch.arange(len(thing))})
    if not len(thing.index("test")):
        raise DataError("a participant has no items", code="EMPTY")
    return thing   # type: ignore[no-any-return]


def _pieces(data: Dataset[Any]) -> Dataset[Any]:
    """A whole text as pieces as long as are shown, each from the beginning of a line."""
    if getattr(data.modality, "per", "") != "whole":
        return data
    text = "\n".join(data.items)
    starts = [0, *(i + 1 for i, c in enumerate(text) if c == "\n" and i + LETTERS < len(text))]
    return Dataset(data.modality, [text[i:i + LETTERS] for i in starts], {"test": torch.arange(len(starts))}, origin=data.origin)


def _items(sides: Mapping[str, Model | Dataset[Any]], n: int, rng: Rng) -> tuple[list[Any], tuple[str, ...]]:
    """n items of each, and what item i was asked for by all."""
    labels = _labels(sides)
    if labels:
        wanted = [labels[i % len(labels)] for i in range(n)]
        return [_of_labels(side, wanted, rng.child(name)) for name, side in sides.items()], tuple(map(str, wanted))
    told = _captioned(sides)
    if told is not None:
        index = told.some("test", n, rng.child("captions"))
        texts = [] if told.captions is None else [told.captions.texts[i] for i in index.tolist()]
        made = [_taken(told, index) if isinstance(side, Dataset) else prompted(side, told, index, _seed(rng.child(name))) for name, side in sides.items()]
        return made, tuple(texts)
    return [_any(side, n, rng.child(name)) for name, side in sides.items()], ("",) * n


def _labels(sides: Mapping[str, Model | Dataset[Any]]) -> tuple[int | str, ...]:
    """The labels that all know and can be asked for."""
    known = []
    for side in sides.values():
        if isinstance(side, Model):
            known.append(() if any(isinstance(g, Label) for g in side.givens) else side.labels)
        else:
            seen = () if side.labels is None else side.labels.codes[side.index("test")].unique().tolist()
            known.append(tuple(side.labels.names[c] for c in seen) if side.labels is not None else ())
    return tuple(label for label in known[0] if all(label in others for others in known))


def _captioned(sides: Mapping[str, Model | Dataset[Any]]) -> Dataset[Any] | None:
    """The data whose captions are asked of all: the only ones that take part, else those of the first model's fit."""
    models, data = ([s for s in sides.values() if isinstance(s, kind)] for kind in (Model, Dataset))
    if len(data) > 1 or not all(isinstance(m, Model) and m.vocabulary is not None and isinstance(m.body, Draws) and not m.givens for m in models) or not models:
        return None
    found = data[0] if data else own(models[0])   # type: ignore[arg-type]
    return found if isinstance(found, Dataset) and found.captions is not None and len(found.index("test")) else None


def _of_labels(side: Model | Dataset[Any], wanted: Sequence[int | str], rng: Rng) -> Any:
    """Item i of label wanted[i]; of data with fewer of a label than are wanted, some stand twice."""
    order = [i for label in dict.fromkeys(wanted) for i, w in enumerate(wanted) if w == label]
    counts = {label: wanted.count(label) for label in dict.fromkeys(wanted)}
    if isinstance(side, Model):
        parts = [sample(side.given(Label(label)), k, _seed(rng.child(str(label)))).items for label, k in counts.items()]
    else:
        parts = [_taken(side, _with(side, label, k, rng.child(str(label)))) for label, k in counts.items()]
    back = torch.tensor(order).argsort()
    return side.modality.take(side.modality.join(parts), back)


def _with(data: Dataset[Any], label: int | str, k: int, rng: Rng) -> Tensor:
    test = data.index("test")
    known = data.labels
    if known is None:
        return test[:0]
    of = test[known.codes[test] == known.names.index(label)]
    return of[rng.shuffle(len(of))][torch.arange(k) % len(of)]


def _any(side: Model | Dataset[Any], n: int, rng: Rng) -> Any:
    if isinstance(side, Model):
        return sample(side, n, _seed(rng), way(side)).items
    test = side.index("test")
    return _taken(side, test[rng.shuffle(len(test))[:n]])


def _taken(data: Dataset[Any], index: Tensor) -> Any:
    return data.modality.take(data.items, index)


def _seed(rng: Rng) -> int:
    return int(rng.key() % 2**31)


def _shown(modality: Modality[Any], items: Any, i: int) -> str:
    """One item as HTML: a row as its cells one below the other, anything else as its kind of data shows it."""
    one = modality.take(items, torch.tensor([i]))
    if hasattr(one, "rows"):
        return "<dl>" + "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(cell(v, '–'))}</dd>" for k, v in zip(one.columns, one.rows()[0], strict=True)) + "</dl>"
    shown: Shown = cut(modality.show(one))
    return str(embedded(shown, "", sharp=0 < width(shown) <= PIXELS))
