"""Entries of WordNet as documents, and their definitions in other words as questions."""
from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from ilk.backend import EMBEDDER, embedder_at
from ilk.catalogue.load import texts
from ilk.chat import Embeds, Vectors
from ilk.rag.store import Library
from ilk.reader import Document
from ilk.rng import Rng

PROTOCOL = ("documents are whole entries of WordNet 3.0 (terms, part of speech, definition, examples) whose definition has four words or more besides the terms; a query is "
            "the definition of an entry without its terms, every word of four letters or more that has a synonym replaced by the first one listed with chance one half")


@dataclass(frozen=True)
class Entry:
    """A meaning: its text, its terms, its definition without them."""

    text: str
    terms: tuple[str, ...]
    about: tuple[str, ...]


class Remembers:
    """An embedder that makes the vector of a text once."""

    def __init__(self, of: Embeds) -> None:
        self.of, self.name, self.size = of, of.name, of.size
        self.known: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors, (n, size)."""
        new = [t for t in dict.fromkeys(texts) if t not in self.known]
        if new:
            self.known.update(zip(new, self.of.embed(new), strict=True))
        return np.stack([self.known[t] for t in texts]) if texts else np.zeros((0, self.size), np.float32)


def entries(seed: int, part: str = "test") -> list[Entry]:
    """Entries in an order drawn anew: the half that recipes are judged on, or (`part` "train") the other half, which they were chosen on."""
    mine = [text for text in texts("wordnet")["all"] if (crc32(text.encode()) % 2 == 0) == (part == "train")]
    found = [_entry(mine[i]) for i in Rng(seed).child("entries").shuffle(len(mine)).tolist()]
    return [entry for entry in found if len(entry.about) >= 4]


def _entry(text: str) -> Entry:
    head, _, gloss = text.partition("): ")
    terms = tuple(head.rpartition(" (")[0].split(", "))
    own = {word for term in terms for word in _words(term)}
    return Entry(text, terms, tuple(w for w in _words(re.split(r';?\s*"', gloss)[0]) if w not in own))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9'-]+", text.lower())


def synonyms() -> dict[str, str]:
    """For each word the first other one that WordNet lists beside it."""
    found: dict[str, str] = {}
    for text in texts("wordnet")["all"]:
        single = [t for t in _entry(text).terms if " " not in t]
        for term in single:
            other = next((t for t in single if t.lower() != term.lower()), None)
            if other is not None:
                found.setdefault(term.lower(), other)
    return found


def questions(asked: Sequence[Entry], seed: int) -> list[str]:
    """A definition each, in other words."""
    other = synonyms()
    noise = Rng(seed).child("synonyms").uniform(len(asked), max(len(e.about) for e in asked)).tolist()
    return [" ".join(other.get(w, w) if len(w) >= 4 and u < 0.5 else w for w, u in zip(entry.about, row, strict=False)) for entry, row in zip(asked, noise, strict=True)]


def shelved(documents: Sequence[Entry], embedder: Embeds) -> Library:
    """A library of entries, each named by its place."""
    library = Library.create(Path(tempfile.mkdtemp()) / "library", embedder)
    vectors = embedder.embed([e.text for e in documents])
    with library.writing() as writing:
        for n, (entry, vector) in enumerate(zip(documents, vectors, strict=True)):
            writing.put(Document(str(n), entry.text), vectors=vector[None] if len(writing.spans(Document(str(n), entry.text))) == 1 else None)
        writing.publish()
    return library


def embedder() -> Remembers:
    """The small English one of the catalogue."""
    return Remembers(embedder_at(EMBEDDER))
