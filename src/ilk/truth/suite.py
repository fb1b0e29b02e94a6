"""Questions with known answers, as lines of JSON: how each is asked, and how an answer is marked without a judge."""
from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ilk.chat import Turn
from ilk.errors import DataError, UsageError, nearest
from ilk.store import parse_json

from .answers import exact, names_one, number_right, stands, token_f1
from .choice import LETTERS, lettered
from .support import support

DECLINED = {"en": 160, "zh": 60}   # characters: a longer answer that has such words in it says something else
_DECLINES = {"en": re.compile(r"\bunknown\b|\bdo(?:es)?(?: not|n['’]t) "
                               r"(?:say|state|mention|specify|provide|tell|give|know)|\bnot (?:stated|mentioned|specified|provided|given|known)\b", re.I),
             "zh": re.compile("不知道|未知|没有?(?:说|提|给出|写)|未(?:说|提|给出|写)|不清楚|无法")}
UNKNOWN = {"en": "unknown", "zh": "不知道"}
_BRIEF = {"en": "{} Answer in a few words.", "zh": "{}请用几个词简短回答。"}
_NUMBER = {"en": "{} Answer with the number.", "zh": "{}请用数字回答。"}
_READ = {"en": "{}\n\nQuestion: {}\nAnswer in a few words of the text. If the text does not say, answer: unknown",
         "zh": "{}\n\n问题：{}\n请用原文中的几个词回答。如果原文没有说，请回答：不知道"}
_PICKED = re.compile(r"(?<![A-Za-z])([A-J])(?![A-Za-z])")


