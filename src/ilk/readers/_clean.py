"""What readers of text share: bytes as text, without characters that nobody sees; sections of headings."""
from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence

from ..errors import DataError
from ..modality import Limits
from ..reader import Section

_MAGIC = {b"%PDF-": "a PDF", b"PK\x03\x04": "a zip archive", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"\x7fELF": "a program",
          b"MZ\x90": "a program", b"\x1f\x8b": "packed by gzip", b"\xd0\xcf\x11\xe0": "an old or encrypted Office file", b"SQLite format 3": "a database"}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Joiners stay where writing needs them: Arabic, the scripts of India, emoji.
_JOINS = "\u0600-\u06ff\u0750-\u077f\u0900-\u0dff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_BARE = re.compile(rf"[\u200b\u2060-\u2064\ufeff\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0\U000e0000-\U000e0fff]"
                   rf"|(?<![{_JOINS}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINS}])")
_BIDI = re.compile(r"[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


def decoded(data: bytes, limits: Limits) -> str:
    """Bytes as text: UTF-8, or UTF-16 and UTF-32 with their mark, else GB 18030 if it is that; DataError for what is no text, or too large."""
    bounded(data, limits)
    if said := next((said for magic, said in _MAGIC.items() if data.startswith(magic)), None):
        raise DataError(f"its name says text, but it is {said}", code="BINARY", remedy="give it the suffix of what it is")
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if encoding is None and b"\0" in data:
        raise DataError("its name says text, but its bytes are not", code="BINARY")
    for name in (encoding,) if encoding else ("utf-8", "gb18030"):
        try:
            text = data.decode(name)
        except ValueError:
            continue
        if len(_CONTROL.findall(text[:100_000])) * 20 <= len(text[:100_000]):
            return text
    raise DataError("its name says text, but its bytes are not (neither UTF-8 nor GB 18030)", code="BINARY", remedy="save it as UTF-8")


def bounded(data: bytes, limits: Limits) -> None:
    """DataError for a file without bytes, or with too many."""
    if not data:
        raise DataError("the file is empty", code="EMPTY")
    if len(data) > limits.bytes:
        raise too_large(f"{len(data)} bytes, the limit is {limits.bytes}")


def too_large(what: str) -> DataError:
    """What is said of a file beyond a limit."""
    return DataError(f"too large: {what}", code="TOO_LARGE", remedy="divide it")


def cleaned(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with plain line ends and without characters that nobody sees, and what was left out.

    >>> cleaned("pay\\u200bload\\u202e")
    ('payload', ('1 character without width left out', '1 character of direction left out'))
    """
    text, notes = text.replace("\r\n", "\n").replace("\r", "\n"), []
    for pattern, said in ((_BARE, "without width"), (_BIDI, "of direction"), (_CONTROL, "of control")):
        text, many = pattern.subn("", text)
        if many:
            notes.append(left_out(many, "character", said))
    return text, tuple(notes)


def left_out(many: int, what: str, said: str = "") -> str:
    """A note on what was left out."""
    return f"{many} {what}{'' if many == 1 else 's'}{' ' if said else ''}{said} left out"


def sections(headings: Iterable[tuple[int, int, str]], end: int) -> tuple[Section, ...]:
    """Sections of headings (where, level, title): each until the next one of its level or above."""
    found = list(headings)
    return tuple(Section(title.strip()[:200], level, at, next((a for a, other, _ in found[i + 1:] if other <= level), end))
                 for i, (at, level, title) in enumerate(found))


def headed(parts: Sequence[tuple[int, str]]) -> tuple[str, tuple[Section, ...]]:
    """Blocks as a text with an empty line between them, and its sections; level 0 is a block that is no heading."""
    text, headings = "", []
    pieces: list[str] = []
    at = 0
    for level, block in parts:
        if level:
            headings.append((at, level, block))
        pieces.append(block)
        at += len(block) + 2
    text = "\n\n".join(pieces)
    return text, sections(headings, len(text))
