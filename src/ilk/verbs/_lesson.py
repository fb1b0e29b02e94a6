"""What a text model learns from: texts, questions with answers, conversations, choices; as tokens, of which some are learned."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

from annotated_types import Interval

from ilk.chat import Turn
from ilk.errors import DataError, UsageError

BEGIN, END = "\u27e6", "\u27e7"   # around what is learned, where people look at it


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How examples are read and learned.

    `columns` names those of the question and the answer (of the question, the better and the worse answer for choices); None looks for the
    usual names. An example of more than `length` tokens (None: the model's window) is refused, cut there or left out, as `long` says; texts are
    cut into pieces. `pack` puts several examples into one row, each blind to the others. `beta` is how closely choices hold the model to where it began.
    """

    columns: tuple[str, ...] | None = None
    length: Annotated[int, Interval(ge=2)] | None = None
    long: Literal["refuse", "cut", "drop"] = "refuse"
    pack: bool = False
    beta: Annotated[float, Interval(gt=0, le=100)] = 0.1
    epochs: Annotated[int, Interval(ge=1, le=10_000)] = 3


@dataclass(frozen=True)
class Example:
    """What was said, the last by the model; a bare text is one turn of nobody. `worse` is the answer that was not chosen."""

    turns: tuple[Turn, ...]
    worse: Turn | None = None
    bare: bool = False

    @property
    def key(self) -> str:
        """What is said before the answer: examples that share it stay on one side of a split."""
        return "\0".join(f"{t.role}\0{t.text}" for t in (self.turns if self.bare else self.turns[:-1]))


    def after(self, system: str) -> Example:
        """The same after a system turn, where there is one and the example has none of its own."""
        own = self.bare or not system or self.turns[0].role == "system"
        return self if own else replace(self, turns=(Turn.of("system", system), *self.turns))


@dataclass(frozen=True)
class Cut:
    """Tokens, which of them are learned, and the text of each stretch with whether it is learned."""

    tokens: tuple[int, ...]
    learned: tuple[bool, ...]
    shown: tuple[tuple[str, bool], ...] = ()

    def marked(self) -> str:
        """The text as the model reads it, what is learned between marks.

        >>> Cut((), (), (("Hi", False), ("Hello", True))).marked()
        'Hi⟦Hello⟧'
        """
        return "".join(f"{BEGIN}{text}{END}" if learned else text for text, learned in self.shown)

    def slices(self, length: int) -> list[Cut]:
        """Pieces of at most that many tokens."""
        return [Cut(self.tokens[i:i + length], self.learned[i:i + length]) for i in range(0, len(self.tokens), length)]


class Tokenised(Protocol):
    """A text model's way to tokens."""

    @property
    def name(self) -> str: ...
    @property
    def window(self) -> int | None: ...
    def plain(self, text: str) -> list[int]: ...
    def marks(self, text: str) -> list[int]: ...
    def around(self) -> tuple[list[int], list[int]]: ...
    def pieces(self, turns: Sequence[Turn]) -> list[tuple[str, str]] | None: ...


def cut(example: Example, model: Tokenised) -> tuple[Cut, ...]:
    """The example as tokens; with a choice, the better and the worse one."""
    if example.bare:
        start, end = model.around()
        text = example.turns[0].text
        ids = model.plain(text)
        return (Cut((*start, *ids, *end), (False,) * len(start) + (True,) * (len(ids) + len(end)), ((text, True),)),)
    other = () if example.worse is None else (replace(example, turns=(*example.turns[:-1], example.worse), worse=None),)
    return tuple(_talk(e.turns, model) for e in (replace(example, worse=None), *other))


def _talk(turns: Sequence[Turn], model: Tokenised) -> Cut:
    """Only what the assistant says is learned, and that it ends there."""
    pieces = model.pieces(turns)
    start, end = model.around()
    if pieces is None:
        before, said = "".join(f"{t.text}\n" for t in turns[:-1]), turns[-1].text
        known, ids = [*start, *model.plain(before)], [*model.plain(said), *end]
        return Cut((*known, *ids), (False,) * len(known) + (True,) * len(ids), ((before, False), (said, True)))
    tokens, learned, shown = list[int](), list[bool](), list[tuple[str, bool]]()
    for text, kind in pieces:
        ids = model.plain(text) if kind == "said" else model.marks(text)
        tokens += ids
        learned += [kind != "before"] * len(ids)
        shown.append((text, kind != "before"))
    return Cut(tuple(tokens), tuple(learned), _joined(shown))


def _joined(shown: Iterable[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    found = list[tuple[str, bool]]()
    for text, learned in shown:
        if found and found[-1][1] == learned:
            found[-1] = (found[-1][0] + text, learned)
        elif text:
            found.append((text, learned))
    return tuple(found)


@dataclass(frozen=True)
class Fitted:
    """Examples as tokens, one tuple each, and how many were cut or left out for their length."""

    cuts: list[tuple[Cut, ...]]
    shortened: int = 0
    dropped: int = 0


def fitted(examples: Sequence[Example], model: Tokenised, lesson: Lesson) -> Fitted:
    """All examples as tokens that fit; DataError for one that is too long where that is refused, UsageError for a length beyond the window."""
    if lesson.length is not None and model.window is not None and lesson.length > model.window:
        raise UsageError(f"a length of {lesson.length} is more than the window of {model.name}, {model.window} tokens", code="CONTEXT", param="length")
    most = lesson.length or model.window or 2**31
    found, shortened, dropped = list[tuple[Cut, ...]](), 0, 0
    for i, example in enumerate(examples):
        whole = cut(example, model)
        if (longest := max(len(c.tokens) for c in whole)) <= most:
            found.append(whole)
            continue
        if lesson.long == "refuse":
            raise DataError(f"example {i} has {longest} tokens, and {most} fit", code="TOO_LONG", param="long",
                            remedy='long="cut" cuts such examples, long="drop" leaves them out; a larger length (up to the window) takes them whole')
        kept = [(piece,) for piece in whole[0].slices(most)] if example.bare else [tuple(c.slices(most)[0] for c in whole)]
        kept = kept if lesson.long == "cut" and all(any(c.learned[1:]) for part in kept for c in part) else []
        shortened, dropped = shortened + bool(kept), dropped + (not kept)
        found += kept
    return Fitted(found, shortened, dropped)
