"""Answers from a library: every sentence stands on spans of documents that hold it, or there is no answer."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ilk.backend import chat_at
from ilk.chat import Chat
from ilk.errors import UsageError
from ilk.sentences import sentences

from ._reader import NOTHING, clean, read
from ._spans import Span, best, fits, spans_of
from .search import Hit, Strategy, search
from .store import Library, Where
from .support import Held, Supports, Weights

_MARKS = re.compile(r"\s*[\[【(]\s*\d+(?:\s*[-,;、，]\s*\d+)*\s*[\]】)]")


@dataclass(frozen=True)
class Citation:
    """Characters `start` to `end` of a document, and what stands there: `library.cited(document, start, end) == quoted`."""

    document: str
    start: int
    end: int
    quoted: str


@dataclass(frozen=True)
class Claim:
    """A sentence of an answer, the spans that it stands on, and how well they support it (0 to 1)."""

    text: str
    citations: tuple[Citation, ...]
    support: float


@dataclass(frozen=True)
class Checks:
    """What an answer has to be above, from 0 to 1: in how well a cited span fits the question (`bar`), and how well it supports the sentence (`support`, as `by` says).

    A `bar` for a risk of your choice comes from questions whose answers are known: docs/en/ask.md. Nothing is above 1.
    """

    bar: float = 0.5
    support: float = 0.75
    by: Supports | None = None

    def __post_init__(self) -> None:
        for name, value in (("bar", self.bar), ("support", self.support)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name} {value}", code="OPTION", param=name, remedy="0 to 1")


@dataclass(frozen=True)
class Answered:
    """An answer, or why there is none (`abstained`; `text` is empty then).

    `confidence` is how well the best span fits the question, 0 to 1, also where there is no answer. `shown` are the passages that were looked at; `left_out` those
    that did not fit into the model's window (the last ones of the k); `dropped` sentences of the model that nothing shown supports.
    """

    question: str
    text: str
    claims: tuple[Claim, ...]
    shown: tuple[Hit, ...]
    confidence: float
    abstained: str | None = None
    left_out: tuple[Hit, ...] = ()
    dropped: tuple[str, ...] = ()

    @cached_property
    def citations(self) -> tuple[Citation, ...]:
        """All citations, each once; [1] in the text is the first."""
        return tuple(dict.fromkeys(c for claim in self.claims for c in claim.citations))


def ask(library: Library | str | Path, question: str, model: Chat | str | None = None, k: int = 5, where: Where = None, by: Strategy | None = None,
        checks: Checks = Checks()) -> Answered:
    """The answer to a question from the k passages of a library that fit it best, with the spans of text that it stands on.

    Without a `model` (an address or what `chat_at` gives) the best span is quoted as it is. A model is given the passages as data; what it says is kept sentence
    by sentence where a span supports it that also fits the question, and dropped otherwise. Nothing kept is no answer.

    >>> import tempfile
    >>> from ilk.reader import Document
    >>> library = Library.create(Path(tempfile.mkdtemp()) / "library")
    >>> library.add([Document("bridge.txt", "The old bridge is of steel. It was painted in 1985."), Document("sea.txt", "The sea is wide.")])
    >>> ask(library, "Is the old bridge of steel or of stone?").text
    'The old bridge is of steel. [1]'
    >>> ask(library, "Who invented chess?").text
    ''
    """
    if not isinstance(library, Library):
        with Library.open(library) as opened:
            return ask(opened, question, model, k, where, by, checks)
    with library.reading():
        hits = tuple(search(library, question, k, by, where))
        spans = spans_of([hit.passage for hit in hits])
        fit = fits(library, question, spans)
        top = best(fit, spans, checks.bar)
        found = Answered(question, "", (), hits, max((float(f) for f, span in zip(fit, spans, strict=True) if not span.asks), default=0.0))
        if top is None:
            return replace(found, abstained=f"nothing found fits the question well enough: {found.confidence:.2f}, and more than {checks.bar:.2f} is wanted")
        if model is None:
            return _with(found, [Claim(" ".join(clean(spans[top].text).split()), (_citation(spans[top]),), 1.0)])
        said, many = read(chat_at(model) if isinstance(model, str) else model, question, hits)
        found = replace(found, shown=hits[:many], left_out=hits[many:])
        return _checked(library, found, said, (spans, fit), checks)


def _checked(library: Library, found: Answered, said: str, seen: tuple[Sequence[Span], Weights], checks: Checks) -> Answered:
    """What a model said, but for sentences that nothing which it was shown and which fits the question supports. Its own numbers of passages count for nothing."""
    if said.strip().upper().startswith(NOTHING):
        return replace(found, abstained="the model finds no answer in the passages")
    stands = [(span, fit) for span, fit in zip(*seen, strict=True) if span.of < len(found.shown) and fit > checks.bar]
    spans = [span for span, _ in stands]
    said = _MARKS.sub("", clean(said))
    parts = [" ".join(said[a:b].split()) for a, b in sentences(said)]
    support = (checks.by or Held(library)).support(parts, [span.text for span in spans])
    claims, dropped = [], []
    for part, weights in zip(parts, support, strict=True):
        at = best(weights, spans, checks.support)
        if at is None:
            dropped.append(part)
        else:
            claims.append(Claim(part, (_citation(spans[at]),), float(weights[at])))
    found = replace(found, dropped=tuple(dropped))
    return _with(found, claims) if claims else replace(found, abstained="nothing that the model said stands in passages that fit the question")


def _citation(span: Span) -> Citation:
    return Citation(span.document, span.start, span.end, span.text)


def _with(found: Answered, claims: Sequence[Claim]) -> Answered:
    """An answer of some claims, each with the numbers of its citations."""
    found = replace(found, claims=tuple(claims))
    number = {citation: n for n, citation in enumerate(found.citations, 1)}
    return replace(found, text=" ".join(f"{claim.text} " + "".join(f"[{number[c]}]" for c in claim.citations) for claim in claims))
