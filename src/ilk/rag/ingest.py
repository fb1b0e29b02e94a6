"""index: files of any format into a library, only what changed, as one new generation."""
from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from ilk import registry
from ilk.backend import embedder_at
from ilk.chat import Embeds, Vectors
from ilk.errors import DataError, IlkError, UsageError
from ilk.modality import Limits
from ilk.reader import Document, Reader
from ilk.run import Began, Ended, Event, Progress
from ilk.vectors import FILE, VectorIndex

from ._alike import Sketches, alike, runs, sketch
from .split import Span
from .store import Library
from .writing import Writing, digest

DOCUMENTS = Limits(bytes=256 << 20, unpacked=256 << 20, entries=10_000, items=1_000_000)
_BATCH = 256   # passages whose vectors are made at a time


@dataclass(frozen=True)
class Taken:
    """How a file was taken: new, changed, unchanged, removed, duplicate (all of it is in another document), failed or skipped (no format that is read here)."""

    file: str
    status: str
    note: str = ""


@dataclass(frozen=True)
class Indexed:
    """What an ingest did, file by file, and what the library holds now."""

    files: tuple[Taken, ...]
    generation: int
    documents: int
    passages: int
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """How many files of each status."""
        found: dict[str, int] = {}
        for taken in self.files:
            found[taken.status] = found.get(taken.status, 0) + 1
        return found


@dataclass(frozen=True)
class Rules:
    """How files are taken: documents that are at least `near` alike are kept once (None: only equal texts are), and nothing beyond the limits is read."""

    near: float | None = 0.9
    limits: Limits = DOCUMENTS


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How documents are divided: passages of at most `size` characters that share `overlap` of them with the one before."""

    size: int = 1000
    overlap: int = 0


def index(paths: Sequence[str | Path] | str | Path, to: str | Path, embedder: str | Embeds | None = None, kind: VectorIndex | None = None, cut: Cut = Cut(),
          rules: Rules = Rules(), listeners: Sequence[object] = ()) -> Indexed:
    """Takes files and folders into the library in the folder `to`, which is made if there is none; `embedder` finds by meaning, without one only words are looked up.

    Files that did not change are not read again; those that are gone from a folder are taken out. Readers of the library see nothing before all of it is there;
    an ingest that was cut short goes on where it stopped. One embedder for good: another one is refused (UsageError, code EMBEDDER).

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "poem.txt").write_text("Moonlight before my bed.")
    >>> index(folder, folder / "library").counts
    {'new': 1}
    """
    began = time.monotonic()
    asked = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    with _library(Path(to), embedder, kind, cut) as library, library.writing() as writing:
        _check_same(library, embedder, kind)
        ingest = _Ingest(library, writing, rules, [one for one in listeners if callable(one)])
        files = ingest.take(dict(_files(asked, Path(to))), asked)
        passages = library.rows("SELECT count(*) FROM passages")[0][0]
        return Indexed(tuple(files), library.generation, len(library), passages, time.monotonic() - began)


def _library(at: Path, embedder: str | Embeds | None, kind: VectorIndex | None, cut: Cut) -> Library:
    """The library that there is, or a new one."""
    made = embedder_at(embedder) if isinstance(embedder, str) and embedder != "none" else None if isinstance(embedder, str) else embedder
    return Library.open(at, made) if (at / FILE).exists() else Library.create(at, made, kind, cut.size, cut.overlap)


def _check_same(library: Library, embedder: str | Embeds | None, kind: VectorIndex | None) -> None:
    """Refuses what the library was not built with."""
    if embedder == "none" and library.embedder is not None:
        raise UsageError(f"the library in {library.at} was built with {library.embedder}, not without vectors", code="EMBEDDER", param="embedder",
                         remedy="index into another folder")
    if kind is not None and not library.is_kind(kind):
        raise UsageError(f"the library in {library.at} was built with another index", code="INDEX_KIND", param="kind", remedy="index into another folder")


def _files(paths: Sequence[Path], to: Path) -> Iterator[tuple[str, Path]]:
    """Files by the names they get: as they are asked for, folders in order, without hidden ones and the library itself."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no {path}", code="NOT_FOUND", param="paths")
        if not path.is_dir():
            yield _name(path), path
            continue
        for folder, inside, files in os.walk(path):
            inside[:] = sorted(d for d in inside if not d.startswith(".") and (Path(folder) / d).resolve() != to.resolve())
            yield from ((_name(Path(folder) / f), Path(folder) / f) for f in sorted(files) if not f.startswith("."))