@dataclass(frozen=True, kw_only=True)
class Item(ABC):
    """A question of a part of a suite, in a language."""

    part: str
    language: str
    question: str

    @abstractmethod
    def turn(self) -> Turn:
        """How it is asked."""

    @abstractmethod
    def marks(self, answer: str) -> Mapping[str, float]:
        """Marks from 0 to 1 by name; the first says how far it is right."""

    def fitting(self) -> Sequence[str]:
        """Right answers, for the floor: what saying the same to every question would get."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Fact(Item):
    """Right if an answer is named."""

    answers: tuple[str, ...]

    def turn(self) -> Turn:
        """With the wish to be brief."""
        return Turn.of("user", _BRIEF[self.language].format(self.question))

    def marks(self, answer: str) -> Mapping[str, float]:
        """Whether one of the answers is named; whether nothing else is."""
        return {"right": names_one(answer, self.answers), "exact": exact(answer, self.answers)}

    def fitting(self) -> Sequence[str]:
        """The first answer."""
        return self.answers[:1]


@dataclass(frozen=True, kw_only=True)
class Sum(Item):
    """Right if the last number of the answer is the number."""

    number: float

    def turn(self) -> Turn:
        """With the wish for a number."""
        return Turn.of("user", _NUMBER[self.language].format(self.question))

    def marks(self, answer: str) -> Mapping[str, float]:
        """Whether the last number is right."""
        return {"right": number_right(answer, self.number)}

    def fitting(self) -> Sequence[str]:
        """The number."""
        return (f"{self.number:g}",)


@dataclass(frozen=True, kw_only=True)
class Reading(Item):
    """A question about a passage. Without answers the passage does not say, and only who says so is right."""

    passage: str
    answers: tuple[str, ...] = ()

    def turn(self) -> Turn:
        """The passage, then the question."""
        return Turn.of("user", _READ[self.language].format(self.passage, self.question))

    def marks(self, answer: str) -> Mapping[str, float]:
        """Right, exact match and token F1. `invented`: an answer to what the passage does not say, or a sentence of which it bears out nothing.

        A right answer is named, in less than half of the passage's length.
        """
        known, brief = self.answers or (UNKNOWN[self.language],), 2 * len(answer) < len(self.passage)
        declined = len(answer) <= DECLINED[self.language] and _DECLINES[self.language].search(answer) is not None
        right = float(declined) if not self.answers else names_one(answer, self.answers) * brief * (not declined)
        borne = right or stands(answer, self.passage) or all(s.score > 0 for s in support(answer, [self.passage]))
        return {"right": right, "exact": exact(answer, known), "f1": token_f1(answer, known), "invented": float(not declined and not (self.answers and borne))}

    def fitting(self) -> Sequence[str]:
        """The first answer, or that it does not say."""
        return (self.answers or (UNKNOWN[self.language],))[:1]


@dataclass(frozen=True, kw_only=True)
class Choice(Item):
    """One of several options is true."""

    options: tuple[str, ...]
    truth: int

    def turn(self) -> Turn:
        """The options under letters."""
        return lettered(self.question, self.options, self.language)

    def marks(self, answer: str) -> Mapping[str, float]:
        """Whether the one option named, or else the one letter said, is the true one."""
        named = {i for i, o in enumerate(self.options) if names_one(answer, [o])}
        return {"right": float((named or {LETTERS.index(c) for c in _PICKED.findall(answer)}) == {self.truth})}

    def fitting(self) -> Sequence[str]:
        """Its letter."""
        return (LETTERS[self.truth],)


@dataclass(frozen=True, kw_only=True)
class Format(Item):
    """Right if a pattern matches the whole answer: what it says does not count."""

    pattern: str

    def turn(self) -> Turn:
        """As it stands."""
        return Turn.of("user", self.question)

    def marks(self, answer: str) -> Mapping[str, float]:
        """Whether the form is kept."""
        return {"right": float(re.fullmatch(self.pattern, answer[:4000]) is not None)}


def suite(name: str | Path = "basic") -> tuple[Item, ...]:
    """The suite of that name, or of a file of lines of JSON, each with `part`, `language` (en or zh), `question`, and one of `answers`, `number`, `options` with
    `truth`, `pattern`, or `passage` with `answers`.

    >>> len(suite())
    180
    """
    if isinstance(name, str) and re.fullmatch(r"\w+", name) and not Path(name).exists():
        found = files("ilk.truth") / "suites" / f"{name}.jsonl"
        if not found.is_file():
            raise UsageError(f"no suite {name!r}", code="SUITE", param="suite", remedy=nearest(name, ["basic"]) + " or a .jsonl file")
        data = found.read_bytes()
    else:
        try:
            data = Path(name).read_bytes()
        except OSError as why:
            raise DataError(f"{name} can't be read: {why.strerror}", code="NOT_FOUND") from None
    lines = [(i, line) for i, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{name} has no questions", code="EMPTY")
    return tuple(_item(line, f"{name}, line {i}") for i, line in lines)


def _item(line: bytes, where: str) -> Item:
    try:
        told = parse_json(line, where)
        told = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
        sort: Any = Choice if "options" in told else Format if "pattern" in told else Reading if "passage" in told else Sum if "number" in told else Fact
        item: Item = sort(**told)
        _check(item)
    except (TypeError, AttributeError, ValueError, re.error) as why:
        raise DataError(f"{where}: {str(why)[:200]}", code="FORMAT", remedy="see ilk.truth.suite.suite") from None
    return item


def _check(item: Item) -> None:
    texts = (item.part, item.question, *getattr(item, "answers", ()), *getattr(item, "options", ()), getattr(item, "passage", "x"), getattr(item, "pattern", "x"))
    if not all(isinstance(t, str) and t for t in texts):
        raise ValueError("a text that is none, or empty")
    if item.language not in UNKNOWN:
        raise ValueError(f"language {item.language!r}: en or zh")
    if isinstance(item, Fact) and not item.answers:
        raise ValueError("no answers")
    if isinstance(item, Sum) and (isinstance(item.number, bool) or not isinstance(item.number, int | float)):
        raise ValueError("number is none")
    if isinstance(item, Choice) and (not 2 <= len(item.options) <= len(LETTERS) or item.truth not in range(len(item.options))):
        raise ValueError(f"2 to {len(LETTERS)} options, and truth is the number of one, from 0")
    if isinstance(item, Format):
        re.compile(item.pattern)
