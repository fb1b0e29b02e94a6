"""lineage: how files of items came about, kept beside them and found by what they hold."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from ilk import __version__
from ilk.errors import DataError, ModelError, printable
from ilk.files import atomic
from ilk.model import Model, identity
from ilk.store import parse_json

SUFFIX, MOST, DEEPEST = ".lineage.json", 10_000, 100   # of a record's name; items whose hashes are kept; steps that are gone back


@dataclass(frozen=True)
class Source:
    """A file that another was made of: its name then, its hash, and the hash of its record if it had one."""

    name: str
    sha256: str
    record: str | None = None


@dataclass(frozen=True)
class Record:
    """How a file came about: what was asked, of which model (its hash), with which seed, by whom (`ILK_BY`), from which files; hashes of its items."""

    file: str
    asked: tuple[str, ...]
    model: str | None = None
    seed: int | None = None
    by: str | None = None
    sources: tuple[Source, ...] = ()
    items: tuple[str, ...] = ()
    ilk: str = __version__

    @classmethod
    def read(cls, at: Path) -> tuple[Record, str]:
        """A record and its hash; ModelError if it is none."""
        data = at.read_bytes()
        try:
            facts = parse_json(data, at.name)
            sources = tuple(Source(str(s["name"]), str(s["sha256"]), s["record"]) for s in facts["sources"])
            texts = {k: tuple(map(str, facts[k])) for k in ("asked", "items")}
            return cls(str(facts["file"]), texts["asked"], facts["model"], facts["seed"], facts["by"], sources, texts["items"], str(facts["ilk"])), _hash(data)
        except (KeyError, TypeError) as why:
            raise ModelError(f"{at} is no record of a lineage: {type(why).__name__} {why}", code="LINEAGE") from None


@dataclass(frozen=True)
class Lineage:
    """A file, its record (None: nothing is known of it), and the lineages of the files that it was made of.

    `note` says what does not fit: a record or a file that is not as it was.
    """

    name: str
    sha256: str
    record: Record | None = None
    parents: tuple[Lineage, ...] = ()
    note: str = ""

    def __repr__(self) -> str:
        return printable("\n".join(self._lines(0)))

    def _lines(self, depth: int) -> Iterator[str]:
        indent = "   " * depth
        said = "given, not made here" if self.record is None else " ".join(self.record.asked)
        yield f"{indent}{'<- ' * bool(depth)}{self.name} ({self.sha256[:12]}): {said}{f'; {self.note}' if self.note else ''}"
        if self.record is not None:
            facts = (("model", (self.record.model or "")[:12]), ("seed", self.record.seed), ("by", self.record.by), ("ilk", self.record.ilk))
            yield f"{indent}   {', '.join(f'{k} {v}' for k, v in facts if v not in (None, ''))}"
        for parent in self.parents:
            yield from parent._lines(depth + 1)


def record(at: str | Path, asked: Sequence[str], model: Model | None = None, items: Any = None, seed: int | None = None, sources: Iterable[str | Path] = ()) -> Path:
    """Writes beside a file how it came about, whole or not at all, and says where.

    The same file asked for in the same way has the same record: no time is in it. `sources` are files it was made of, each with its own record if it has one.

    >>> import ilk, tempfile
    >>> from pathlib import Path
    >>> at = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = at.write_text("made")
    >>> ilk.record(at, ["by", "hand"]).name, ilk.lineage(at).record.asked
    ('a.txt.lineage.json', ('by', 'hand'))
    """
    at = Path(at)
    found = Record(content(at), tuple(asked), None if model is None else identity(model), seed, os.environ.get("ILK_BY") or None,
                   tuple(_source(Path(s)) for s in sources), () if items is None or len(items) > MOST else tuple(hashes(items)))
    to = at.with_name(at.name + SUFFIX)
    with atomic(to) as file:
        file.write(json.dumps(asdict(found), indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return to


def lineage(made: Any, among: Iterable[str | Path] = ()) -> Lineage:
    """The tree of a file, or of items in memory: what each was made of, back to what was given.

    Records are looked for in the file's folder and those of `among`, by content: a file that was renamed or copied is found. DataError where nothing
    is known of items in memory.
    """
    if isinstance(made, str | Path) and os.path.exists(made):
        at = Path(made)
        known = _Known([at.parent, *map(Path, among)])
        return known.tree(at.name, content(at), None, DEEPEST)
    if isinstance(made, str | Path):
        raise DataError(f"there is no file {str(made)[:200]}", code="NOT_FOUND", remedy="a file or folder of items, or items")
    known = _Known([*map(Path, among)] or [Path()])
    wanted = set(hashes(made))
    for found, _ in known.records:
        if wanted and wanted <= set(found.items):
            return known.tree("these items", found.file, None, DEEPEST)
    raise DataError("nothing is known of these items", code="NOT_FOUND", remedy="name the folders of records with `among`")


def hashes(items: Any) -> list[str]:
    """Of each item's content: a text's letters, a row's values by name, an array's numbers with their type and shape."""
    if hasattr(items, "iter_rows"):
        return [_hash(json.dumps(row, default=str, ensure_ascii=False).encode("utf-8", "backslashreplace")) for row in items.iter_rows(named=True)]
    if hasattr(items, "dtype"):
        return [_hash(f"{items.dtype}{items.shape[1:]}".encode() + item.tobytes()) for item in items]
    return [_hash(str(item).encode("utf-8", "surrogatepass")) for item in items]


class _Known:
    """All records of some folders."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.records: list[tuple[Record, str]] = []
        for at in (at for folder in dict.fromkeys(folders) for at in sorted(folder.glob(f"*{SUFFIX}"))):
            with suppress(ModelError, OSError):   # what is damaged tells nothing
                self.records.append(Record.read(at))

    def tree(self, name: str, file: str, wanted: str | None, deepest: int) -> Lineage:
        """The lineage of the file with this hash, by the record of that hash if there is one."""
        mine = [(r, h) for r, h in self.records if r.file == file]
        found, note = next(((r, "") for r, h in mine if h == wanted), (None, ""))
        if found is None and mine:
            found, note = mine[-1][0], "" if wanted is None else "its record is not the one it was made from"
        if found is None and wanted is not None:
            note = "it had a record, which is not here"
        parents = () if found is None or not deepest else tuple(self.tree(s.name, s.sha256, s.record, deepest - 1) for s in found.sources)
        return Lineage(name, file, found, parents, note)


def _source(at: Path) -> Source:
    mine = content(at)
    beside = [h for r, h in _Known([at.parent]).records if r.file == mine]
    return Source(at.name, mine, beside[-1] if beside else None)


def content(at: Path) -> str:
    """The hash of a file; of a folder, that of the names and hashes of the files in it. DataError if it can't be read."""
    try:
        if at.is_dir():
            return _hash("".join(f"{content(p)}  {p.relative_to(at).as_posix()}\n" for p in sorted(at.rglob("*")) if p.is_file()).encode("utf-8", "surrogateescape"))
        with open(at, "rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as why:
        raise DataError(f"{at} can't be read: {why.strerror}", code="NOT_FOUND") from None


def is_own(at: Path) -> bool:
    """Whether a folder is a model or a taste, rather than items."""
    return (at / "ilk.json").exists() or (at / "taste.json").exists()


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()
