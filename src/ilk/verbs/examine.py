"""examine: what a language model knows, by questions with known answers, marked without a judge; each figure with its floor."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ilk.backend import chat_at
from ilk.chat import Answer, Chat, Want, Weighs
from ilk.errors import ModelError, UsageError
from ilk.rng import Rng
from ilk.truth._arrays import resampled, share
from ilk.truth.abstain import RiskCoverage, risk_coverage
from ilk.truth.calibrate import Platt, Reliability, reliability
from ilk.truth.choice import letter_bias, weighed
from ilk.truth.confidence import confidence
from ilk.truth.fluency import perplexity
from ilk.truth.suite import Choice, Item, suite

MOST, FEWEST = 40, 40   # tokens of an answer; answers with a confidence that a curve needs


@dataclass(frozen=True)
class Figure:
    """A figure of a part in a language, beside its floor: the best of repeating the question, one answer to all, chance, and the shortest or longest option."""

    part: str
    language: str
    name: str
    value: float
    interval: tuple[float, float]
    floor: float | None
    n: int

    def __repr__(self) -> str:
        floor = "" if self.floor is None else f", floor {self.floor:.2f}"
        return f"{self.part}/{self.language} {self.name}: {self.value:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}]{floor} (n={self.n})"


@dataclass(frozen=True)
class Marked:
    """An item, what was answered, its marks, and how sure the model was (None: not told)."""

    item: Item
    answer: str
    marks: dict[str, float]
    sure: float | None


@dataclass(frozen=True)
class Examination:
    """The figures of a model, all answers, and how far its confidence knows which are right: as told, and after Platt's scaling fitted on the other half."""

    model: str
    figures: tuple[Figure, ...]
    curve: RiskCoverage | None = None
    told: Reliability | None = None
    calibrated: Reliability | None = None
    answers: tuple[Marked, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{self.model}: marked by rules, greedy answers of at most {MOST} tokens", *map(repr, self.figures)]
        lines += [f"confidence: {self.curve!r}"] if self.curve else []
        lines += [f"  {name}: {r!r}" for name, r in (("as told", self.told), ("calibrated on the other half", self.calibrated)) if r]
        return "\n".join((*lines, *self.notes))


def examine(model: str | Chat, suite_: str | Path | Sequence[Item] = "basic", text: str | None = None, most: int | None = None, seed: int = 0) -> Examination:
    """Asks a model, or what stands at an address, the questions of a suite: facts, sums, reading, choices, forms, in English and Chinese.

    Greedy, so that it gives the same again. Options are also weighed by likelihood, and a `text` foretold, where the model tells log probabilities; what could
    not be measured is said in `notes`. `most` takes so many items of each part and language. Small n: look at the intervals before saying that one is better.

    >>> print(examine("echo:Paris", most=2).figures[0])
    facts/en right: 0.500 [0.095, 0.905], floor 0.50 (n=2)
    """
    chat = chat_at(model) if isinstance(model, str) else model
    items = _first(suite(suite_) if isinstance(suite_, str | Path) else tuple(suite_), most)
    if not items:
        raise UsageError("there are no questions", code="EMPTY", param="suite", remedy="at least one item")
    notes: list[str] = []
    told = _tells(chat, items[0], seed, notes)
    answers = tuple(_asked(chat, item, Want(most=MOST, temperature=0, seed=seed, alternatives=0 if told else None)) for item in items)
    figures = [f for group in _groups([a.item for a in answers]) for f in _figures([a for a in answers if (a.item.part, a.item.language) == group], items, seed)]
    if isinstance(chat, Weighs):
        for part, language in _groups(choices := [i for i in items if isinstance(i, Choice)]):
            some = [i for i in choices if (i.part, i.language) == (part, language)]
            figures += _noted(partial(_weighed, chat, some), f"{part}/{language} by likelihood", notes)
        figures += _noted(partial(_foretold, chat, text), "bits per byte", notes) if text is not None else []
    else:
        notes.append(f"{chat.name} does not weigh texts: no choices by likelihood{'' if text is None else ', no bits per byte'}")
    return Examination(chat.name, tuple(figures), *_surety(answers, seed, notes), answers, tuple(notes))


def _first(items: tuple[Item, ...], most: int | None) -> tuple[Item, ...]:
    if most is None:
        return items
    return tuple(i for group in _groups(items) for i in [i for i in items if (i.part, i.language) == group][:most])


def _groups(items: Sequence[Item]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((i.part, i.language) for i in items))


def _tells(chat: Chat, item: Item, seed: int, notes: list[str]) -> bool:
    """Whether it tells the nats of its tokens."""
    try:
        if Answer.of(chat.chat([item.turn()], Want(most=1, temperature=0, seed=seed, alternatives=0))).tokens:
            return True
        why = "no tokens"
    except UsageError as refused:
        if refused.code == "CONTEXT":
            raise
        why = refused.message
    notes.append(f"no confidence is told: {why}")
    return False


def _asked(chat: Chat, item: Item, want: Want) -> Marked:
    found = Answer.of(chat.chat([item.turn()], want))
    return Marked(item, found.text, dict(item.marks(found.text.strip())), confidence(found.tokens).score if found.tokens else None)


def _figures(some: Sequence[Marked], every: Sequence[Item], seed: int) -> list[Figure]:
    """Every mark of one part in one language."""
    items, found = [a.item for a in some], []
    floors = _floors(items, list(dict.fromkeys(key for item in every if item.language == items[0].language for key in item.fitting())))
    for name in some[0].marks:
        values = np.array([a.marks[name] for a in some])
        whole = bool(np.isin(values, (0.0, 1.0)).all())
        span = share(values) if whole else resampled(lambda v: float(v.mean()), [values], Rng(seed).child("examine", name))
        found.append(Figure(items[0].part, items[0].language, name, float(values.mean()), span, floors.get(name), len(some)))
    return found


def _floors(items: Sequence[Item], same: Sequence[str]) -> dict[str, float]:
    """By mark, what repeating, or the best single answer of the suite, gets; not of what is better low, which silence gets."""
    ways = [[item.turn().text for item in items], *([key] * len(items) for key in same)]
    marked = [[item.marks(said) for item, said in zip(items, way, strict=True)] for way in ways]
    return {name: max(float(np.mean([m[name] for m in way])) for way in marked) for name in marked[0][0] if name != "invented"}


def _noted(figures: Callable[[], list[Figure]], name: str, notes: list[str]) -> list[Figure]:
    """Figures, or a note of what kept a model from giving them."""
    try:
        return figures()
    except (UsageError, ModelError) as why:
        notes.append(f"{name}: {why.message}")
        return []


def _weighed(chat: Weighs, items: Sequence[Choice]) -> list[Figure]:
    """Choices of one part and language by likelihood, without letters, and what letters do."""
    part, language = items[0].part, items[0].language
    picked = [weighed(chat, i.question, i.options, language).picked() for i in items]
    chance, found = float(np.mean([1 / len(i.options) for i in items])), []
    blind = max(chance, *(float(np.mean([int(pick([len(o) for o in i.options])) == i.truth for i in items])) for pick in (np.argmin, np.argmax)))
    for way in picked[0]:
        right = [p[way] == i.truth for p, i in zip(picked, items, strict=True)]
        found.append(Figure(part, language, f"by likelihood, {way}", float(np.mean(right)), share(right), blind, len(items)))
    if len({len(i.options) for i in items}) == 1:
        bias = letter_bias(chat, [(i.question, i.options, i.truth) for i in items], language)
        found += [Figure(part, language, "by letter, options turned round", float(np.mean(bias.accuracy)), bias.interval, chance, bias.n),
                  Figure(part, language, "letter bias (0: none)", bias.bias, bias.bias_interval, None, bias.n)]
    return found


def _foretold(chat: Weighs, text: str) -> list[Figure]:
    found = perplexity(chat, text)
    off = 1.96 * (found.error or 0.0)
    name = f"bits per byte (xz is the floor; {found.how})"
    return [Figure("text", "any", name, found.bits_per_byte, (found.bits_per_byte - off, found.bits_per_byte + off), found.floor, found.bytes)]


def _surety(answers: Sequence[Marked], seed: int, notes: list[str]) -> tuple[RiskCoverage | None, Reliability | None, Reliability | None]:
    """Whether confidence tells right from wrong, over all answers that are one or the other."""
    known = [(a.sure, a.marks["right"]) for a in answers if a.sure is not None]
    if len(known) < FEWEST:
        notes.append(f"{len(known)} answers with a confidence are too few for a curve ({FEWEST})")
        return None, None, None
    sure, right = (np.array(c, dtype=np.float64) for c in zip(*known, strict=True))
    half = Rng(seed).child("halves").shuffle(len(sure)).numpy() % 2 == 0
    scaled = np.empty(len(sure))
    for one in (half, ~half):
        scaled[one] = Platt.fit(sure[~one], right[~one])(sure[one])
    return risk_coverage(sure, right, seed), reliability(sure, right, seed=seed), reliability(scaled, right, seed=seed)