def _name(path: Path) -> str:
    """A path as a text that any file can hold, whatever bytes it is made of."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


@cache
def formats() -> Mapping[str, str]:
    """Readers by the suffixes of files."""
    return {suffix: name for name in registry.names("readers") for suffix in registry.get("readers", name).suffixes}


def documents(name: str, data: bytes, limits: Limits = DOCUMENTS) -> Sequence[Document]:
    """The documents in a file by its name's suffix; DataError for a format that is not read (code FORMAT), and for what its reader refuses."""
    suffix = Path(name).suffix.lower()
    if suffix not in formats():
        raise DataError(f"no reader for files of {suffix}", code="FORMAT")
    reader: Reader = registry.get("readers", formats()[suffix])()
    try:
        return reader.read(name, data, limits)
    except (RecursionError, MemoryError) as why:
        raise DataError(f"too large or nested too deep: {type(why).__name__}", code="TOO_LARGE") from None


@dataclass
class _Waiting:
    """Documents whose vectors are still to be made, and the files that are done with them."""

    rows: list[tuple[Document, str, list[Span], bytes]] = field(default_factory=list)
    files: list[tuple[str, str, str, str]] = field(default_factory=list)
    passages: int = 0


class _Ingest:
    def __init__(self, library: Library, writing: Writing, rules: Rules, listeners: Sequence[object]) -> None:
        self.library, self.writing, self.rules, self.listeners = library, writing, rules, listeners
        self.waiting, self.sketches = _Waiting(), Sketches()
        self.texts: dict[str, str] = {}   # hashes of texts that wait, and whose they are
        self.long: dict[str, Document] = {}
        self.known = {name: (sha, status, note) for name, sha, status, note in library.rows("SELECT name, sha, status, note FROM files")}

    def take(self, files: Mapping[str, Path], asked: Sequence[Path]) -> list[Taken]:
        """All files, then the next generation."""
        self._tell(Began("index", len(files)))
        start = time.monotonic()
        found = {name: self._hashed(path) for name, path in files.items()}
        kept = self.writing.discard({name: sha for name, sha in found.items() if isinstance(sha, str)})
        gone = [name for name in self.known if name not in files and any(_below(name, p) for p in asked)]
        fresh = [name for name, sha in found.items() if name in self.known and self.known[name][0] != sha]
        again = [name for name in files if self.known.get(name, ("", "", ""))[1] == "duplicate"] if gone or fresh else []
        self.writing.drop([*gone, *fresh, *again])
        self._remember()
        taken = []
        for i, (name, path) in enumerate(files.items(), 1):
            taken.append(self._file(name, path, found[name], kept, {*fresh, *again}))
            self._tell(Progress(i, i / len(files), None, time.monotonic() - start))
        self._flush()
        self.writing.publish()
        self._tell(Ended("index", len(files), time.monotonic() - start))
        return [*taken, *(Taken(name, "removed") for name in gone)]

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)  # type: ignore[operator]

    def _hashed(self, path: Path) -> str | DataError:
        """The hash of a file; why it can't be read otherwise."""
        try:
            if not path.is_file():
                return DataError("not a regular file", code="FORMAT")
            if (size := path.stat().st_size) > self.rules.limits.bytes:
                return DataError(f"too large: {size} bytes, the limit is {self.rules.limits.bytes}", code="TOO_LARGE", remedy="divide it")
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as why:
            return DataError(f"can't be read: {why.strerror or why}", code="UNREADABLE")

    def _remember(self) -> None:
        """Sketches of what is in the library already and stays."""
        if self.rules.near is not None:
            for name, blob in self.writing.sketches():
                self.sketches.add(name, blob)

    def _file(self, name: str, path: Path, sha: str | DataError, kept: set[str], again: set[str]) -> Taken:
        was = self.known.get(name)
        if name in kept:
            status, note = self.writing.staged_file(name)
            return Taken(name, status, note)
        if was is not None and was[0] == sha and name not in again and was[1] not in ("failed", "skipped"):
            return Taken(name, "duplicate" if was[1] == "duplicate" else "unchanged", was[2])
        if not isinstance(sha, str):
            return self._done(name, "", "failed", str(sha))
        try:
            found = documents(name, path.read_bytes(), self.rules.limits)
            status, note = self._documents(name, found, "new" if was is None else "changed")
        except (IlkError, OSError) as why:
            skipped = isinstance(why, IlkError) and why.code == "FORMAT"
            return self._done(name, sha, "skipped" if skipped else "failed", str(why))
        return self._done(name, sha, status, note)

    def _done(self, name: str, sha: str, status: str, note: str) -> Taken:
        if self.known.get(name) != (sha, status, note) or name in self.writing.files:
            self.waiting.files.append((name, sha, status, note))
        if self.waiting.passages >= _BATCH:
            self._flush()
        return Taken(name, status, note)

    def _documents(self, file: str, found: Sequence[Document], status: str) -> tuple[str, str]:
        """Puts the documents of a file in line; the file's status and what is to be said of it."""
        notes = dict.fromkeys(note for document in found for note in document.notes)
        twins: list[str] = []
        if not any(document.text.strip() for document in found):
            raise DataError("it has no text", code="EMPTY")
        for document in found:
            if (twin := self._twin(document, alone=len(found) == 1)) is not None:
                twins.append(twin)
            else:
                self._wait(document, file)
        if twins:
            other = [t for t in twins if not t.startswith(f"the same text as {file}#")]
            notes[f"{twins[0]}: kept once" if len(found) == 1 else f"{len(twins)} of {len(found)} records said twice, kept once"] = None
            status = "duplicate" if other else status
        return status, "; ".join(notes)

    def _twin(self, document: Document, alone: bool) -> str | None:
        """Why a document need not be kept."""
        sha = digest(document.text)
        if twin := self.texts.get(sha) or self.writing.twin(document.name, sha):
            return f"the same text as {twin}"
        self.texts[sha] = document.name
        if not alone or self.rules.near is None:
            return None
        mine = runs(document.text)
        blob = sketch(mine)
        for name in self.sketches.like(blob):
            share = alike(mine, runs(self.long[name].text if name in self.long else self.writing.text(name)))
            if share >= self.rules.near:
                del self.texts[sha]
                return f"{100 * share:.0f} % the same as {name}"
        self.sketches.add(document.name, blob)
        return None

    def _wait(self, document: Document, file: str) -> None:
        spans = self.writing.spans(document)
        blob = sketch(runs(document.text)) if self.rules.near is not None and document.name == file else b""
        if blob:
            self.long[document.name] = document
        self.waiting.rows.append((document, file, spans, blob))
        self.waiting.passages += len(spans)
        if self.waiting.passages >= 16 * _BATCH:   # a file of very many records
            self._flush()

    def _flush(self) -> None:
        """Makes the vectors of what waits and puts it aside."""
        waiting, self.waiting = self.waiting, _Waiting()
        vectors = self._embedded([d.text[s.start:s.end] for d, _, spans, _ in waiting.rows for s in spans])
        at = 0
        with self.writing.transaction():
            for document, file, spans, blob in waiting.rows:
                self.writing.put(document, file, None if vectors is None else vectors[at:at + len(spans)], blob, spans)
                at += len(spans)
            for row in waiting.files:
                self.writing.file(*row)
        self.texts, self.long = {}, {}

    def _embedded(self, texts: Sequence[str]) -> Vectors | None:
        if self.library.embedder is None:
            return None
        parts = [self.library.embed(texts[i:i + _BATCH]) for i in range(0, len(texts), _BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self.library.numbers), np.float32)


def _below(name: str, path: Path) -> bool:
    """Whether a file's name is this path or below it."""
    return _name(path) == "." or name == _name(path) or name.startswith(_name(path).rstrip("/") + "/")
