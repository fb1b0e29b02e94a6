"""Stretches of passages that can be cited: a sentence, or two that follow each other."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .sentences import sentences
from .store import Library, Passage
from .support import Overlap, Weights, asked

EXTRA = 0.1   # what a second sentence has to add


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a document, `text` as it stands there; `of` numbers the passage and `long` counts its sentences."""

    of: int
    document: str
    start: int
    end: int
    text: str
    long: int
    path: tuple[str, ...]


def spans_of(passages: Sequence[Passage]) -> list[Span]:
    """Sentences and pairs of sentences, but neither bare headings nor what ends in a question: that is no answer."""
    found = []
    for of, passage in enumerate(passages):
        parts = [(a, b) for a, b in sentences(passage.text) if passage.text[a:b].strip("#=- ") not in passage.path]
        for long in (1, 2):
            for (start, _), (_, end) in zip(parts, parts[long - 1:], strict=False):
                if not passage.text[:end].endswith(("?", "？")):
                    found.append(Span(of, passage.document, passage.start + start, passage.start + end, passage.text[start:end], long, passage.path))
    return found


def fits(library: Library, question: str, spans: Sequence[Span]) -> Weights:
    """How well each span, read under its headings, fits a question, from 0 to 1, (n,)."""
    return Overlap(library).support([asked(question)], [" ".join((*span.path, span.text)) for span in spans])[0]


def best(weights: Weights, spans: Sequence[Span], among: Weights) -> int | None:
    """The span of the highest weight among some, one of two sentences only where that adds enough; None if there is none."""
    if not among.any():
        return None
    return int(np.argmax(np.where(among, weights - EXTRA * np.array([span.long - 1 for span in spans]), -np.inf)))
