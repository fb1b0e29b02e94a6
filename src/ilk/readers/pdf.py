"""pdf: the text of pages, a section each; white letters left out and told."""
from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from ..errors import DataError, IlkError, UsageError
from ..modality import Limits
from ..reader import Document, Fact, Reader
from ._clean import bounded, cleaned, left_out, sections, too_large
from ._facts import fact

_PAGES, _SHOWS = 20_000, (b"Tj", b"TJ", b"'", b'"')


class Pdf(Reader):
    """A file is one document. Pages without letters (scans) are told: there is no reading of pictures here."""

    suffixes = (".pdf",)

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The text of its pages; DataError for an encrypted or a broken file, or one with too many pages."""
        bounded(data, limits)
        try:
            import pypdf
        except ImportError:
            raise UsageError("pypdf is not installed", code="EXTRA", remedy='pip install "ilk[rag]"') from None
        with _told_as_data(), _quiet():
            file = pypdf.PdfReader(BytesIO(data), strict=False)
            if file.is_encrypted and not file.decrypt(""):
                raise DataError("it is encrypted", code="ENCRYPTED", remedy="save it without a password")
            if len(file.pages) > _PAGES:
                raise too_large(f"{len(file.pages)} pages, the limit is {_PAGES}")
            return [_document(name, file, limits)]


@contextmanager
def _told_as_data() -> Iterator[None]:
    """Whatever a parser of files from anywhere raises means that the file is broken."""
    try:
        yield
    except IlkError:
        raise
    except Exception as why:
        raise DataError(f"not a PDF, or a broken one: {type(why).__name__} {why}"[:300], code="BROKEN") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """pypdf logs every oddity of a file; what matters is raised."""
    log, nowhere = logging.getLogger("pypdf"), logging.NullHandler()
    was, log.propagate = log.propagate, False
    log.addHandler(nowhere)
    try:
        yield
    finally:
        log.propagate = was
        log.removeHandler(nowhere)


def _document(name: str, file: Any, limits: Limits) -> Document:
    pieces, heads, notes = list[str](), list[tuple[int, int, str]](), dict[str, None]()
    at = bare = white = 0
    for number, page in enumerate(file.pages, 1):
        white += _unwhitened(page, file)
        text, more = cleaned(page.extract_text() or "")
        notes |= dict.fromkeys(more)
        text = text.strip()
        bare += not text
        if text:
            heads.append((at, 1, f"page {number}"))
            pieces.append(text)
            at += len(text) + 2
        if at > limits.unpacked:
            raise too_large(f"more than {limits.unpacked} characters")
    if white:
        notes[left_out(white, "piece", "in white letters")] = None
    if bare:
        notes[f"{bare} page{'' if bare == 1 else 's'} without letters"] = None
    text = "\n\n".join(pieces)
    return Document(name, text, sections(heads, len(text)), _facts(file), tuple(notes))


def _unwhitened(page: Any, file: Any) -> int:
    """Takes out of a page what is written in white, and says how many pieces there were."""
    from pypdf.generic import ContentStream, NameObject

    if (held := page.get("/Contents")) is None:
        return 0
    content = ContentStream(held.get_object(), file)
    kept, stack, white, gone = [], list[bool](), False, 0
    for operands, operator in content.operations:
        if operator == b"q":
            stack.append(white)
        elif operator == b"Q":
            white = stack.pop() if stack else False
        elif operator in (b"g", b"rg", b"k", b"sc", b"scn"):
            white = _is_white(operator, operands)
        if white and operator in _SHOWS:
            gone += 1
            continue
        kept.append((operands, operator))
    if gone:
        content.operations = kept
        page[NameObject("/Contents")] = content
    return gone


def _is_white(operator: bytes, operands: Sequence[Any]) -> bool:
    numbers = [float(o) for o in operands if isinstance(o, int | float)]
    ink = operator == b"k" or (operator in (b"sc", b"scn") and len(numbers) == 4)
    return bool(numbers) and all(n <= 0.01 if ink else n >= 0.99 for n in numbers)


def _facts(file: Any) -> dict[str, Fact]:
    said = file.metadata or {}
    return {name: fact(cleaned(str(said[key]))[0]) for name, key in (("title", "/Title"), ("author", "/Author")) if said.get(key)}
