"""docx: documents of Word; macros are left out, and so is what is hidden."""
from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

from ..errors import DataError
from ..modality import Limits
from ..reader import Document, Fact, Reader
from ._clean import bounded, cleaned, headed, left_out, too_large
from ._facts import fact

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MOST = 100 << 20   # unpacked bytes of one part


class Docx(Reader):
    """A file is one document; paragraphs in the style of a heading begin sections, a row of a table is a line."""

    suffixes = (".docx", ".docm")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The text; DataError for archives that unpack to too much, for XML that declares entities, and for encrypted files."""
        bounded(data, limits)
        if data.startswith(b"\xd0\xcf\x11\xe0"):
            raise DataError("encrypted, or written by an old Word", code="ENCRYPTED", remedy="save it without a password as .docx")
        try:
            with zipfile.ZipFile(BytesIO(data)) as archive:
                return [_document(name, archive, limits)]
        except (zipfile.BadZipFile, zlib.error, KeyError, ParseError, expat.ExpatError, EOFError, NotImplementedError, RuntimeError, ValueError) as why:
            if isinstance(why, DataError):
                raise
            raise DataError(f"not a document of Word, or a broken one: {why}", code="BROKEN") from None


def _document(name: str, archive: zipfile.ZipFile, limits: Limits) -> Document:
    parts = archive.infolist()
    if len(parts) > limits.entries or sum(p.file_size for p in parts) > limits.unpacked or any(p.file_size > max(1 << 20, limits.ratio * p.compress_size) for p in parts):
        raise too_large("the archive unpacks to more than its limits allow")
    hidden: list[str] = []
    styles = _styles(archive)
    blocks = [(level, text) for level, text in _blocks(_part(archive, "word/document.xml"), styles, hidden) if text.strip()]
    body, notes = [], dict[str, None]()
    for level, text in blocks:
        clean, more = cleaned(text.strip())
        body.append((level, clean))
        notes |= dict.fromkeys(more)
    text, found = headed([b for b in body if b[1]])
    if hidden:
        notes[left_out(len(hidden), "hidden part")] = None
    if any(p.filename.endswith("vbaProject.bin") for p in parts):
        notes["macros left out"] = None
    return Document(name, text, found, _facts(archive), tuple(notes))


def _part(archive: zipfile.ZipFile, name: str) -> Element:
    """A part as XML, read no further than its limit."""
    with archive.open(name) as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise too_large(f"{name} is larger than {_MOST >> 20} MiB")
    check = expat.ParserCreate()
    check.StartDoctypeDeclHandler = _declares
    check.Parse(data, True)
    return fromstring(data)


def _declares(*_: object) -> NoReturn:
    raise DataError("its XML declares a document type, which can blow up or reach out", code="ENTITIES")


def _styles(archive: zipfile.ZipFile) -> dict[str, int]:
    """The level of each style that is a heading."""
    found = {"Title": 1}
    if "word/styles.xml" in archive.namelist():
        for style in _part(archive, "word/styles.xml").iter(f"{_W}style"):
            named = style.find(f"{_W}name")
            said = "" if named is None else named.get(f"{_W}val", "")
            if got := re.fullmatch(r"heading (\d)|title", said.lower()):
                found[style.get(f"{_W}styleId", "")] = int(got[1] or 1)
    return found


def _blocks(top: Element, styles: dict[str, int], hidden: list[str]) -> Iterator[tuple[int, str]]:
    """Paragraphs and rows of tables, each with the level of its heading or 0."""
    todo = list(reversed(list(top)))
    while todo:
        node = todo.pop()
        if node.tag == f"{_W}p":
            style = node.find(f"{_W}pPr/{_W}pStyle")
            yield (styles.get(style.get(f"{_W}val", ""), 0) if style is not None else 0), _words(node, hidden)
        elif node.tag == f"{_W}tbl":
            rows = ([_words(cell, hidden).strip().replace("\n", " ") for cell in row.iter(f"{_W}tc")] for row in node.iter(f"{_W}tr"))
            yield 0, "\n".join(f"| {' | '.join(row)} |" for row in rows)
        else:
            todo += reversed(list(node))


def _words(paragraph: Element, hidden: list[str]) -> str:
    """The text of its runs; deleted ones have none, and hidden ones are put aside."""
    found: list[str] = []
    for run in paragraph.iter(f"{_W}r"):
        text = "".join({f"{_W}t": n.text or "", f"{_W}tab": "\t", f"{_W}br": "\n"}.get(n.tag, "") for n in run)
        (hidden if text.strip() and _unseen(run) else found).append(text)
    return "".join(found)


def _unseen(run: Element) -> bool:
    """Marked as hidden, white on no ground of its own, or smaller than two points."""
    look = run.find(f"{_W}rPr")
    if look is None:
        return False
    said = {n.tag.removeprefix(_W): (n.get(f"{_W}val") or "").lower() for n in look}
    off = ("0", "false", "off")
    small = said.get("sz", "")
    return ("vanish" in said and said["vanish"] not in off) or (said.get("color") == "ffffff" and not {"shd", "highlight"} & set(said)) or (small.isdigit() and int(small) < 4)


def _facts(archive: zipfile.ZipFile) -> dict[str, Fact]:
    if "docProps/core.xml" not in archive.namelist():
        return {}
    said = {n.tag.rsplit("}", 1)[-1]: cleaned((n.text or "").strip())[0] for n in _part(archive, "docProps/core.xml")}
    return {name: fact(said[key]) for name, key in (("title", "title"), ("author", "creator")) if said.get(key)}
