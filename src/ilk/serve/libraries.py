"""Libraries of the workspace: folders that `ilk index` makes, each somebody's."""
from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ilk.errors import IlkError, UsageError
from ilk.files import atomic
from ilk.serve.caller import Caller
from ilk.serve.place import Workspace
from ilk.serve.work import Missing

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
AROUND = 400   # characters told before and after a span, unless others are asked for


class Taken(UsageError):
    """Somebody else's has the name."""

    exit, http, kind, default = 2, 409, "conflict", "NAME_TAKEN"


class Libraries:
    """What libraries there are and whose. A library that nobody claimed is the admin's.

    >>> import tempfile
    >>> libraries = Libraries(Workspace.at(tempfile.mkdtemp()))
    >>> _ = libraries.claim("notes", Caller("me", frozenset()))
    >>> libraries.owner("notes")
    'me'
    """

    def __init__(self, place: Workspace) -> None:
        self.place = place

    def claim(self, name: str, caller: Caller) -> Path:
        """The folder of theirs of that name, whether or not there is a library in it yet; Taken (409) where it is another's."""
        if not NAME.fullmatch(name):
            raise UsageError(f"{name[:80]!r} is no name of a library", code="NAME", param="name", remedy="letters, digits, _ . and -, at most 64")
        at, own = self.place.inside("libraries", name), self._own(name)
        if (at.exists() or own.exists()) and not caller.owns(self.owner(name)):
            raise Taken(f"there is a library {name!r} already", param="name", remedy="another name")
        if not own.exists():
            with atomic(own) as file:
                file.write(json.dumps({"owner": caller.id}).encode())
        return at

    def path(self, name: str, caller: Caller) -> Path:
        """The folder of one that is there; Missing for any other, and for another's."""
        if not NAME.fullmatch(name) or not (at := self.place.inside("libraries", name)).is_dir() or not caller.owns(self.owner(name)):
            raise Missing(f"no library {name[:80]!r}", code="library_not_found", param="library", remedy="GET /v1/libraries lists yours")
        return at

    def owner(self, name: str) -> str:
        """Whose it is; "" where nobody claimed it."""
        try:
            return str(json.loads(self._own(name).read_text(encoding="utf-8"))["owner"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def names(self, caller: Caller) -> Iterator[str]:
        """Theirs."""
        for at in sorted(self.place.part("libraries").iterdir()):
            if at.is_dir() and NAME.fullmatch(at.name) and caller.owns(self.owner(at.name)):
                yield at.name

    def remove(self, name: str, caller: Caller) -> None:
        """Takes it away; who reads it meanwhile still sees it whole."""
        at = self.path(name, caller)
        gone = self.place.part("temporary") / f"gone-{secrets.token_hex(8)}"
        at.rename(gone)
        self._own(name).unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)

    def _own(self, name: str) -> Path:
        return self.place.part("libraries") / f".{name}.json"


def create(at: Path) -> None:
    """An empty library; Taken (409) where there is one."""
    from ilk.rag.store import Library

    if at.exists():
        raise Taken(f"there is a library {at.name!r} already", param="name", remedy="use it, or delete it first")
    Library.create(at).close()


def told(at: Path) -> dict[str, Any]:
    """How many documents it has and what it knows them by; of one that can't be opened (yet), why."""
    from ilk.rag.store import Library

    try:
        with Library.open(at) as library:
            return {"documents": len(library), "embedder": library.embedder, "generation": library.generation, "problem": None}
    except IlkError as why:
        return {"documents": 0, "embedder": None, "generation": 0, "problem": why.message.replace(str(at), at.name)}


def documents(at: Path, after: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Some documents by name, and whether there are more."""
    from ilk.rag.store import Library

    with Library.open(at) as library:
        rows = library.rows("SELECT name, length(text), facts, notes FROM documents WHERE name > ? ORDER BY name LIMIT ?", after, limit + 1)
    return [{"name": name, "characters": size, "facts": json.loads(facts), "notes": json.loads(notes)} for name, size, facts, notes in rows[:limit]], len(rows) > limit


def span(at: Path, document: str, start: int, end: int, around: int) -> dict[str, Any]:
    """Characters `start` to `end` of a document, what stands around them, and the headings above them; Missing for one that is not there."""
    from ilk.rag.store import Library

    with Library.open(at) as library:
        if not library.rows("SELECT 1 FROM documents WHERE name = ?", document):
            raise Missing(f"no document {document[:80]!r}", code="document_not_found", param="document")
        found = library.document(document)
    if not 0 <= start <= end <= len(found.text):
        raise UsageError(f"{start} to {end} are no characters of {document[:80]!r}", code="SPAN", param="start", remedy=f"0 to {len(found.text)}")
    above = [s.title for s in found.sections if s.start <= start < s.end]
    return {"document": found.name, "start": start, "end": end, "text": found.text[start:end], "before": found.text[max(0, start - around):start],
            "after": found.text[end:end + around], "path": above, "characters": len(found.text)}
