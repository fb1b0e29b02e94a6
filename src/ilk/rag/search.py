"""Searching a library: by words, by meaning, by both, with the best looked at again; what is found stands with its score."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

from ilk.errors import UsageError
from ilk.sentences import sentences

from .store import Found, Library, Passage, Where
from .support import Overlap, asked

DEPTH = 100   # how far down rankings are fused
DEEPEST = 1000


@dataclass(frozen=True)
class Hit:
    """A passage that was found, its score, and the score that each way of looking gave it."""

    passage: Passage
    score: float
    how: Mapping[str, float] = field(default_factory=dict)


class Strategy(Protocol):
    """A way of looking: at most k passages by their ids, best first, with scores; by each way that took part, the first one being what counts."""

    def rank(self, library: Library, query: str, k: int, where: Where = None) -> dict[str, Found]: ...


@dataclass(frozen=True)
class Lexical:
    """By words (BM25; Chinese by characters and pairs of them). Needs no embedder."""

    def rank(self, library: Library, query: str, k: int, where: Where = None) -> dict[str, Found]:
        """The passages that share telling words with the query."""
        return {"words": library.lexical(query, k, where)}


@dataclass(frozen=True)
class Dense:
    """By meaning: the inner product of the embedder's vectors."""

    def rank(self, library: Library, query: str, k: int, where: Where = None) -> dict[str, Found]:
        """The passages nearest to the query."""
        return {"meaning": library.nearest(library.embed([query]), k, where)[0]}


class Fusion(Protocol):
    """Makes one ranking of several: scores by id."""

    def fuse(self, rankings: Sequence[Found]) -> dict[int, float]: ...


@dataclass(frozen=True)
class Ranks:
    """Reciprocal ranks (Cormack, Clarke & Büttcher 2009): the sum of 1 / (constant + rank). Scores don't matter, so anything can be fused."""

    constant: float = 60.0

    def fuse(self, rankings: Sequence[Found]) -> dict[int, float]:
        """Higher for what stands high in many rankings.

        >>> Ranks(1).fuse([[(7, 9.0), (8, 2.0)], [(8, 0.4)]]) == {7: 1 / 2, 8: 1 / 3 + 1 / 2}
        True
        """
        fused: dict[int, float] = {}
        for ranking in rankings:
            for rank, (key, _) in enumerate(ranking, 1):
                fused[key] = fused.get(key, 0.0) + 1 / (self.constant + rank)
        return fused


@dataclass(frozen=True)
class Scores:
    """A weighted mean of scores, each divided by the best of its ranking (after Bruch, Gai & Ingber 2023). What a ranking lacks has the score of its last.

    The weights were chosen on 600 definitions of WordNet, half of their words replaced: recall@5 .983, reciprocal ranks .962 to .982, words .972, meaning .875.
    """

    weights: tuple[float, ...] = (0.6, 0.4)

    def fuse(self, rankings: Sequence[Found]) -> dict[int, float]:
        """Higher for what scores high in rankings that have a high weight.

        >>> Scores((.5, .5)).fuse([[(7, 8.0), (8, 2.0)], [(8, 0.5)]])
        {7: 1.0, 8: 0.625}
        """
        if len(rankings) != len(self.weights):
            raise UsageError(f"{len(self.weights)} weights for {len(rankings)} rankings", code="WEIGHTS", param="weights", remedy="one for each")
        fused = dict.fromkeys((key for ranking in rankings for key, _ in ranking), 0.0)
        for weight, ranking in zip(self.weights, rankings, strict=True):
            best = max((score for _, score in ranking), default=0.0)
            scores = {key: score / best if best > 0 else 0.0 for key, score in ranking}
            last = min(scores.values(), default=0.0)
            for key in fused:
                fused[key] += weight * scores.get(key, last)
        return fused


@dataclass(frozen=True)
class Hybrid:
    """Several ways at once, their rankings fused."""

    of: tuple[Strategy, ...] = (Lexical(), Dense())
    fusion: Fusion = Scores()

    def rank(self, library: Library, query: str, k: int, where: Where = None) -> dict[str, Found]:
        """The passages that stand high in all rankings together."""
        parts = [way.rank(library, query, max(k, DEPTH), where) for way in self.of]
        fused = self.fusion.fuse([next(iter(part.values())) for part in parts])
        best = sorted(fused.items(), key=lambda found: (-found[1], found[0]))[:k]
        return {"both": best, **{name: found for part in parts for name, found in part.items()}}


