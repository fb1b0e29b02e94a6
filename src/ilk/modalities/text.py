"""Texts in any language: lines, paragraphs, files or records, as characters, bytes or pieces of words."""
from __future__ import annotations

import json
import os
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ..captions import Captions
from ..dataset import Dataset, Origin, given_splits
from ..errors import DataError, ResourceError, UsageError, printable
from ..given import Given, Keep, as_given
from ..grammar import given_of, is_call
from ..modality import Codec, Limits, Modality, Shown
from ..rules import Test, Value, parse
from ._encoding import decode
from ._files import read_bytes, suffix_of, walk, write_bytes
from ._points import Points
from ._text_records import has_text, records
from ._tokens import Bytes, Characters, Ends, Texts, surrogates

SUFFIXES = (".txt", ".text", ".md", ".jsonl")
_BLANK = re.compile(r"\n(?:[ \t\r]*\n)+")
_NAMED = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test"}
_MANY, _LONG = 20, 2000       # how many paragraphs, and of what usual length at most, make a file one of paragraphs
_LOOK = 1000                  # files looked at to tell whether data are texts


Per = Literal["auto", "line", "paragraph", "file", "whole"]


@dataclass(frozen=True, kw_only=True)
class Text(Modality[Texts]):
    """Texts, one item per line, paragraph, file or record; `auto` looks at the data and says in the notes what it took.

    A list of strings is taken as it is. `field` names the text of a JSONL record, `source` its source (a caption); `vocabulary` is for byte-pair encoding.
    """

    per: Per = "auto"
    tokens: Literal["characters", "bytes", "bpe"] = "characters"
    vocabulary: Annotated[int, Interval(ge=257, le=65_536)] = 1024
    field: str = "text"
    source: str | None = None
    encoding: str | None = None

    @classmethod
    def claims(cls, raw: Any) -> bool:
        """A text file, a folder that has mostly such, a JSONL file whose records have a text, or a list of strings."""
        if isinstance(raw, list | tuple):
            return bool(raw) and all(isinstance(item, str) for item in raw[:100])
        if not isinstance(raw, str | Path):
            return False
        at = Path(raw)
        if os.path.isdir(at):
            suffixes = [suffix_of(p) for p in islice(at.rglob("*.*"), _LOOK)]
            return 2 * sum(s in SUFFIXES for s in suffixes) > len(suffixes)
        return suffix_of(at) in SUFFIXES and (suffix_of(at) != ".jsonl" or has_text(at))

    def read(self, at: Any, limits: Limits) -> Dataset[Texts]:
        """A file, a folder or a list of strings; files named train, valid and test become the splits."""
        if isinstance(at, list | tuple):
            return Dataset(self, _strings(at), origin=Origin("memory"))
        if not isinstance(at, str | Path):
            raise UsageError(f"{type(at).__name__} is not text", remedy="a path or a list of strings")
        at = Path(at)
        found, notes = walk(at, limits) if os.path.isdir(at) else ([at], [])
        if at.is_dir() and not found:
            raise DataError(f"{at} has no files", code="EMPTY")
        parts = _parts(at, [p for p in found if suffix_of(p) in SUFFIXES] or found)
        read = {name: _Documents.read(paths, self, limits) for name, paths in parts.items()}
        first = next(iter(read.values()))
        per = first.per(at.is_dir() and set(parts) == {""}) if self.per == "auto" else self.per
        items = {name: documents.items(per) for name, documents in read.items()}
        if sum(map(len, items.values())) > limits.items:
            raise ResourceError(f"{at} has more than {limits.items} items", code="TOO_LARGE")
        if not all(items.values()):
            raise DataError(f"{at} has no text in it", code="EMPTY")
        origin = Origin(str(at), notes=(first.note(per), *notes, *(note for d in read.values() for note in d.notes())))
        made = self._dataset(items, per, origin)
        return made if self.source is None else replace(made, captions=_captions(list(read.values()), per, self.source))

    def document(self, text: str, origin: Origin = Origin()) -> Dataset[Texts]:
        """One long text in memory, cut into items as a file of it would be."""
        found = _Documents([text], False, ("utf-8",), [""])
        per = found.per(False) if self.per == "auto" else self.per
        return self._dataset({"": found.items(per)}, per, replace(origin, notes=(*origin.notes, found.note(per))))

    def _dataset(self, items: Mapping[str, Texts], per: Per, origin: Origin) -> Dataset[Texts]:
        chosen = replace(self, per=per)
        if set(items) != {""}:
            return given_splits(chosen, items, origin)
        if per != "whole":
            return Dataset(chosen, items[""], origin=origin)
        (text,) = items[""]
        ends = [0, round(0.8 * len(text)), round(0.9 * len(text)), len(text)]
        pieces = {name: [text[a:b]] for name, a, b in zip(("train", "valid", "test"), ends, ends[1:], strict=False)}
        if not all(piece[0] for piece in pieces.values()):
            raise DataError(f"{origin.name} is too short to be split", code="EMPTY", remedy="ten characters at least")
        return given_splits(chosen, pieces, origin)

    def write(self, items: Texts, to: Path) -> None:
        """A .jsonl file of records, else plain text; UsageError where plain text could not be read back as these items."""
        if suffix_of(to) == ".jsonl":
            text = "".join(json.dumps({self.field: item}, ensure_ascii=False) + "\n" for item in items)
        elif self.per in ("file", "whole") and len(items) == 1:
            text = items[0]
        else:
            text = _plain(items, "paragraph" if self.per == "paragraph" else "line", to.name)
        if why := surrogates([text]):
            raise DataError(f"a text has {why}", code="ENCODING", remedy="replace it with U+FFFD")
        write_bytes(to, text.encode())

    def codecs(self) -> Sequence[type[Codec[Texts]]]:
        """The one for these tokens, and texts as they are."""
        if self.tokens == "bpe":
            from ._pieces import BPE

            return BPE, Points
        return (Characters, Points) if self.tokens == "characters" else (Bytes, Points)

    def parts(self, item: Texts) -> dict[str, Value]:
        """The text, as its beginning."""
        return {"prefix": item[0]}

    def take(self, items: Texts, index: Tensor) -> Texts:
        """Items by whole-number index."""
        return [items[i] for i in index.tolist()]

    def join(self, pieces: Sequence[Texts]) -> Texts:
        """One list."""
        return [item for piece in pieces for item in piece]

    def asked(self, asked: str | Mapping[str, Value] | Given) -> Given:
        """A string is how the text begins, a rule about its ends in the form they are printed in (prefix == 'Once' and suffix == '.'), or a call: Prompt('...')."""
        if isinstance(asked, str) and is_call(asked):
            return given_of(asked)
        return Keep(_ends(asked)) if isinstance(asked, str) else as_given(asked)

    def checked(self, tests: Sequence[Test]) -> tuple[Test, ...]:
        """One for all of an end, since a text that begins with the longest begins with the others."""
        return Ends.of(tests).tests()

    def obeys(self, items: Texts, tests: Sequence[Test]) -> Tensor:
        """Whether they begin and end so, (B,)."""
        ends = Ends.of(tests)
        return torch.tensor([ends.holds(text) for text in items], dtype=torch.bool)

    def show(self, items: Texts) -> Shown:
        """The texts, parted by blank lines where one has several lines; control characters are left out."""
        between = "\n\n" if any("\n" in item for item in items) else "\n"
        return Shown("text/plain; charset=utf-8", printable(between.join(items)).encode("utf-8", "replace"))

    def keys(self, items: Texts) -> Sequence[str]:
        """The texts themselves."""
        return items

    @property
    def measure(self) -> str:
        """Texts are counted."""
        return "counting measure over texts"

    def lengths(self, items: Texts) -> Mapping[str, Tensor]:
        """Characters (code points) and bytes of UTF-8, (B,) each."""
        return {"character": torch.tensor([len(t) for t in items], dtype=torch.long),
                "byte": torch.tensor([len(t.encode("utf-8", "surrogatepass")) for t in items], dtype=torch.long)}


