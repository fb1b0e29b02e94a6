"""report: a model on one page of HTML, in English or Chinese: what it is, what it makes, how good that is, where it came from."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ilk import __version__, registry
from ilk.dataset import Dataset, split_dataset
from ilk.model import Model
from ilk.pages.page import Block, Section, write
from ilk.pages.words import family_of, words_of
from ilk.run import Listener
from ilk.verbs import _card, _sections
from ilk.verbs._shown import told
from ilk.verbs.evaluate import Evaluation, evaluate
from ilk.verbs.read import native


@dataclass(frozen=True)
class Reported:
    """The page that was written, the titles of its sections, and the figures on it (None without real items)."""

    page: Path
    sections: tuple[str, ...]
    evaluation: Evaluation | None


def report(model: Model, out: str | Path, against: Any = None, *, language: str = "en", n: int | None = None, seed: int = 0, listeners: tuple[Listener, ...] = ()) -> Reported:
    """Writes the page, whole or not at all: no script, nothing loaded from elsewhere, the same bytes for the same seed.

    `against` is a Dataset (its test items judge, its training items are looked through for copies) or held-out items; without it
    the page has what the model alone can show. `n` items are made for the figures, as many as are held out unless said. Of a model
    that makes none, such as an autoencoder, the page shows real items, and what becomes of them by way of their codes.
    """
    words = words_of(language)
    data = None if against is None else _data(model, against)
    about = told(model, data, words, seed)
    found = None if data is None or about.made is None else evaluate(model, data, n, seed, (), listeners)
    items = ("items_kept", _sections.kept(about)) if about.made is None else ("items" if data is not None else "items_alone", _sections.items(about))
    parts: list[tuple[str, Iterable[Block]]] = [
        ("what", _card.what(about)), items, ("curves", _sections.curves(about)),
        ("figures", () if found is None else _sections.figures(about, found)), ("nearest", _sections.nearby(about)), ("stream", _sections.stream(about)),
        ("by_label", _sections.labelled(about)), ("card", _card.card(about))]
    sections = [Section(words[name], blocks) for name, some in parts if (blocks := list(some))]
    family = family_of(words, registry.name_of("families", model.body.family))
    write(Path(out), _card.title(words, model), words["lead"].format(version=__version__, family=family), sections, words["html"])
    return Reported(Path(out), tuple(s.title for s in sections), found)


def _data(model: Model, against: Any) -> Dataset[Any]:
    """Real items: the test items of a dataset, or held-out items as they are."""
    if not isinstance(against, Dataset):
        items = native(model.modality, against)
        return Dataset(model.modality, items, {"test": torch.arange(len(items))})
    return against if "test" in against.splits and "train" not in against.splits else split_dataset(against)
