"""Whether the sentences of an answer are in the texts that they are said to come from: by words, numbers, names and negations; by vectors; by a model of entailment."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Protocol

import numpy as np

from ilk.chat import Embeds
from ilk.errors import DataError
from ilk.metrics._overlap import longest

from ._arrays import Numbers, share
from .claims import Claim, content, denied, names, numbers, sentences

COVERED, ORDERED, NEAR = 0.7, 0.3, 1e-6   # of the words' score: which are there, and whether in this order


class Entails(Protocol):
    """Chances that a text (premise) entails, leaves open, or contradicts a sentence: (n, 3) for n pairs (text, sentence)."""

    def entails(self, pairs: Sequence[tuple[str, str]]) -> Numbers: ...


@dataclass(frozen=True)
class Support:
    """How far a sentence is borne out: `score` from 0 to 1, the place that bears it out best, `spans[span][start:end]`, and what is not there.

    `parts` has the figures behind the score: `words`, `numbers`, `names` and `negation` from 0 to 1, and `likeness`, `entailed` and `contradicted`, where asked for.
    """

    claim: Claim
    score: float
    span: int
    start: int
    end: int
    missing: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)


def support(text: str, spans: Sequence[str], embeds: Embeds | None = None, entails: Entails | None = None) -> tuple[Support, ...]:
    """Each sentence of a text against one or two neighbouring sentences of the spans, and the best of these.

    The score is words x numbers x names x negation. Words: the share of content words that are there, rare ones counting more, and how many in this order;
    with `embeds` its mean with the likeness of vectors; with `entails` the chance of entailment instead, which sees negation itself. A number or name that is not
    there, or that what is said is denied (or the other way round), makes it 0. A score is no chance: fit `ilk.truth.calibrate` to judged sentences, or choose a `threshold` on them. Words see no
    synonyms, no arithmetic and no pronouns.

    >>> found = support("The bridge was built in 1932. It is red.", ["Sydney's bridge was built in 1932 of grey steel."])
    >>> [(round(s.score, 2), s.missing) for s in found]
    [(1.0, ()), (0.0, ('red',))]
    """
    if not all(isinstance(s, str) for s in (text, *spans)):
        raise DataError("the text and its spans are not all strings", code="DATA_TYPE", remedy="a text, and a list of texts")
    claims, windows = sentences(text), [w for i, span in enumerate(spans) for w in _windows(i, span)]
    if not windows:
        return tuple(Support(c, 0.0, -1, 0, 0, tuple(dict.fromkeys(content(c.text)))) for c in claims)
    seen = Counter(word for span in spans for word in set(content(span)))
    rarity = {w: 1 + log((len(spans) + 1) / (n + 1)) for w, n in seen.items()}
    alike = _likeness(claims, windows, embeds)
    best = []
    for i, claim in enumerate(claims):
        found = [_held(claim, w, rarity, 1 + log(len(spans) + 1), None if alike is None else float(alike[i, j])) for j, w in enumerate(windows)]
        if entails is not None:
            found = [_entailed(s, row) for s, row in zip(found, entails.entails([(w.text, claim.text) for w in windows]), strict=True)]
        best.append(max(found, key=lambda s: (s.score, s.parts["words"], s.start - s.end)))
    return tuple(best)


@dataclass(frozen=True, slots=True)
class _Window:
    span: int
    start: int
    end: int
    text: str


def _windows(i: int, span: str) -> list[_Window]:
    """Every sentence of a span, and every two that follow each other."""
    every = sentences(span)
    pairs = [(a, a) for a in every] + list(zip(every, every[1:], strict=False))
    return [_Window(i, a.start, b.end, span[a.start:b.end]) for a, b in pairs]


def _held(claim: Claim, window: _Window, rarity: Mapping[str, float], rarest: float, likeness: float | None) -> Support:
    """One sentence against one place, by letters and vectors."""
    wanted, there = content(claim.text), content(window.text)
    weight = {w: rarity.get(w, rarest) for w in wanted}
    held = set(there)
    covered = sum(v for w, v in weight.items() if w in held) / sum(weight.values()) if weight else 0.0
    words = COVERED * covered + ORDERED * (longest(wanted, there) / len(wanted) if wanted else 0.0)
    parts: dict[str, float] = {"words": words if likeness is None else (words + max(0.0, likeness)) / 2}
    figures, known = set(numbers(claim.text)), numbers(window.text)
    lost = [n for n in figures if not any(abs(n - k) <= NEAR * max(abs(n), abs(k)) for k in known)]
    called = names(claim.text)
    unknown = called - held
    parts |= {"numbers": float(not lost), "names": 1 - len(unknown) / len(called) if called else 1.0, "negation": float(_agree(denied(claim.text), denied(window.text), weight))}
    score = parts["words"] * parts["numbers"] * (parts["names"] == 1) * parts["negation"]
    if likeness is not None:
        parts["likeness"] = likeness
    missing = (*dict.fromkeys(w for w in wanted if w not in held), *(f"{n:.12g}" for n in sorted(lost)), *(() if parts["negation"] else ("negation",)))
    return Support(claim, score if figures or covered else 0.0, window.span, window.start, window.end, missing, parts)


def _agree(one: Mapping[str, bool], other: Mapping[str, bool], weight: Mapping[str, float]) -> bool:
    """Whether most of the words that both have are said by both, or denied by both."""
    shared = [(weight.get(w, 1.0), one[w] == other[w]) for w in one if w in other]
    return not shared or sum(v for v, same in shared if same) > sum(v for v, _ in shared) / 2


def _likeness(claims: Sequence[Claim], windows: Sequence[_Window], embeds: Embeds | None) -> Numbers | None:
    if embeds is None or not claims:
        return None
    return np.asarray(embeds.embed([c.text for c in claims]) @ embeds.embed([w.text for w in windows]).T, dtype=np.float64)


def _entailed(found: Support, row: Numbers) -> Support:
    """The same with the chance of entailment in the place of words and negation."""
    parts = {**found.parts, "entailed": float(row[0]), "contradicted": float(row[2])}
    return Support(found.claim, float(row[0]) * parts["numbers"], found.span, found.start, found.end, found.missing, parts)


@dataclass(frozen=True)
class Hallucinated:
    """The share of sentences whose support is not above a threshold, with a 95 % interval (Wilson), and which these are."""

    rate: float
    interval: tuple[float, float]
    n: int
    at: float
    sentences: tuple[Support, ...]


def hallucinated(found: Sequence[Support], at: float) -> Hallucinated:
    """The hallucination rate of some checked sentences at a threshold, which should come from `ilk.truth.abstain.threshold` over judged ones."""
    if not found:
        raise DataError("there are no sentences", code="EMPTY", remedy="check at least one with support(...)")
    bare = [s.score <= at for s in found]
    return Hallucinated(float(np.mean(bare)), share(bare), len(found), at, tuple(s for s, b in zip(found, bare, strict=True) if b))