@dataclass(frozen=True)
class _Documents:
    """Texts of files or records before they are cut into items."""

    texts: Texts
    records: bool
    encodings: tuple[str, ...]
    sources: Texts

    @classmethod
    def read(cls, paths: Sequence[Path], how: Text, limits: Limits) -> _Documents:
        texts: Texts = []
        encodings, sources = [], []
        for path in paths:
            text, encoding = decode(read_bytes(path, limits), str(path), how.encoding)
            encodings.append(encoding)
            found = list(records(path, text, how.field, how.source)) if suffix_of(path) == ".jsonl" else [(text, "")]
            texts += [text for text, _ in found]
            sources += [source for _, source in found]
        return cls(texts, any(suffix_of(p) == ".jsonl" for p in paths), tuple(encodings), sources)

    def per(self, folder: bool) -> Per:
        """What an item seems to be."""
        if folder or self.records or len(self.texts) > 1:
            return "file"
        sizes = [len(piece) for piece in _paragraphs(self.texts[0])]
        return "paragraph" if len(sizes) >= _MANY and statistics.median(sizes) <= _LONG else "line"

    def items(self, per: Per) -> Texts:
        """The texts cut into items; blank ones are left out, but for records."""
        if per == "whole":
            return ["\n\n".join(self.texts)] if any(map(str.strip, self.texts)) else []
        if per == "file":
            return [text for text in self.texts if self.records or text.strip()]
        return [piece for text in self.texts for piece in (_lines(text) if per == "line" else _paragraphs(text))]

    def note(self, per: Per) -> str:
        """What an item is, in words: records stand in lines."""
        return f"one item per {'line' if self.records and per == 'file' else per}"

    def notes(self) -> Iterator[str]:
        """Encodings other than UTF-8."""
        for encoding, many in sorted(Counter(self.encodings).items()):
            if encoding != "utf-8":
                yield f"read as {encoding}" + (f": {many} of {len(self.encodings)} files" if len(self.encodings) > 1 else "")


