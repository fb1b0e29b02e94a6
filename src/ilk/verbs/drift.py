"""drift: how far a text model, in whatever form, is from what it said when it was tuned."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from ilk.chat import Answer, Chat, Continues, Turn, Want, Weighs
from ilk.errors import UsageError
from ilk.model import Model

After = str | Sequence[Turn]
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


def probed(chat: Any, asked: Sequence[tuple[After, str]]) -> list[dict[str, Any]]:
    """What a model says now: for each question and its known answer the nats of the answer's tokens, and what it answers itself, likeliest token by token."""
    return [{"after": after if isinstance(after, str) else [[t.role, t.text] for t in after], "answer": answer, "nats": _nats(chat, after, answer),
             "greedy": _greedy(chat, after)} for after, answer in asked]


def drift(model: Any, probe: Sequence[Mapping[str, Any]] | None = None) -> Drift:
    """The model (a Model, or anything that answers: an address opened) against the probe that travels with a tuned model.

    UsageError where there is no probe.
    """
    chat = cast(Any, model.body).chat if isinstance(model, Model) else model
    probe = probe if probe is not None else getattr(getattr(model, "body", None), "probe", None)
    if not probe:
        raise UsageError("no probe travels with this model", code="PROBE", param="model", remedy="only tuned models have one: ilk tune")
    apart, same, many = list[float](), 0, 0
    for one in probe:
        after = one["after"] if isinstance(one["after"], str) else tuple(Turn.of(role, text) for role, text in one["after"])
        if isinstance(chat, Weighs):
            apart += [abs(a - b) for a, b in zip(_nats(chat, after, one["answer"]), one["nats"], strict=True)]
        found = _greedy(chat, after)
        longest = max(len(found), len(one["greedy"]))
        many += longest
        same += sum(a == b for a, b in zip(found, one["greedy"], strict=False))
    return Drift(many, same / max(1, many), max(apart) if apart else None, sum(apart) / len(apart) if apart else None)


def rounded(decoder: Any) -> Any:
    """A decoder whose linear maps are rounded in place to 8 bits: each row to whole numbers from -127 to 127 times a step of its own.

    Absolute-maximum rounding by rows (Dettmers et al. 2022, section 2.1). An output that is tied to the embeddings stays as it is, as they do.
    """
    with torch.no_grad():
        for module in decoder.module.modules():
            if isinstance(module, nn.Linear) and module.weight is not decoder.module.get_input_embeddings().weight:
                step = module.weight.abs().amax(1, keepdim=True).clamp_min(torch.finfo(module.weight.dtype).tiny) / 127
                module.weight.copy_((module.weight / step).round() * step)
    return decoder


def _nats(chat: Any, after: After, answer: str) -> list[float]:
    return [t.nats for t in chat.weigh(answer, after)]


def _greedy(chat: Any, after: After) -> list[str]:
    """The likeliest tokens, as text; without the one that ends an answer, which some forms tell of and others do not."""
    want = Want(most=MOST, temperature=0, alternatives=0)
    if isinstance(after, str) and isinstance(chat, Continues):
        return [t.text for t in Answer.of(chat.continued(after, want)).tokens if t.text]
    if isinstance(chat, Chat) and not isinstance(after, str):
        return [t.text for t in Answer.of(chat.chat(after, want)).tokens if t.text]
    raise UsageError("this form of the model does not answer as the probe asks", code="NO_CHAT", param="model")
