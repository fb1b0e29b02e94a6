"""A text model that somebody else trained, opened by its address: it makes texts, answers, goes on and scores like any other model."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from ..backend import chat_at
from ..batch import Batch, Source
from ..chat import Answer, Chat, Continues, Turn, Want, Weighs
from ..distribution import Distribution, Family, How, Met, Posterior
from ..errors import ModelError, UsageError
from ..given import About, Begin, Evidence
from ..letters import from_letters, letters_space, to_letters
from ..rng import Rng
from ..run import Began, Ended, Run
from ..space import Many, Space
from ..store import State

SEEDS = 2**31


class _Letters:
    """How prompts are told: letter by letter."""

    def batch(self, texts: Sequence[str]) -> Batch:
        """The texts."""
        return to_letters(texts)

    def tells(self, text: str) -> bool:
        """All can be said."""
        return bool(text)


class Spoken(Distribution["Pretrained"]):
    """What stands at the address. It learns nothing here; only its address is saved. Texts that nothing is given for go on from nothing."""

    vocabulary = _Letters()

    @cached_property
    def chat(self) -> Chat:
        """The model, opened when it is first asked."""
        return chat_at(self.family.address)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Nothing: it is trained already (`ilk tune` trains on)."""
        run.emit(Began("opening", 1))
        run.tick(self.state)
        run.emit(Ended("opening", 0, 0.0))

    def state(self) -> State:
        """Which model it is."""
        return State(facts={"model": self.family.address})

    def restore(self, state: State) -> None:
        """ModelError for the state of another."""
        if dict(state.facts) != self.state().facts or state.tensors:
            raise ModelError(f"this is not the state of {self.family.address}", code="MODEL_DAMAGED")

    def want(self, how: How | None) -> Want:
        """A way of drawing tokens as models are told it; UsageError for one that can't be told."""
        names = {"p": "top_p", "k": "top_k", "min_p": "min_p"} if how is not None else {}
        said = {names.get(k, k): v for k, v in vars(how).items() if v is not None} if how is not None else {}
        known = {k: v for k, v in said.items() if k in ("temperature", "top_p", "top_k", "min_p", "most")}
        if how is not None and known != said:
            raise UsageError(f"{type(how).__name__} can't be asked of a pretrained model", code="HOW", param="how", remedy="Ancestral, TopK, TopP and MinP can")
        return replace(Want(most=self.family.most), **known)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """n texts, each of its own seed."""
        return _Begun(self, "").sample(n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> Posterior | None:
        """A prompt, or how the text begins."""
        if isinstance(evidence, About) and set(evidence.context) == {"caption"}:
            return _asked(self, from_letters(evidence.context["caption"])[0])
        if isinstance(evidence, Begin) and isinstance(self.chat, Continues):
            return _Begun(self, _text(evidence))
        return None

    def turns(self, prompt: str) -> tuple[Turn, ...]:
        """A prompt as the turns of a conversation."""
        return (*((Turn.of("system", self.family.system),) if self.family.system else ()), Turn.of("user", prompt))


class Weighed(Spoken):
    """One that tells the probabilities of tokens."""

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each text and its end, in the one way that the tokeniser cuts it: other cuttings would add to its probability."""
        return _nats(self.chat, batch, "")


def _nats(chat: Any, batch: Batch, after: str | Sequence[Turn]) -> Tensor:
    return torch.tensor([sum(t.nats for t in chat.weigh(text, after, True)) for text in from_letters(batch)], dtype=torch.float64)


def _text(evidence: Begin) -> str:
    return from_letters(Batch(Batch(evidence.elements), length=torch.tensor([len(evidence.elements)])))[0]


def _seeds(n: int, rng: Rng) -> list[int]:
    """A seed for each item, that depends on nothing but the item."""
    return [int(u * SEEDS) for u in rng.child("seed").uniform(n).tolist()]


class _Begun:
    """Texts that begin so. What comes next is the model's, but a beginning is cut into tokens by itself, so the law is not quite the exact one."""

    def __init__(self, body: Spoken, prefix: str) -> None:
        self.body, self.prefix = body, prefix
        self.met = Met("guided") if prefix else Met("exact")

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """The beginning and how the model goes on."""
        chat, want = self.body.chat, self.body.want(how)
        if not isinstance(chat, Continues):
            raise UsageError(f"{chat.name} only answers: it makes no texts of nothing", code="NO_PROMPT", param="given", remedy="give it a prompt: given(Prompt('...'))")
        return to_letters([self.prefix + Answer.of(chat.continued(self.prefix, replace(want, seed=seed))).text for seed in _seeds(n, rng)])


class _Asked:
    """Answers to a prompt."""

    def __init__(self, body: Spoken, prompt: str) -> None:
        self.body, self.turns, self.met = body, body.turns(prompt), Met("exact")

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """n answers."""
        want = self.body.want(how)
        return to_letters([Answer.of(self.body.chat.chat(self.turns, replace(want, seed=seed))).text for seed in _seeds(n, rng)])


class _AskedWeighed(_Asked):
    """Answers whose probability is told."""

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each answer and its end."""
        return _nats(self.body.chat, batch, self.turns)


def _asked(body: Spoken, prompt: str) -> Posterior:
    return (_AskedWeighed if isinstance(body.chat, Weighs) else _Asked)(body, prompt)


@dataclass(frozen=True, kw_only=True)
class Pretrained(Family):
    """The model at `address` (ilk list backends); `system` stands before every prompt, `most` bounds the tokens of a text.

    Scores are lower bounds, since a text could be cut into tokens in other ways than its tokeniser does; their base measure is that
    of texts, so they stand beside those of models that were fitted here.

    >>> import ilk
    >>> ilk.open("echo:Hello.").given("Hi").sample()
    ['Hello.']
    """

    distribution: ClassVar[type[Distribution[Any]]] = Spoken
    address: str = ""
    system: str = ""
    most: Annotated[int, Interval(ge=1)] | None = 256

    def refuses(self, space: Space) -> str | None:
        """No address, and anything but texts as they are."""
        if not self.address:
            return "names no model to open (address=\"...\")"
        return None if isinstance(space, Many) and space.of == letters_space().of else "takes texts as they are, without a coding"

    def becomes(self, space: Space) -> type[Distribution[Any]]:
        """One that scores, if the model tells probabilities."""
        return Weighed if isinstance(chat_at(self.address), Weighs) else Spoken
