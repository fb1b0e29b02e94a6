"""Behind the command index."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ilk import recipe, registry
from ilk.console._shared import Answer
from ilk.errors import UsageError, printable
from ilk.progress import Progressing
from ilk.rag.ingest import Cut, Indexed, Rules, index
from ilk.rag.store import Library
from ilk.vectors import VectorIndex

MOST = 200   # files that are told one by one


def index_command(paths: Sequence[Path], out: Path, asked: Mapping[str, Any]) -> Answer:
    """Takes documents out, takes files in, and says how."""
    if not paths and not asked["remove"]:
        raise UsageError("no files to index", code="NO_FILES", param="paths", remedy="name files or folders, or documents to --remove")
    if not 0 < asked["near"] <= 1:
        raise UsageError(f"--near {asked['near']}", code="OPTION", param="near", remedy="above 0, and 1 at most")
    if asked["remove"]:
        with Library.open(out) as library:
            library.remove(asked["remove"])
    near = asked["near"] if asked["near"] < 1 else None
    with Progressing() as bar:
        found = index(paths, out, asked["embedder"], kind_of(asked["kind"]), Cut(size=asked["size"], overlap=asked["overlap"]), Rules(near), (bar,))
    with Library.open(out) as library:
        embedder = library.embedder
    answer = {"out": str(out), "embedder": embedder, "generation": found.generation, "documents": found.documents, "passages": found.passages,
              "seconds": found.seconds, "removed": list(asked["remove"]), "counts": found.counts,
              "files": [{"file": t.file, "status": t.status, "note": t.note} for t in found.files]}
    return answer, printable(_told(found, out, embedder))


def kind_of(said: str | None) -> VectorIndex | None:
    """A kind of index by its name and options."""
    if said is None:
        return None
    name, _, options = said.partition("?")
    made: VectorIndex = recipe.made(registry.get("indexes", registry.check("indexes", name)), dict(parse_qsl(options)))
    return made


def _told(found: Indexed, out: Path, embedder: str | None) -> str:
    told = [t for t in found.files if t.status != "unchanged"]
    rows = [f"{t.status:>9}  {t.file}{f': {t.note}' if t.note else ''}" for t in told[:MOST]]
    if len(told) > MOST:
        rows.append(f"and {len(told) - MOST} more (--json names all)")
    counts = ", ".join(f"{n} {status}" for status, n in found.counts.items())
    how = f"found by words and by {embedder}" if embedder else "found by words only"
    return "\n".join([*rows, f"{counts or 'no files'}; {out} holds {found.documents} documents in {found.passages} passages, {how}"])
