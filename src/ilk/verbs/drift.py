"""drift: how far a text model, in whatever form, is from what it said when it was tuned."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ilk.chat import Answer, Chat, Turn, Want, Weighs
from ilk.errors import UsageError
from ilk.model import Model

MOST = 16   # tokens of an answer that is kept


@dataclass(frozen=True)
class Drift:
    """Over the probe's `tokens`: the largest and the mean difference of a log probability, and the share of greedy tokens that are the same.

    None where this form of the model does not tell log probabilities.
    """

    tokens: int
    greedy: float
    largest: float | None = None
    mean: float | None = None

    def __str__(self) -> str:
        told = "" if self.largest is None else f"log probabilities differ by at most {self.largest:.2g} nats, {self.mean:.2g} in the mean; "
        return f"{told}{100 * self.greedy:.1f} % of greedy tokens the same ({self.tokens} tokens)"


def probed(chat: Any, asked: Sequence[tuple[Sequence[Turn], str]]) -> list[dict[str, Any]]:
    """What a model says now: for each question and its known answer the nats of the answer's tokens, and what it answers itself, likeliest token by token."""
    return [{"turns": [[t.role, t.text] for t in turns], "answer": answer, "nats": _nats(chat, turns, answer), "greedy": _greedy(chat, turns)} for turns, answer in asked]


def drift(model: Any, probe: Sequence[Mapping[str, Any]] | None = None) -> Drift:
    """The model (a Model, or anything that answers: an address opened) against the probe that travels with a tuned model.

    UsageError where there is no probe.
    """
    chat = model.body.chat if isinstance(model, Model) else model
    probe = probe if probe is not None else getattr(getattr(model, "body", None), "probe", None)
    if not probe:
        raise UsageError("no probe travels with this model", code="PROBE", param="model", remedy="only tuned models have one: ilk tune")
    apart, same, many = list[float](), 0, 0
    for one in probe:
        turns = _turns(one["turns"])
        if isinstance(chat, Weighs):
            apart += [abs(a - b) for a, b in zip(_nats(chat, turns, one["answer"]), one["nats"], strict=True)]
        found = _greedy(chat, turns)
        longest = max(len(found), len(one["greedy"]))
        many += longest
        same += sum(a == b for a, b in zip(found, one["greedy"], strict=False))
    return Drift(many, same / max(1, many), max(apart) if apart else None, sum(apart) / len(apart) if apart else None)


def _turns(said: Sequence[Sequence[str]]) -> tuple[Turn, ...]:
    return tuple(Turn.of(role, text) for role, text in said)  # type: ignore[arg-type]


def _nats(chat: Any, turns: Sequence[Turn], answer: str) -> list[float]:
    return [t.nats for t in chat.weigh(answer, turns if _talks(turns) else "".join(t.text for t in turns))]


def _greedy(chat: Any, turns: Sequence[Turn]) -> list[str]:
    """The likeliest tokens, as text."""
    want = Want(most=MOST, temperature=0, alternatives=0)
    if not _talks(turns):
        return [t.text for t in Answer.of(chat.continued("".join(t.text for t in turns), want)).tokens]
    if not isinstance(chat, Chat):
        raise UsageError("this form of the model does not answer", code="NO_CHAT", param="model")
    return [t.text for t in Answer.of(chat.chat(turns, want)).tokens]


def _talks(turns: Sequence[Turn]) -> bool:
    """Whether these are turns, or bare text (of the role tool, which begins no conversation)."""
    return not turns or turns[0].role != "tool"
