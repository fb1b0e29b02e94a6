"""How a library changes: what is new is put aside until it is published whole, under a lock that a dead process does not hold."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilk.chat import Vectors
from ilk.errors import DataError, ResourceError
from ilk.files import not_written
from ilk.reader import Document
from ilk.vectors import Keys

from ._tables import opened
from .split import Span, split
from .words import words

if TYPE_CHECKING:
    from .store import Library

LOCK = ".ingest.lock"
_STEP = 200   # documents whose vectors are handed to the index at a time


@contextmanager
def locked(at: Path) -> Iterator[None]:
    """Holds the right to change a library; ResourceError (code BUSY) if another process has it."""
    import fcntl

    try:
        file = open(at / LOCK, "a+")  # noqa: SIM115 - held below
    except OSError as why:
        raise not_written(at / LOCK, why) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ResourceError(f"another ingest (process {file.read(20).strip() or '?'}) is changing the library in {at}", code="BUSY",
                                remedy="wait until it is done; what is there can be asked meanwhile") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def digest(text: str) -> str:
    """The hash of a text as it is kept; DataError for one that no file can hold."""
    if "\0" in text:
        raise DataError("there are zero characters in it", code="BINARY", remedy="is it a text at all?")
    try:
        return hashlib.sha256(text.encode("utf-8")).hexdigest()
    except UnicodeEncodeError:
        raise DataError("there are halves of characters (surrogates) in it", code="ENCODING") from None


def _facts(document: Document) -> str:
    """A document's facts as JSON; DataError for what that can't hold."""
    try:
        return json.dumps(dict(document.facts), allow_nan=False)
    except (TypeError, ValueError) as why:
        raise DataError(f"a fact of {document.name!r} is no text, number or truth: {why}", code="FACTS") from None


def passage_id(sha: str, span: Span) -> int:
    """The id of a passage, 63 bits: the same stretch of the same text always has the same one."""
    return int.from_bytes(hashlib.sha256(f"{sha}:{span.start}:{span.end}".encode()).digest()[:8], "big") >> 1


class Writing:
    """One change of a library, see `Library.writing`."""

    def __init__(self, library: Library) -> None:
        self.library, self.db = library, opened(library.at)
        self.dropped: set[int] = set()
        self.files: set[str] = set()
        self.size, self.overlap = library.meta("size"), library.meta("overlap")
        self.sweep()

    def close(self) -> None:
        """Lets go of the file."""
        self.db.close()

    def _do(self, query: str, *given: object) -> list[Any]:
        return self.db.execute(query, given).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is done inside."""
        self._do("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._do("ROLLBACK")
            raise
        self._do("COMMIT")

    def sweep(self) -> None:
        """Takes vectors out of the index whose passages are gone, or never came to be."""
        gone = [i for i, in self._do("SELECT id FROM stale WHERE id NOT IN (SELECT id FROM passages)")]
        if gone:
            index = self.library.open_index()
            index.remove(gone)
            index.save()
            index.close()
        self._do("DELETE FROM stale")

    def discard(self, but: Mapping[str, str] | None = None) -> set[str]:
        """Throws away what an ingest that was cut short has put aside, but for files with these hashes; returns the names of those kept."""
        kept = {name for name, sha in self._do("SELECT name, sha FROM staged_files") if (but or {}).get(name) == sha}
        with self.transaction():
            self._do("DELETE FROM staged WHERE file NOT IN (SELECT value FROM json_each(?))", json.dumps(sorted(kept)))
            self._do("DELETE FROM staged_files WHERE name NOT IN (SELECT value FROM json_each(?))", json.dumps(sorted(kept)))
        return kept

    def twin(self, name: str, sha: str) -> str | None:
        """Another document with the same text, if there is one that stays."""
        found = [r[1] for r in self._do("SELECT id, name FROM documents WHERE sha = ? AND name != ?", sha, name) if r[0] not in self.dropped]
        found += [r[0] for r in self._do("SELECT name FROM staged WHERE sha = ? AND name != ?", sha, name)]
        return found[0] if found else None

    def sketches(self) -> list[tuple[str, bytes]]:
        """Names and sketches of the documents that stay."""
        rows = self._do("SELECT id, name, sketch FROM documents WHERE sketch != x'' UNION ALL SELECT -1, name, sketch FROM staged WHERE sketch != x''")
        return [(name, blob) for i, name, blob in rows if i not in self.dropped]

    def text(self, name: str) -> str:
        """The text of a document that was put aside or is there."""
        found = self._do("SELECT text FROM staged WHERE name = ?1 UNION ALL SELECT text FROM documents WHERE name = ?1", name)
        return str(found[0][0]) if found else ""

    def staged_file(self, name: str) -> tuple[str, str]:
        """Status and note of a file that was put aside."""
        status, note = self._do("SELECT status, note FROM staged_files WHERE name = ?", name)[0]
        return status, note

    def spans(self, document: Document) -> list[Span]:
        """The passages that a document is divided into."""
        return split(document, self.size, self.overlap)

    def put(self, document: Document, file: str = "", vectors: Vectors | None = None, sketch: bytes = b"", spans: Sequence[Span] | None = None) -> str | None:
        """Puts a document aside, with its passages and their vectors (made here if they are not given). Returns the name of its twin if it has one, and leaves it out."""
        sha, _ = digest(document.text), digest(document.name)
        if (twin := self.twin(document.name, sha)) is not None:
            return twin
        spans = self.spans(document) if spans is None else spans
        if vectors is None and spans and self.library.embedder is not None:
            vectors = self.library.embed([document.text[s.start:s.end] for s in spans])
        blob = b"" if vectors is None else np.ascontiguousarray(vectors, np.float32).tobytes()
        self._do("INSERT OR REPLACE INTO staged VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", document.name, file, sha, document.text,
                 json.dumps([astuple(s) for s in document.sections]), _facts(document), json.dumps(document.notes), sketch,
                 json.dumps([astuple(s) for s in spans]), blob)
        return None

    def file(self, name: str, sha: str, status: str, note: str = "") -> None:
        """Notes how a file was taken."""
        self._do("INSERT OR REPLACE INTO staged_files VALUES (?, ?, ?, ?)", name, sha, status, note)

    def drop(self, names: Sequence[str]) -> None:
        """Marks documents to be taken out, by their names or by the file they came from; DataError for one that there is not."""
        for name in names:
            found = self._do("SELECT id FROM documents WHERE name = ?1 OR file = ?1", name)
            if not found and not self._do("SELECT 1 FROM files WHERE name = ?", name):
                raise DataError(f"the library has no document {name!r}", code="NOT_FOUND")
            self.dropped |= {i for i, in found}
            self.files.add(name)

    def publish(self) -> None:
        """Makes all that was put aside the next generation, at once; nothing where nothing changed."""
        if not self.dropped and not self.files and not self._do("SELECT 1 FROM staged UNION SELECT 1 FROM staged_files"):
            return
        self._vectors()
        with self.transaction():
            self._take_out()
            for row in self.db.execute("SELECT name, file, sha, text, sections, facts, notes, sketch, spans FROM staged ORDER BY rowid"):
                self._take_in(row)
            self._do("DELETE FROM files WHERE name IN (SELECT value FROM json_each(?))", json.dumps(sorted(self.files)))
            self._do("INSERT OR REPLACE INTO files SELECT * FROM staged_files")
            self._do("DELETE FROM staged")
            self._do("DELETE FROM staged_files")
            self._do("DELETE FROM stale WHERE id IN (SELECT id FROM passages)")
            self._do("UPDATE meta SET value = value + 1 WHERE name = 'generation'")
        self.dropped, self.files = set(), set()

    def _vectors(self) -> None:
        """Hands new vectors to the index, noting beforehand which, so that they are taken out again if the change never comes about."""
        if self.library.embedder is None:
            return
        index = self.library.open_index()
        for at in range(0, self._do("SELECT coalesce(max(rowid), 0) FROM staged")[0][0], _STEP):
            keys, vectors = self._step(at)
            with self.transaction():
                self.db.executemany("INSERT OR IGNORE INTO stale VALUES (?)", [(k,) for k in keys.tolist()])
            index.add(keys, vectors)
        index.save()
        index.close()

    def _step(self, after: int) -> tuple[Keys, Vectors]:
        """Keys and vectors of some of what was put aside."""
        rows = self._do("SELECT sha, spans, vectors FROM staged WHERE rowid > ? AND rowid <= ?", after, after + _STEP)
        keys = [passage_id(sha, Span(*s)) for sha, spans, _ in rows for s in json.loads(spans)]
        return np.array(keys, np.int64), np.frombuffer(b"".join(r[2] for r in rows), np.float32).reshape(len(keys), self.library.numbers)

    def _take_out(self) -> None:
        """Old versions of what was put aside, documents that their files no longer hold, and what was dropped."""
        old = self._do("SELECT id FROM documents WHERE name IN (SELECT name FROM staged) OR file IN (SELECT name FROM staged_files)")
        gone = json.dumps(sorted({*self.dropped, *(i for i, in old)}))
        mine = "document IN (SELECT value FROM json_each(?))"
        self._do(f"INSERT OR IGNORE INTO stale SELECT id FROM passages WHERE {mine}", gone)
        self._do(f"DELETE FROM words WHERE rowid IN (SELECT row FROM passages WHERE {mine})", gone)
        self._do(f"DELETE FROM passages WHERE {mine}", gone)
        self._do("DELETE FROM documents WHERE id IN (SELECT value FROM json_each(?))", gone)

    def _take_in(self, row: Sequence[Any]) -> None:
        name, file, sha, text, sections, facts, notes, sketch, spans = row
        document = self.db.execute("INSERT INTO documents VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", (name, file, sha, text, sections, facts, notes, sketch)).lastrowid
        for position, span in enumerate(Span(*s) for s in json.loads(spans)):
            key = self.db.execute("INSERT INTO passages VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                                  (passage_id(sha, span), document, position, span.start, span.end, span.section)).lastrowid
            self.db.execute("INSERT INTO words (rowid, tokens) VALUES (?, ?)", (key, " ".join(words(text[span.start:span.end]))))
