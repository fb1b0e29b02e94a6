"""The contract of a task for language models: what is asked, what shape the answer has, and how code finds out whether a finished answer is right."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

from .chat import Shape, Turn
from .errors import DataError

G = TypeVar("G")   # what is given
V = TypeVar("V")   # what a right answer is worth
G_in = TypeVar("G_in", contravariant=True)
MOST = 4 << 20   # bytes of a file that is given


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an answer: a code for programs, and a sentence that names the place."""

    code: str
    told: str


@dataclass(frozen=True, slots=True)
class Checked(Generic[V]):
    """What code made of an answer, and all that is wrong with it; it passed if nothing is."""

    value: V
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class Task(ABC, Generic[G, V]):
    """Something a model is asked for whose answer code can check: a frozen dataclass, one file each in tasks/."""

    @abstractmethod
    def turns(self, given: G) -> tuple[Turn, ...]:
        """What is asked."""

    @abstractmethod
    def check(self, given: G, answer: str) -> Checked[V]:
        """What an answer is worth. It never raises for what a model wrote, and never repairs it."""

    @abstractmethod
    def read(self, word: str) -> G:
        """What one word of a command line gives: a file, or a text."""

    def shape(self, given: G) -> Shape | None:
        """The shape of an answer, if it has one."""
        return None


@runtime_checkable
class Floored(Protocol[G_in]):
    """A task that is also done without a model: what a model has to be better than."""

    def floor(self, given: G_in) -> str: ...


@runtime_checkable
class Chooses(Protocol[G_in]):
    """A task whose answer is one of a few texts, so that a model can weigh them."""

    def choices(self, given: G_in) -> Sequence[str]: ...


def asked(order: str, *blocks: tuple[str, str]) -> tuple[Turn, ...]:
    """An order, then texts that it is about, each under its name and fenced: they are data, whatever they say."""
    shown = "".join(f"\n\n{name}:\n<<<\n{text}\n>>>" for name, text in blocks)
    return (Turn.of("user", order + shown),)


def text_of(word: str) -> str:
    """The text of a file of that name, or the word itself if there is no such file; DataError for a file that is no text."""
    path = Path(word)
    try:
        if len(word) > 4096 or not path.is_file():
            return word
        if path.stat().st_size > MOST:
            raise DataError(f"{word} is larger than {MOST >> 20} MiB", code="TOO_LARGE", remedy="give a part of it")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{word} is no text in UTF-8", code="ENCODING") from None
    except (OSError, ValueError):
        return word
