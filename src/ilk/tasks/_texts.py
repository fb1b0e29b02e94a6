"""Texts as tasks check them: sentences with their places, words that carry content, numbers, names. English and Chinese; other scripts by words."""
from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ..metrics._texts import tokens, unit
from ..sentences import sentences as parted

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])(?:(?<![0-9A-Za-z)])[-\u2212])?\d+(?:[,\u2019']\d{3})*(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_NAME = re.compile(r"\b[A-Z][A-Za-z\u00c0-\u024f]*(?:-[A-Z][a-z]+)?")
_NOT = re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|cannot|without|\w+n['\u2019]t)\b|[不没無无未非]", re.IGNORECASE)
_COMMON = """a about after all also an and any are as at be because been before being between both but by can could did do does doing down during each for from further had
has have having he her here hers him his how i if in into is it its itself just me more most my of off on once only or other our out over own same she should so
some such than that the their them then there these they this those through to too under until up very was we were what when where which while who whom why will
with would you your"""
STOP = frozenset(_COMMON.split())


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text: its first character and the one after its last, and what stands there."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Span]:
    """The sentences of a text, white space around them left out.

    >>> [s.text for s in sentences("Dr. Li came. 他走了。她没走。")]
    ['Dr. Li came.', '他走了。', '她没走。']
    """
    return [Span(a, b, text[a:b]) for a, b in parted(text)]


def numbers(text: str) -> list[Span]:
    """The numbers written in digits, each without its unit."""
    return [Span(m.start(), m.end(), m[0]) for m in _NUMBER.finditer(text)]


def value(number: str) -> Decimal:
    """What a number in digits is.

    >>> value("1,200.50") == Decimal("1200.5")
    True
    """
    try:
        return Decimal(re.sub(r"[,\u2019']", "", number).replace("\u2212", "-"))
    except InvalidOperation:
        return Decimal("NaN")


def content(text: str) -> set[str]:
    """The words that carry content, their commonest endings taken off, and two Chinese characters in a row; numbers by value."""
    words = {stem(w) for w in _WORD.findall(_HAN.sub(" ", text)) if w.lower() not in STOP}
    pairs = {run[i:i + 2] for run in _HAN.findall(text) for i in range(max(1, len(run) - 1))}
    return words | pairs | {str(value(n.text).normalize()) for n in numbers(text)}


def stem(word: str) -> str:
    """A word in small letters, without 's, and without -s, -es, -ed, -ing if four letters are left."""
    return re.sub(r"(?<=\w{4})(?:ing|ed|es|s)$", "", re.sub(r"['\u2019]s$", "", word.lower()))


def names(sentence: str) -> list[Span]:
    """Words with a capital letter that do not begin the sentence: names, more or less."""
    first = _WORD.search(sentence)
    return [Span(m.start(), m.end(), m[0]) for m in _NAME.finditer(sentence) if first is None or m.start() != first.start()]


def negations(text: str) -> int:
    """How many words deny something."""
    return len(_NOT.findall(text))


def length(text: str) -> int:
    """How long a text is: in words, or in characters without white space and marks where the script has no spaces between words."""
    by = unit([text])
    return sum(c.isalnum() for c in text) if by == "character" else len(tokens(text, by))
