"""Asking: a prompt, values for its variables, a model and a way of asking become an answer that was read and checked."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ilk.backend import DEFAULT
from ilk.chat import Answer, Chat, Turn, Want
from ilk.errors import ModelError
from ilk.prompts._schema import plain
from ilk.prompts.outputs import Free, Invalid
from ilk.prompts.strategies import ChainOfThought, FewShot, SelfConsistency, Shots, Strategy
from ilk.prompts.template import Template
from ilk.rng import Rng
from ilk.verbs.chat import chat_of

AS_WRITTEN = FewShot()
FINAL = "Now give the answer and nothing else."
AGAIN = "That is not valid: {why}. Give the whole answer again."


@dataclass(frozen=True)
class Asked:
    """What came of a question: the value that was read from the answer (None where no answer was valid; `problems` say why), and all that it took.

    `answers` are all texts that the model gave, in order, thoughts and invalid ones too. `share` of the votes agreed with the value, 1 where there was but one vote;
    `tied` are other values that got as many. `read` and `made` count tokens; `cut` counts answers that ended at the limit of tokens.
    """

    value: Any
    text: str
    answers: tuple[str, ...]
    problems: tuple[str, ...] = ()
    share: float = 1.0
    tied: tuple[Any, ...] = ()
    read: int = 0
    made: int = 0
    cut: int = 0

    @property
    def valid(self) -> bool:
        """Whether an answer could be read."""
        return self.share > 0


def ask(prompt: Template, values: Mapping[str, Any], model: Any = DEFAULT, strategy: Strategy = AS_WRITTEN, *, seed: int = 0, retries: int = 0) -> Asked:
    """The answer to a prompt with values in it; `model` is an address, what answers turns, or a Model of such a thing.

    An invalid answer is told to the model and asked for again, `retries` times at most.

    >>> from ilk.prompts import Labels, Variable
    >>> mood = Template(name="mood", body="{{text}}? yes or no", output=Labels(("yes", "no")), variables={"text": Variable()})
    >>> ask(mood, {"text": "Is it raining"}, "echo:yes").value
    'yes'
    """
    chat = chat_of(model)
    rng = Rng(seed).child("prompt")
    if not isinstance(strategy, SelfConsistency):
        return _one(_Asking(chat, prompt, prompt.want, rng, retries), dict(values), strategy)
    want = replace(prompt.want, temperature=strategy.temperature)
    return _vote([_one(_Asking(chat, prompt, want, rng.child("sample", i), retries), dict(values), strategy.each) for i in range(strategy.n)])


@dataclass(frozen=True)
class _Asking:
    """Who is asked what, and how."""

    chat: Chat
    prompt: Template
    want: Want
    rng: Rng
    retries: int

    def answer(self, turns: Sequence[Turn], want: Want, number: int) -> Answer:
        """One answer; every one has a seed of its own, but at temperature 0, where seeds change nothing."""
        seed = self.rng.child("ask", number).key() % 2**31 if want.temperature > 0 else 0
        return Answer.of(self.chat.chat(turns, replace(want, seed=seed)))


def _one(asking: _Asking, values: dict[str, Any], strategy: Shots | ChainOfThought) -> Asked:
    """One answer, with all its repeats."""
    prompt, reasoned = asking.prompt, isinstance(strategy, ChainOfThought)
    turns = prompt.turns(values, strategy.examples(prompt, values, asking.rng), reasoned)
    got: list[Answer] = []
    marker = ""
    if isinstance(strategy, ChainOfThought):
        marker = strategy.marker if isinstance(prompt.output, Free) else ""
        turns = (*turns[:-1], Turn.of("user", f"{turns[-1].text}\n\n{strategy.ask}{_marked(marker)}"))
        if not marker:
            got.append(asking.answer(turns, asking.want, 0))
            turns = (*turns, got[0].turn, Turn.of("user", FINAL))
    return _read(asking, turns, got, marker)


def _marked(marker: str) -> str:
    return f" Then write the answer after {marker!r} on a line of its own." if marker else ""


def _read(asking: _Asking, turns: tuple[Turn, ...], got: list[Answer], marker: str) -> Asked:
    """Asks until an answer is valid, or has been asked for often enough."""
    want, problems, text = replace(asking.want, shape=asking.prompt.output.shape), list[str](), ""
    for _ in range(asking.retries + 1):
        try:
            got.append(asking.answer(turns, want, len(got) + len(problems)))
            text = _after(got[-1].text, marker)
            return _told(asking.prompt.output.parse(text), text, got, problems, 1.0)
        except Invalid as why:
            text = got[-1].text
            problems.append(f"{why}{' (cut off at the limit of tokens)' if got[-1].end.why == 'length' else ''}")
            turns = (*turns, got[-1].turn, Turn.of("user", AGAIN.format(why=why)))
        except ModelError as why:   # of a backend that checks shapes itself and gives no answer that lacks them
            if why.code != "SHAPE":
                raise
            problems.append(why.message)
            turns = (*turns[:-1], Turn.of("user", f"{turns[-1].text}\n\n{AGAIN.format(why=why.message)}"))
    return _told(None, text, got, problems, 0.0)


def _after(text: str, marker: str) -> str:
    """What follows the last marker."""
    if marker not in text:
        raise Invalid(f"there is no {marker!r}")
    return text.rpartition(marker)[2].strip() if marker else text


def _told(value: Any, text: str, got: Sequence[Answer], problems: Sequence[str], share: float) -> Asked:
    return Asked(value, text, tuple(a.text for a in got), tuple(problems), share, (), sum(a.end.read for a in got), sum(a.end.made for a in got),
                 sum(a.end.why == "length" for a in got))


def _vote(some: Sequence[Asked]) -> Asked:
    """The value that most samples have; of several, the one that came first, the others being `tied`. An invalid sample is a vote for nobody."""
    votes = Counter(_key(one.value) for one in some if one.valid)
    most = max(votes.values(), default=0)
    won = [next(one for one in some if one.valid and _key(one.value) == key) for key, n in votes.items() if n == most]
    best = won[0] if won else some[0]
    return Asked(best.value, best.text, tuple(a for one in some for a in one.answers), tuple(p for one in some for p in one.problems), most / len(some),
                 tuple(one.value for one in won[1:]), sum(one.read for one in some), sum(one.made for one in some), sum(one.cut for one in some))


def _key(value: Any) -> str:
    """Two answers are the same if they are so but for case and white space."""
    return " ".join(plain(value).casefold().split())
