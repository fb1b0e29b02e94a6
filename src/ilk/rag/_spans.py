"""Stretches of passages that can be cited: a sentence, or two that follow each other."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ilk.sentences import sentences

from .store import Library, Passage
from .support import Overlap, Weights, asked, counted

EXTRA, BEARS = 0.1, 0.1   # what a second sentence has to add, and how well it has to fit the question by itself


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a document, `text` as it stands there. `of` numbers the passage; two sentences have the numbers of the spans of each as `parts`."""

    of: int
    document: str
    start: int
    end: int
    text: str
    path: tuple[str, ...]
    parts: tuple[int, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether it ends in a question, and so is no answer."""
        return self.text.endswith(("?", "？"))


def spans_of(passages: Sequence[Passage]) -> list[Span]:
    """Sentences and pairs of them, bare headings left out."""
    found: list[Span] = []
    for of, passage in enumerate(passages):
        single = [_span(of, passage, a, b) for a, b in sentences(passage.text) if passage.text[a:b].strip("#=- ") not in passage.path]
        pairs = [_span(of, passage, a.start - passage.start, b.end - passage.start, (n, n + 1))
                 for n, (a, b) in enumerate(zip(single, single[1:], strict=False), len(found))]
        found += single + pairs
    return found


def _span(of: int, passage: Passage, start: int, end: int, parts: tuple[int, ...] = ()) -> Span:
    return Span(of, passage.document, passage.start + start, passage.start + end, passage.text[start:end], passage.path, parts)


def fits(library: Library, question: str, spans: Sequence[Span]) -> Weights:
    """How well each span, read under its headings, fits a question, from 0 to 1, (n,).

    One without a number or a time fits half as well where that is asked for. Two sentences fit only if each bears on the question: what has nothing to do with it
    does not come in with what has.
    """
    fit = Overlap(library).support([asked(question)], [" ".join((*span.path, span.text)) for span in spans])[0]
    factors = [all(fit[part] >= BEARS for part in span.parts) * (1.0 if counted(question, span.text) else 0.5) for span in spans]
    weighed: Weights = fit * np.array(factors)
    return weighed


def best(weights: Weights, spans: Sequence[Span], above: float) -> int | None:
    """The span of the highest weight, one of two sentences only where that adds enough; None if none is above `above`."""
    held = [(weight - EXTRA * bool(span.parts), -n) for n, (weight, span) in enumerate(zip(weights, spans, strict=True)) if weight > above and not span.asks]
    return -max(held)[1] if held else None