class Reranker(Protocol):
    """Weighs passages for a query, higher is better: the door for a cross-encoder or a language model."""

    def weigh(self, library: Library, query: str, passages: Sequence[Passage]) -> Sequence[float]: ...


@dataclass(frozen=True)
class Closest:
    """Weighs a passage by its closest sentence: words in common, and nearness of meaning if the library has an embedder."""

    def weigh(self, library: Library, query: str, passages: Sequence[Passage]) -> Sequence[float]:
        """From 0 to 1, (n,)."""
        parts = [[p.text[a:b] for a, b in sentences(p.text)] or [p.text] for p in passages]
        found = iter(Overlap(library).support([asked(query)], [s for part in parts for s in part])[0])
        return [float(max(islice(found, len(part)))) for part in parts]


@dataclass(frozen=True)
class Reranked:
    """The first `depth` of another way, in the order of a reranker. With `Closest` it helps `Lexical` (.972 to .977 as above), not `Hybrid` (.983 to .978)."""

    of: Strategy
    by: Reranker = Closest()
    depth: int = 30

    def rank(self, library: Library, query: str, k: int, where: Where = None) -> dict[str, Found]:
        """The same passages, ordered anew."""
        before = self.of.rank(library, query, max(k, self.depth), where)
        passages = library.passages([key for key, _ in next(iter(before.values()))])
        weights = self.by.weigh(library, query, passages)
        order = sorted(range(len(passages)), key=lambda i: -weights[i])   # stable: equal ones stay as they were
        return {"again": [(passages[i].id, float(weights[i])) for i in order[:k]], **before}


Wider = Callable[[Library, Passage], Passage]


@dataclass(frozen=True)
class Neighbours:
    """A passage together with the `n` before and after it."""

    n: int = 1

    def __call__(self, library: Library, passage: Passage) -> Passage:
        """One passage over all of them."""
        return _joined(library, passage, library.neighbours(passage.id, self.n))


@dataclass(frozen=True)
class Parent:
    """The section that a passage stands in, or as much around the passage as `most` characters hold."""

    most: int = 4000

    def __call__(self, library: Library, passage: Passage) -> Passage:
        """One passage over all of it."""
        return _joined(library, passage, library.parent(passage.id, self.most))


def _joined(library: Library, passage: Passage, run: Sequence[Passage]) -> Passage:
    start, end = min((p.start for p in run), default=passage.start), max((p.end for p in run), default=passage.end)
    return replace(passage, start=start, end=end, text=library.cited(passage.document, start, end))


def default(library: Library) -> Strategy:
    """By words and meaning where the library has an embedder, else by words."""
    return Lexical() if library.embedder is None else Hybrid()


def search(library: Library, query: str, k: int = 5, by: Strategy | None = None, where: Where = None, wider: Wider | None = None,
           each: int | None = None) -> list[Hit]:
    """The k passages of a library that fit a query best, best first.

    `where` is a rule over the facts of documents ("year > 1990 and author == 'Li Bai'"), `each` the most passages of one document, `wider` says how much around
    a passage is given with it (`Neighbours`, `Parent`): what is inside another hit then is left out. UsageError for a k below 1, an empty query or library.
    """
    if not 1 <= k <= DEEPEST:
        raise UsageError(f"{k} passages", code="K", param="k", remedy=f"1 to {DEEPEST}")
    if not query.strip():
        raise UsageError("the question is empty", code="EMPTY", param="question", remedy="say what to look for")
    with library.reading():
        if not len(library):
            raise UsageError("the library has no documents", code="EMPTY", param="library", remedy="add some: ilk index PATH --out LIBRARY")
        found = (by or default(library)).rank(library, query, k if wider is None and each is None else DEEPEST, where)
        return list(islice(_hits(library, found, wider, each), k))


def _hits(library: Library, found: Mapping[str, Found], wider: Wider | None, each: int | None) -> Iterator[Hit]:
    """Hits one by one, those too many of one document or within another left out."""
    first = next(iter(found.values()))
    ways = {name: dict(ranking) for name, ranking in found.items()}
    seen: dict[str, list[Passage]] = {}
    for passage in library.passages([key for key, _ in first]):
        whole = wider(library, passage) if wider else passage
        mine = seen.setdefault(passage.document, [])
        if (each is not None and len(mine) >= each) or any(p.start <= whole.start and whole.end <= p.end for p in mine):
            continue
        mine.append(whole)
        how = {name: ranking[passage.id] for name, ranking in ways.items() if passage.id in ranking}
        yield Hit(whole, next(iter(how.values())), how)
