"""Bytes to text: what encoding a file is in, found by rules that say why they fail."""
from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Callable

from ..errors import DataError, UsageError

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PIECE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LOOK = 1 << 17
_NAME_IT = "name it with encoding=, or save the file as UTF-8"

_HAN = ("的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还"
        "發學說這們為來個時會對無風見長門開東車馬書問國後過還沒與從當發現經點頭萬兩實間樣將經開動名山水月花春秋夜雨白雲明空相君何此")
_KANA = "のにはをたがてでとしれさあるいすこもなかまよりんっうきアイスルンレトリコ"
_HANGUL = "이다는을의에가고한하지로기사은를도시그어자리나인서아해대정수일과여보만들있라것면"
_RUSSIAN = "оеаинтсрвлкмдпуяыьгзбчйхжшюц"


def decode(data: bytes, name: str, encoding: str | None = None) -> tuple[str, str]:
    """The text and the encoding it was in; DataError with the line and byte if it can't be text.

    Tried in order: a byte-order mark, UTF-16 by where its zeros are, UTF-8, then the older encoding whose text looks
    most like a language. A file in several encodings is refused.

    >>> decode("床前明月光".encode("gb18030"), "poem.txt")
    ('床前明月光', 'gb18030')
    """
    if encoding is not None:
        return _strictly(data, name, _known(encoding)), encoding
    for mark, found in _BOMS:
        if data.startswith(mark):
            return _strictly(data, name, found), found
    if b"\0" in data:
        return _wide(data, name)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as why:
        return _older(data, name, why)


def _known(encoding: str) -> str:
    try:
        b"    ".decode(encoding)
    except UnicodeError:
        return encoding
    except LookupError:
        raise UsageError(f"no text encoding is named {encoding!r}", param="encoding",
                         remedy="such as utf-8, gb18030, big5, shift_jis, cp1252") from None
    return encoding


def _strictly(data: bytes, name: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError as why:
        raise _not_text(data, name, getattr(why, "start", 0), f"is not {encoding}") from None


def _not_text(data: bytes, name: str, at: int, what: str, remedy: str = _NAME_IT) -> DataError:
    line = data.count(b"\n", 0, at) + 1
    return DataError(f"{name}, line {line}, byte {at}: {what}", code="ENCODING", remedy=remedy)


def _wide(data: bytes, name: str) -> tuple[str, str]:
    """UTF-16 without a mark: half of the bytes of Latin letters and line ends are zero."""
    best, text, found = 0.95, "", ""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            read = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        head = read[:_LOOK]
        plain = sum(n for c, n in Counter(head).items() if c in "\t\n\r" or " " <= c < "\x7f" or _usual(c)) / len(head)
        if plain > best:
            best, text, found = plain, read, encoding
    if not found:
        raise _not_text(data, name, data.index(b"\0"), "a zero byte: this is not a text file", "give a text file")
    return text, found


def _usual(c: str) -> bool:
    return any(a <= c < b for a, b in ("\u00a0\u0530", "\u2010\u203c", "\u3000\u3100", "\u4e00\ua000", "\uff01\uff60"))


def _older(data: bytes, name: str, why: UnicodeDecodeError) -> tuple[str, str]:
    scores = {encoding: _likeness(data[:_LOOK], encoding) for encoding in _OLDER}
    for encoding in sorted(scores, key=lambda e: -scores[e]):
        if scores[encoding] < (0.6 if encoding == "cp1251" else 0.3):
            continue
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if line := _utf8_line(data, single=encoding.startswith("cp125")):
            at = len(b"\n".join(data.split(b"\n", line)[:line - 1])) + (line > 1)
            raise _not_text(data, name, at, f"is UTF-8 there and {encoding} elsewhere: the file mixes encodings", "use one encoding")
        return text, encoding
    raise _not_text(data, name, why.start, "is not UTF-8 there, and the whole is in no other encoding known: "
                    "it is damaged, mixes encodings or is no text")


def _utf8_line(data: bytes, single: bool) -> int:
    """The number of a line that is surely UTF-8, or 0."""
    high = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if single and sum(map(len, _PIECE.findall(data))) * 2 > high:
        return data.count(b"\n", 0, _PIECE.search(data).start()) + 1  # type: ignore[union-attr]
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.isascii():
            continue
        pieces = [p for p in _PIECE.findall(line) if single or len(p) > 2]
        if len(pieces) >= (2 if single else 4) and _PIECE.sub(b"", line).isascii():
            return number
    return 0


def _likeness(head: bytes, encoding: str) -> float:
    """How much the text in this encoding looks like a language: usual characters, and the most frequent ones twice."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head, final=False)
    except UnicodeDecodeError:
        return 0.0
    usual, frequent = _OLDER[encoding]
    seen = Counter(c for c in usual(text) if c > "\x7f")
    total = sum(1 for c in text if c > "\x7f")
    strange = sum(unicodedata.category(c) in ("Cc", "Co", "Cn") for c in text if c > "\x7f")
    often = sum(n for c, n in seen.items() if c in frequent)
    return (0.5 * seen.total() + 0.5 * often - strange) / total if total else 0.0


def _by_lead(encoding: str, *ranges: tuple[int, int], trail: int = 0x40) -> Callable[[str], str]:
    """Keeps the characters whose first byte says that they are usual: standards order them by use."""

    def usual(text: str) -> str:
        good = set()
        for c in set(text) - set(map(chr, range(128))):
            code = c.encode(encoding, "ignore")
            if len(code) == 2 and code[1] >= trail and any(a <= code[0] <= b for a, b in ranges):
                good.add(c)
        return "".join(c for c in text if c in good)

    return usual


def _beside(letters: str, neighbours: str) -> Callable[[str], str]:
    """Keeps letters that stand beside such neighbours, as in words."""
    word = re.compile(f"(?<=[{neighbours}])[{letters}]|[{letters}](?=[{neighbours}])|[«»„“”‘’–—…€£°§№]")
    return lambda text: "".join(word.findall(text))


_OLDER: dict[str, tuple[Callable[[str], str], str]] = {
    "gb18030": (_by_lead("gb18030", (0xA1, 0xA3), (0xB0, 0xD7), trail=0xA1), _HAN),
    "big5": (_by_lead("big5", (0xA1, 0xC6)), _HAN),
    "cp932": (_by_lead("cp932", (0x81, 0x97)), _KANA),
    "euc_kr": (_by_lead("euc_kr", (0xA1, 0xA3), (0xB0, 0xC8)), _HANGUL),
    "cp1252": (_beside("À-ÖØ-öø-ÿŒœŠšŽžŸ", "A-Za-z"), ""),
    "cp1251": (_beside("А-яЁё", "А-яЁё"), _RUSSIAN)}
