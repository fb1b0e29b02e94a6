"""Entries of the catalogue: one TOML file each, read when they are asked for."""
from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError, nearest

FOLDER, PRETRAINED = Path(__file__).parent / "entries", Path(__file__).parent / "pretrained"


@dataclass(frozen=True)
class File:
    """A file of an entry: its path below a data folder, the digest of its content, the split that it holds."""

    path: str
    sha256: str
    split: str = "all"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Source:
    """Where files can be had.

    `kind` is pip, npm, apt, https, sklearn or stdlib; `name` and `version` pin a package. `at` says where a file is in it
    (or its address), `pick` that the members of the package (or of the archive at the address) matching it are packed anew
    as the file; {name}, {path} and {split} of the file are filled in.
    """

    kind: str
    name: str = ""
    version: str = ""
    at: str = ""
    pick: str = ""

    def place(self, file: File) -> str:
        """Where this source keeps a file."""
        return _filled(self.at, file)

    def members(self, file: File) -> str:
        """The pattern of the members that make a file."""
        return _filled(self.pick, file)

    def __str__(self) -> str:
        """The source in a message."""
        return f"{self.kind} {self.name} {self.version}".strip() if self.name else self.kind


def _filled(pattern: str, file: File) -> str:
    return pattern.replace("{name}", file.name).replace("{path}", file.path).replace("{split}", file.split)


@dataclass(frozen=True)
class Reading:
    """How the content is to be read: its form, and what a csv does not say by itself."""

    form: str
    header: bool = True                                     # the first line of a csv names the columns
    columns: tuple[str, ...] = ()                           # names, in place of those that the data have
    skip: str = ""                                          # lines that match this pattern hold no row
    missing: tuple[str, ...] = ()                           # words for a missing cell
    strip: Mapping[str, str] = field(default_factory=dict)  # column -> an ending that its cells may have, to be cut off


@dataclass(frozen=True)
class Entry:
    """A set of data: what it is, under what licence, its files, where they can be had, how they are read."""

    name: str
    summary: str
    summary_zh: str
    licence: str
    modality: str
    home: str
    reading: Reading
    sources: tuple[Source, ...]
    files: tuple[File, ...] = ()
    language: str = ""   # of pretrained models
    size: int = 0        # bytes that are fetched


def names(folder: Path | None = None) -> tuple[str, ...]:
    """The names of all entries, sorted; of pretrained models in the folder PRETRAINED.

    >>> "iris" in names()
    True
    """
    return tuple(sorted(p.stem for p in (folder or FOLDER).glob("*.toml")))


def entry(name: str, folder: Path | None = None) -> Entry:
    """The entry of that name; UsageError with the nearest one if there is none.

    >>> entry("iris").modality
    'table'
    """
    if name not in names(folder):
        raise _unknown(name, folder)
    table = tomllib.loads(((folder or FOLDER) / f"{name}.toml").read_text(encoding="utf-8"))
    try:
        return _entry(name, table)
    except (TypeError, KeyError) as why:
        raise DataError(f"the entry {name}.toml of the catalogue is malformed: {why}", code="CATALOGUE") from None


def _unknown(name: str, folder: Path | None) -> UsageError:
    if folder == PRETRAINED:
        return UsageError(f"the catalogue has no model named {name!r}", remedy=nearest(name, names(folder)), code="UNKNOWN_MODEL", param="model")
    return UsageError(f"the catalogue has no data named {name!r}", remedy=nearest(name, names(folder)), code="UNKNOWN_DATA", param="data")


def _entry(name: str, table: dict[str, Any]) -> Entry:
    reading: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.pop("reading").items()}
    files = tuple(File(**f) for f in table.pop("files", ()))
    sources = tuple(Source(**s) for s in table.pop("sources"))
    return Entry(name=name, reading=Reading(**reading), files=files, sources=sources, **table)


def summary(name: str) -> str:
    """What an entry is, in one line."""
    return entry(name).summary
