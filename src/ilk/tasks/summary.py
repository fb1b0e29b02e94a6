"""A shorter text whose every sentence is traced to places of the source; numbers and names that the source lacks fail."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from ..chat import Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ._texts import Span, content, length, names, negations, numbers, sentences, value

PLACES = 3   # sentences of the source that one sentence may rest on


@dataclass(frozen=True, slots=True)
class Traced:
    """A sentence, the places of the source that it rests on, and the share of its content words found there."""

    sentence: Span
    places: tuple[Span, ...]
    support: float


@dataclass(frozen=True)
class Summarised:
    """A summary and where each of its sentences comes from."""

    text: str
    traced: tuple[Traced, ...]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Summary(Task[str, Summarised]):
    """A summary of at most `ratio` of the source's length (words, or characters), of whose sentences `support` of the content words stand in three sentences of the source.

    Overlap of words is no entailment: a sentence that puts the words of its source together in a wrong way passes, unless it denies what is said there.

    >>> done = Summary(ratio=1).check("The bridge opened in 1932. It is 503 metres long.", "The bridge is 530 metres long.")
    >>> [f.told for f in done.findings]
    ["sentence 1: the source has no number 530: 'The bridge is 530 metres long.'"]
    """

    ratio: Annotated[float, Interval(gt=0, le=1)] = 0.4
    support: Annotated[float, Interval(gt=0, le=1)] = 0.6

    def turns(self, given: str) -> tuple[Turn, ...]:
        """The source, and how long the summary may be."""
        most = max(1, int(self.ratio * length(given)))
        order = f"Summarise the text in its own language, in at most {most} words (Chinese: characters), in whole sentences."
        return asked(f"{order} Keep to its words, numbers and names; add nothing.", ("Text", given))

    def read(self, word: str) -> str:
        """A text."""
        return text_of(word)

    def check(self, given: str, answer: str) -> Checked[Summarised]:
        """Every sentence traced."""
        source, text = sentences(given), answer.strip()
        known = [content(s.text) for s in source]
        traced = tuple(self._trace(s, source, known) for s in sentences(text))
        wrong = [*self._length(given, text), *(f for i, t in enumerate(traced, 1) for f in self._judged(i, t, given))]
        return Checked(Summarised(text, traced), tuple(wrong))

    def floor(self, given: str) -> str:
        """The sentences whose words come most often in the text, in their order, as many as there is room for; the shortest if there is room for none."""
        source = sentences(given)
        words = [content(s.text) for s in source]
        often: dict[str, int] = {}
        for word in (w for some in words for w in some):
            often[word] = often.get(word, 0) + 1
        rank = sorted(range(len(source)), key=lambda i: (-sum(often[w] - 1 for w in words[i]) / (len(words[i]) + 1), i))
        kept: list[int] = []
        for i in rank:
            if length(" ".join(source[j].text for j in (*kept, i))) <= self.ratio * length(given):
                kept.append(i)
        kept = kept or sorted(range(len(source)), key=lambda i: length(source[i].text))[:1]
        return " ".join(source[i].text for i in sorted(kept))

    def _trace(self, sentence: Span, source: list[Span], known: list[set[str]]) -> Traced:
        """Greedy cover: the sentence of the source that adds most words, three times at most."""
        wanted, left, places = content(sentence.text), content(sentence.text), list[int]()
        while left and len(places) < PLACES:
            best = max(range(len(source)), key=lambda i: len(left & known[i]), default=0)
            if not source or not left & known[best]:
                break
            places.append(best)
            left = left - known[best]
        return Traced(sentence, tuple(source[i] for i in sorted(places)), 1 - len(left) / len(wanted) if wanted else 0.0)

    def _length(self, given: str, text: str) -> Iterator[Finding]:
        had, most = length(text), self.ratio * length(given)
        if not had:
            yield Finding("EMPTY", "there is no summary")
        elif had > most:
            yield Finding("LONG", f"the summary has {had} words or characters, and {int(most)} are allowed")

    def _judged(self, number: int, traced: Traced, given: str) -> Iterator[Finding]:
        said = traced.sentence.text
        where, shown = f"sentence {number}", repr(said[:100])
        there = {value(n.text) for n in numbers(given)}
        for n in numbers(said):
            if value(n.text) not in there:
                yield Finding("NUMBER", f"{where}: the source has no number {n.text}: {shown}")
        for name in names(said):
            if name.text.lower() not in given.lower():
                yield Finding("NAME", f"{where}: the source has no name {name.text}: {shown}")
        if traced.support < self.support:
            yield Finding("UNSUPPORTED", f"{where}: {traced.support:.0%} of its words stand in the source, {self.support:.0%} are wanted: {shown}")
        elif traced.places and bool(negations(said)) != any(negations(p.text) for p in traced.places):
            yield Finding("NEGATION", f"{where}: it denies what its source does not, or the other way round: {shown}")
