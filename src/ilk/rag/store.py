"""A library: documents and their passages in one SQLite file, found by their words and by nearness of meaning.

Readers see a whole generation or the next one, never a half: all that an ingest makes is put aside first and becomes the next generation in one transaction.
"""
from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilk import recipe, registry
from ilk.backend import embedder_at
from ilk.chat import Embeds, Vectors
from ilk.errors import DataError, IlkError, UsageError, nearest
from ilk.reader import Document, Fact, Section
from ilk.rules import Test, parse
from ilk.vectors import FILE, Nearest, VectorIndex

from ._tables import made, opened, troubled
from .words import words

if TYPE_CHECKING:
    from .writing import Writing

Where = str | Sequence[Test] | None
Found = list[tuple[int, float]]   # ids of passages with a score, best first
MOST_WORDS = 200                  # different words of a question that are looked up
_PASSAGES = """SELECT p.id, d.name, p.start, p.stop, substr(d.text, p.start + 1, p.stop - p.start), p.section, p.position, d.facts, d.sections
               FROM passages p JOIN documents d ON d.id = p.document WHERE """


@dataclass(frozen=True)
class Passage:
    """Characters `start` to `end` of a document's text. `path` are the headings it stands under, `position` counts the passages of its document."""

    id: int
    document: str
    start: int
    end: int
    text: str
    path: tuple[str, ...]
    section: int
    position: int
    facts: Mapping[str, Fact]


