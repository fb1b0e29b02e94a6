"""How well spans of text support a claim, or fit a question: by telling words in common, and by nearness of meaning where there is an embedder."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .store import Library
from .words import words

Weights = NDArray[np.float64]
# Words that say what sort of answer is wanted, not what it is about:
_ASKING = frozenset({
    "a", "about", "an", "and", "are", "at", "be", "been", "by", "called", "can", "could", "did", "do", "does", "for", "from", "give", "had", "has", "have", "how", "i",
    "in", "is", "it", "its", "many", "me", "much", "my", "name", "of", "on", "or", "please", "tell", "that", "the", "there", "these", "this", "those", "to", "was", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "why", "with", "you", "your"})
_ASKING_ZH = re.compile("请问|請問|告诉我|告訴我|(?:是在?)?(?:什[么麼](?:时候|時候)?|哪(?:里|裡|儿|兒|一?[个個位首年天些])|谁|誰|几|多少)|[为為]什[么麼]|怎[么麼][样樣]?"
                        "|的?作者是?|出自|的?[上下]一?句|叫做?(?=什|$)|是不是|有没有|有沒有|[吗嗎呢]")

_WANTS = re.compile(r"^\W*(?:(?:since |until |from )?when\b|how (?:many|much|old|long|tall|high|far)\b|(?:at |in |on )?(?:what|which) (?:time|year|date|day)\b)"
                    "|什[么麼](?:时候|時候)|哪一?[年天]|多少|[几幾]", re.IGNORECASE)
_COUNTS = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|[mb]illion|\w+days?|days?|weeks?|months?|years?|century"
                     r"|hours?|minutes?|morning|noon|evening|night|spring|summer|autumn|winter|january|february|march|april|may|june|july|august|september|october|november"
                     "|december)\\b|[一二三四五六七八九十百千万萬两兩年月日时時]", re.IGNORECASE)


@runtime_checkable
class Supports(Protocol):
    """Says how well spans support claims: from 0 to 1, (claims, spans)."""

    def support(self, claims: Sequence[str], spans: Sequence[str]) -> Weights: ...


def asked(question: str) -> str:
    """What a question is about: without question words; the whole of it if nothing else is there.

    >>> asked("When was the old bridge built?")
    'old bridge built'
    >>> asked("“床前明月光”的作者是谁？")
    '床前明月光'
    """
    kept = [w for w in re.findall(r"[^\W_]+", " ".join(_ASKING_ZH.split(question))) if w.lower() not in _ASKING]
    return " ".join(kept) or question


def counted(question: str, span: str) -> bool:
    """Whether a span could answer a question for a number or a time: any does where none is asked for.

    >>> [counted("When was it built?", span) for span in ("It is of steel.", "It was built in 1901.")], counted("Who built it?", "Anna Meyer.")
    ([False, True], True)
    """
    return not _WANTS.search(question) or bool(_COUNTS.search(span))


@dataclass(frozen=True)
class Overlap:
    """Words in common, weighted by how rare they are in the library (their share of the claim's words); the mean of that and the cosine, if there is an embedder."""

    library: Library

    def support(self, claims: Sequence[str], spans: Sequence[str]) -> Weights:
        """From 0 to 1, (claims, spans)."""
        shared: Weights = np.zeros((len(claims), len(spans)))
        held = [set(words(span)) for span in spans]
        for i, claim in enumerate(claims):
            weights = rarity(self.library, words(claim))
            total = sum(weights.values()) or 1.0
            shared[i] = [sum(w for word, w in weights.items() if word in has) / total for has in held]
        if self.library.embedder is None or not shared.size:
            return shared
        vectors = self.library.embed([*claims, *spans]).astype(np.float64)
        near: Weights = (vectors[:len(claims)] @ vectors[len(claims):].T).clip(0, 1)
        return (shared + near) / 2


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[^\s.!?:]\s)[A-Z]\w+")   # a capital inside a sentence
_NOT = re.compile(r"\b(?:not|no|never|none|nor|neither|cannot|without)\b|n['’]t\b|[不没沒无無未非]", re.IGNORECASE)


@dataclass(frozen=True)
class Held:
    """`Overlap`, but nothing for a claim with a number or name that the span has not, or where only one of the two says no."""

    library: Library

    def support(self, claims: Sequence[str], spans: Sequence[str]) -> Weights:
        """From 0 to 1, (claims, spans)."""
        fine: Weights = np.array([[_agree(claim, span) for span in spans] for claim in claims], np.float64).reshape(len(claims), len(spans))
        return Overlap(self.library).support(claims, spans) * fine


def _agree(claim: str, span: str) -> bool:
    return (set(_NUMBER.findall(claim)) <= set(_NUMBER.findall(span)) and set(words(" ".join(_NAME.findall(claim)))) <= set(words(span))
            and bool(_NOT.search(claim)) == bool(_NOT.search(span)))


def rarity(library: Library, found: Iterable[str]) -> dict[str, float]:
    """The weight of each word: the inverse frequency of BM25 (Robertson & Zaragoza 2009) over the passages of the library."""
    all_of, = library.rows("SELECT count(*) FROM passages")[0]
    counts = {word: library.rows("SELECT count(*) FROM words WHERE words MATCH ?", f'"{word}"')[0][0] for word in dict.fromkeys(found)}
    return {word: log(1 + (all_of - n + 0.5) / (n + 0.5)) for word, n in counts.items()}