def _ends(asked: str) -> dict[str, Value]:
    """The ends that a string asks for: those of a rule about nothing else, else the string itself is the beginning."""
    try:
        tests = parse(asked)
    except UsageError:
        return {"prefix": asked}
    found: dict[str, Value] = {t.part: t.value for t in tests if t.part in Ends._fields and t.sign == "==" and isinstance(t.value, str)}
    return found if len(found) == len(tests) else {"prefix": asked}


def _lines(text: str) -> Iterator[str]:
    return (line for raw in text.split("\n") if (line := raw.removesuffix("\r")).strip())


def _paragraphs(text: str) -> Iterator[str]:
    return (piece for raw in _BLANK.split(text) if (piece := raw.strip("\r\n")).strip())


def _plain(items: Texts, per: Literal["line", "paragraph"], name: str) -> str:
    cut, between = (_paragraphs, "\n\n") if per == "paragraph" else (_lines, "\n")
    text = between.join(items) + "\n" * bool(items)
    if list(cut(text)) != list(items) or "\0" in text or text.startswith("\ufeff"):
        raise UsageError(f"these items can't stand in {name} one per {per}: some are empty or hold what parts them", code="WRITE",
                         remedy="write a .jsonl file")
    return text


def _strings(raw: Sequence[Any]) -> Texts:
    for number, item in enumerate(raw):
        if not isinstance(item, str):
            raise DataError(f"item {number} is {type(item).__name__}, not a string", code="DATA_TYPE")
    items = list(raw)
    if not items:
        raise DataError("there are no texts in the list", code="EMPTY")
    if why := surrogates(items):
        raise DataError(f"a text has {why}", code="ENCODING", remedy="replace it with U+FFFD")
    return items


def _parts(at: Path, paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
    """The files of each split, if their names or folders say so, else all under no name."""
    named: dict[str, list[Path]] = {}
    for path in paths if at.is_dir() else ():
        top = path.relative_to(at).parts[0]
        if name := _NAMED.get(top.split(".")[0].lower()):
            named.setdefault(name, []).append(path)
    if {"train", "test"} <= named.keys():
        return {name: named[name] for name in ("train", "valid", "test") if name in named}
    return {"": paths}


def _captions(read: Sequence[_Documents], per: Per, source: str) -> Captions:
    """The sources of all records, in the order of the items."""
    every = [text for documents in read for text in documents.sources]
    if per != "file" or not any(every):
        raise DataError(f"no record has a text in {source!r} to write from", code="FIELD", remedy="JSONL records, one per item, and source= the name of a field")
    return Captions.of(every)