class Library:
    """A folder of documents to look things up in; `Library.create` makes one, `Library.open` opens it.

    >>> import tempfile
    >>> library = Library.create(Path(tempfile.mkdtemp()) / "library")
    >>> library.add([Document("moon", "Moonlight before my bed."), Document("sea", "The sea is wide."), Document("hill", "A hill, a mill.")])
    >>> [(passage, score)] = library.lexical("Moonlight?", 1)
    >>> library.passages([passage])[0].text
    'Moonlight before my bed.'
    """

    def __init__(self, at: Path, db: sqlite3.Connection, embedder: Embeds | None) -> None:
        self.at, self.db = at, db
        self._embedder, self._lock, self._depth = embedder, threading.RLock(), 0
        self._near: tuple[int, Nearest] | None = None
        self._facts: tuple[int, list[tuple[int, dict[str, Fact]]]] = (-1, [])

    @classmethod
    def create(cls, at: str | Path, embedder: Embeds | None = None, kind: VectorIndex | None = None, size: int = 1000, overlap: int = 0) -> Library:
        """An empty library. Without an embedder it knows words only; passages have at most `size` characters, `overlap` of them shared with the one before."""
        at = Path(at)
        if (at / FILE).exists():
            raise UsageError(f"there is a library in {at}", code="LIBRARY_EXISTS", param="out", remedy="open it, or choose another folder")
        if not 0 <= overlap < size or size < 50:
            raise UsageError(f"passages of {size} characters with {overlap} shared", code="SIZE", param="size", remedy="50 or more, and fewer shared than that")
        index = recipe.facts("indexes", kind or registry.get("indexes", "exact")())
        made(at, {"embedder": embedder and embedder.name, "numbers": embedder.size if embedder else 0, "index": index, "size": size, "overlap": overlap})
        library = cls.open(at, embedder)
        try:
            if embedder is not None:
                library.open_index().close()
        except IlkError:
            library.close()
            for part in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
                (at / part).unlink(missing_ok=True)
            raise
        return library

    @classmethod
    def open(cls, at: str | Path, embedder: Embeds | None = None) -> Library:
        """The library in a folder. UsageError if there is none, or if `embedder` is not the one that it was built with."""
        library = cls(Path(at), opened(Path(at)), embedder)
        was = library.embedder, library.numbers
        if embedder is not None and (embedder.name, embedder.size) != was:
            library.close()
            raise UsageError(f"the library in {at} was built with {_named(*was)}, not with {_named(embedder.name, embedder.size)}",
                             code="EMBEDDER", param="embedder", remedy="ask with that one, or index the files anew into another folder")
        return library

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files."""
        if self._near is not None:
            self._near[1].close()
        self._near = None
        self.db.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside is of one generation, whatever others write meanwhile."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1 and not self.db.in_transaction:
                    self.db.execute("BEGIN")
                yield
            except sqlite3.DatabaseError as why:
                raise troubled(self.at, why) from None
            finally:
                self._depth -= 1
                if self._depth == 0 and self.db.in_transaction:
                    self.db.execute("COMMIT")

    def rows(self, query: str, *given: object) -> list[Any]:
        """What an SQL query finds."""
        with self.reading():
            return self.db.execute(query, given).fetchall()

    def meta(self, name: str) -> Any:
        """A fact of the library itself."""
        return json.loads(self.rows("SELECT value FROM meta WHERE name = ?", name)[0][0])

    @property
    def generation(self) -> int:
        """How often the library was changed."""
        return int(self.meta("generation"))

    @property
    def embedder(self) -> str | None:
        """The name of what made its vectors; None if it has none."""
        name: str | None = self.meta("embedder")
        return name

    @property
    def numbers(self) -> int:
        """How many numbers a vector has."""
        return int(self.meta("numbers"))

    def __len__(self) -> int:
        return int(self.rows("SELECT count(*) FROM documents")[0][0])

    @property
    def names(self) -> list[str]:
        """The names of its documents."""
        return [r[0] for r in self.rows("SELECT name FROM documents ORDER BY name")]

    def document(self, name: str) -> Document:
        """A document as it is kept; DataError if there is none of that name."""
        found = self.rows("SELECT name, text, sections, facts, notes FROM documents WHERE name = ?", name)
        if not found:
            raise DataError(f"the library has no document {name!r}", code="NOT_FOUND")
        name, text, sections, facts, notes = found[0]
        return Document(name, text, tuple(Section(*s) for s in json.loads(sections)), json.loads(facts), tuple(json.loads(notes)))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of texts by the embedder that the library was built with; UsageError if there was none."""
        if self.embedder is None:
            raise UsageError(f"the library in {self.at} has no vectors", code="NO_VECTORS", remedy="search it by words, or index it anew with --embedder")
        if self._embedder is None:
            self._embedder = embedder_at(self.embedder)
        return self._embedder.embed(texts)

    def lexical(self, query: str, k: int, where: Where = None) -> Found:
        """The k passages that share the most telling words with a text (BM25), with their scores, higher is better."""
        asked = list(dict.fromkeys(words(query)))[:MOST_WORDS]
        if not asked:
            return []
        with self.reading():
            kept = "" if where is None else "AND p.document IN (SELECT value FROM json_each(?))"
            given = () if where is None else (json.dumps(self._obeying(where)),)
            return [(i, -rank) for i, rank in self.rows(
                f"SELECT p.id, bm25(words) AS rank FROM words JOIN passages p ON p.row = words.rowid WHERE words MATCH ? {kept} ORDER BY rank, p.id LIMIT ?",
                " OR ".join(f'"{w}"' for w in asked), *given, k)]

    def nearest(self, vectors: Vectors, k: int, where: Where = None) -> list[Found]:
        """For each vector the k passages nearest to it, with inner products. What others have removed or not finished yet is passed over."""
        with self.reading():
            index = self._index()
            among = None if where is None else np.array([r[0] for r in self.rows(
                "SELECT id FROM passages WHERE document IN (SELECT value FROM json_each(?))", json.dumps(self._obeying(where)))], np.int64)
            take = k
            while True:
                keys, products = index.search(vectors, take, among)
                there = {r[0] for r in self.rows("SELECT id FROM passages WHERE id IN (SELECT value FROM json_each(?))", json.dumps(np.unique(keys).tolist()))}
                found = [[(int(i), float(p)) for i, p in zip(*row, strict=True) if int(i) in there][:k] for row in zip(keys, products, strict=True)]
                if take >= len(index) or all(len(f) == k for f in found):
                    return found
                take *= 2

    def _index(self) -> Nearest:
        """The index of vectors as of this generation."""
        if self.embedder is None:
            self.embed(())
        if self._near is None or self._near[0] != self.generation:
            if self._near is not None:
                self._near[1].close()
            self._near = self.generation, self.open_index()
        return self._near[1]

    def is_kind(self, kind: VectorIndex) -> bool:
        """Whether its vectors are kept in this kind of index, with these options."""
        return bool(self.meta("index") == recipe.facts("indexes", kind))

    def open_index(self) -> Nearest:
        """The index of vectors, newly opened."""
        kind: VectorIndex = recipe.from_facts("indexes", self.meta("index"))
        return kind.open(self.at, self.numbers)

    def _obeying(self, where: Where) -> list[int]:
        """The documents whose facts obey a rule; one that lacks a fact obeys only `== None`."""
        tests = parse(where) if isinstance(where, str) else tuple(where or ())
        if self._facts[0] != self.generation:
            self._facts = self.generation, [(i, json.loads(facts)) for i, facts in self.rows("SELECT id, facts FROM documents")]
        known = {name for _, facts in self._facts[1] for name in facts}
        if self._facts[1] and (odd := [t.part for t in tests if t.part not in known]):
            raise UsageError(f"no document has a fact {odd[0]!r}", code="NO_FACT", param="where", remedy=nearest(odd[0], sorted(known)[:50]))
        return [i for i, facts in self._facts[1] if all(t.holds(facts.get(t.part)) for t in tests)]

    def passages(self, ids: Sequence[int]) -> list[Passage]:
        """Passages by their ids, in that order; those that are not there (any more) are left out."""
        found = {p.id: p for p in self._of(_PASSAGES + "p.id IN (SELECT value FROM json_each(?))", json.dumps([int(i) for i in ids]))}
        return [found[i] for i in ids if i in found]

    def _of(self, query: str, *given: object) -> list[Passage]:
        return [Passage(i, name, start, end, text, _path(json.loads(sections), section), section, position, json.loads(facts))
                for i, name, start, end, text, section, position, facts, sections in self.rows(query, *given)]

    def neighbours(self, id: int, n: int = 1) -> list[Passage]:
        """A passage with up to n before and n after it in its document, in their order; [] if it is not there."""
        return self._of(_PASSAGES + """EXISTS (SELECT 1 FROM passages q WHERE q.id = ? AND q.document = p.document AND abs(q.position - p.position) <= ?)
                                       ORDER BY p.position""", id, n)

    def parent(self, id: int, most: int = 4000) -> list[Passage]:
        """The passages of the section that a passage stands in, in their order: those nearest around it that have together at most `most` characters."""
        section = self._of(_PASSAGES + """EXISTS (SELECT 1 FROM passages q WHERE q.id = ? AND q.document = p.document AND q.section = p.section)
                                          ORDER BY p.position""", id)
        return _around(section, id, most)

    def cited(self, document: str, start: int, end: int) -> str:
        """Characters `start` to `end` of a document as it is kept; DataError (code CITATION) for a document or a stretch that there is not."""
        found = self.rows("SELECT substr(text, ? + 1, ?), length(text) FROM documents WHERE name = ?", start, end - start, document)
        if not found or not 0 <= start < end <= found[0][1]:
            raise DataError(f"nothing stands at {start}:{end} of {document!r}", code="CITATION", remedy="the document may have been changed or removed")
        text: str = found[0][0]
        return text

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A change of the library: nothing of it is seen before `publish`. ResourceError (code BUSY) while somebody else is at it."""
        from .writing import Writing, locked

        with locked(self.at):
            try:
                with closing(Writing(self)) as writing:
                    yield writing
            except sqlite3.DatabaseError as why:
                raise troubled(self.at, why) from None

    def add(self, documents: Sequence[Document]) -> None:
        """Takes documents in, as the next generation; one of the same name replaces the old one, one with the same text as another is left out."""
        with self.writing() as writing:
            writing.discard()
            writing.drop(sorted({d.name for d in documents} & set(self.names)))
            for document in documents:
                writing.put(document)
            writing.publish()

    def remove(self, names: Sequence[str]) -> None:
        """Takes documents out, by their names or by the file they came from; DataError for one that there is not, and then none is removed."""
        with self.writing() as writing:
            writing.discard()
            writing.drop(names)
            writing.publish()
            writing.sweep()


def _named(name: str | None, size: int) -> str:
    return "no embedder" if name is None else f"{name} ({size} numbers)"


def _path(sections: list[list[Any]], section: int) -> tuple[str, ...]:
    """The titles above a section and its own: each the last before it of a higher level."""
    titles: list[str] = []
    level = 1 << 30
    for title, its, start, end in reversed(sections[:section + 1]):
        if its < level and start <= sections[section][2] < end:
            titles.append(title)
            level = its
    return tuple(reversed(titles))


def _around(passages: list[Passage], id: int, most: int) -> list[Passage]:
    """A run of passages that holds one of them, grown to both sides in turn."""
    at = next((i for i, p in enumerate(passages) if p.id == id), None)
    if at is None:
        return []
    first, last, size = at, at, len(passages[at].text)
    while True:
        sides = [i for i in (first - 1, last + 1) if 0 <= i < len(passages) and size + len(passages[i].text) <= most]
        if not sides:
            return passages[first:last + 1]
        side = min(sides, key=lambda i: abs(i - at))
        size += len(passages[side].text)
        first, last = min(first, side), max(last, side)
