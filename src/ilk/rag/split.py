"""Documents as passages: stretches of their text that keep headings, paragraphs, sentences, code and rows of tables together where they can."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ilk.reader import Document, Section

Stretch = tuple[int, int]
Measure = Callable[[str], int]
_BLOCK = re.compile(r"^(?P<fence>```+|~~~+)[^\n]*\n(?s:.*?)(?:^(?P=fence)[^\n]*$|\Z)|^\|[^\n]*(?:\n\|[^\n]*)*"
                    r"|(?:^[^\n]*\S[^\n]*(?:\n|\Z))(?:(?!```|~~~|\|)[^\n]*\S[^\n]*(?:\n|\Z))*", re.MULTILINE)
_SENTENCE = re.compile(r"(?s:.+?)(?:[.!?][\"'”’)\]]*(?=\s)|[。！？；…][”’」』）]*|\Z)")
_LINE = re.compile(r"[^\n]+")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a text, in the section of that number (-1: in none)."""

    start: int
    end: int
    section: int


def split(document: Document, size: int = 1000, overlap: int = 0, measure: Measure = len) -> list[Span]:
    """Passages of at most `size` by a measure (characters, or tokens), in their order. They cover the text but for white space, and none crosses a heading.

    `overlap` is how much a passage may repeat of the one before; it is part of its size.

    >>> text = "Moon. It shines on my bed.\\n\\nSea. It is wide."
    >>> [text[s.start:s.end] for s in split(Document("x", text), size=30)]
    ['Moon. It shines on my bed.', 'Sea. It is wide.']
    """
    text, found = document.text, list[Span]()
    for start, end, section in _segments(len(text), document.sections):
        units = list(_units(text, (start, end), size - overlap, measure))
        for a, b in _packed(text, units, size - overlap, measure):
            found.append(Span(_back(text, a, start, size, overlap, (b, measure)), b, section))
    return found


def _segments(length: int, sections: tuple[Section, ...]) -> Iterator[tuple[int, int, int]]:
    """The text cut wherever a section begins or ends, each piece with its innermost section."""
    edges = sorted({0, length, *(e for s in sections for e in (s.start, s.end) if 0 <= e <= length)})
    inner: list[int] = []
    begins = sorted(range(len(sections)), key=lambda i: sections[i].start)
    for start, end in zip(edges, edges[1:], strict=False):
        while begins and sections[begins[0]].start <= start:
            inner.append(begins.pop(0))
        inner = [i for i in inner if sections[i].end > start]
        yield start, end, inner[-1] if inner else -1


def _units(text: str, within: Stretch, size: int, measure: Measure) -> Iterator[Stretch]:
    """Blocks; of those that are too long sentences or lines; of those that are too long whatever fits."""
    start, end = within
    for block in _BLOCK.finditer(text[start:end]):
        yield from _parts(text, _trimmed(text, start + block.start(), start + block.end()), size, measure)


def _parts(text: str, block: Stretch, size: int, measure: Measure) -> Iterator[Stretch]:
    if measure(text[slice(*block)]) <= size:
        yield block
        return
    pattern = _LINE if text.startswith(("```", "~~~", "|"), block[0]) else _SENTENCE
    for found in pattern.finditer(text, *block):
        part = _trimmed(text, *found.span())
        if part[0] < part[1]:
            yield from _cut(text, part, size, measure)


def _cut(text: str, part: Stretch, size: int, measure: Measure) -> Iterator[Stretch]:
    """A sentence in pieces that fit, cut at white space where there is some."""
    start, end = part
    while start < end:
        most = min(end - start, size)
        while most > 1 and measure(text[start:start + most]) > size:
            most //= 2
        at = start + most
        if at < end and (space := max(text.rfind(" ", start + 1, at + 1), text.rfind("\n", start + 1, at + 1))) > start:
            at = space
        piece = _trimmed(text, start, at)
        if piece[0] < piece[1]:
            yield piece
        start = at


def _packed(text: str, units: list[Stretch], size: int, measure: Measure) -> Iterator[Stretch]:
    """Runs of units that fit together."""
    run: Stretch | None = None
    for start, end in units:
        if run is not None and measure(text[run[0]:end]) <= size:
            run = run[0], end
            continue
        if run is not None:
            yield run
        run = start, end
    if run is not None:
        yield run


def _back(text: str, start: int, first: int, size: int, overlap: int, rest: tuple[int, Measure]) -> int:
    """Where a passage begins if it repeats the end of the one before, at the beginning of a word."""
    end, measure = rest
    for at in range(max(first, start - overlap), start):
        if not text[at].isspace() and (at == 0 or text[at - 1].isspace() or not text[at].isascii()) and measure(text[at:end]) <= size:
            return at
    return start


def _trimmed(text: str, start: int, end: int) -> Stretch:
    """The stretch without white space at its ends."""
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), start + max(len(inside.rstrip()), len(inside) - len(inside.lstrip()))
