"""Answers drawn token by token from laws of the next one: for models whose numbers are in this process."""
from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..chat import Delta, End, Token, Want
from ..errors import UsageError
from ..rng import Rng, choose
from ._stream import Writer
from ._window import broken

Laws = Generator[Tensor, int, None]   # log weights (tokens,) of the next token; it is sent the one that was drawn


class Predicts(Protocol):
    """A model of tokens: those that end an answer, how numbers read as text, the laws after some tokens."""

    @property
    def name(self) -> str: ...
    @property
    def window(self) -> int | None: ...
    @property
    def ends(self) -> frozenset[int]: ...
    def text(self, ids: Sequence[int]) -> str: ...
    def laws(self, ids: Sequence[int]) -> Laws: ...


class Masks(Protocol):
    """Which tokens a shape allows next: a mask (tokens,), None once nothing may follow; it is told what was drawn."""

    def allowed(self, size: int) -> Tensor | None: ...
    def take(self, token: int) -> None: ...
    @property
    def whole(self) -> bool: ...


def answer(model: Predicts, ids: Sequence[int], want: Want, masks: Masks | None, most: int) -> Iterator[Delta]:
    """Draws until an end, a stop string or `most` tokens. Nats are the model's own: before temperature, cuts and shape."""
    writer, noise, laws = Writer(model.text, want.stop), Rng(want.seed).child("answer"), model.laws(ids)
    law, made, why = next(laws), 0, False
    try:
        while made < most and not why:
            allowed, wanted = None if masks is None else masks.allowed(len(law)), pushed(law, want, writer.ids)
            if masks is not None and allowed is None:
                why = True
                break
            token = drawn(wanted if allowed is None else masked(wanted, allowed, model.name), want, noise.at(made))
            if token in model.ends:
                why = True
                break
            if masks is not None:
                masks.take(token)
            told = None if want.alternatives is None else weighed(law, token, want.alternatives, writer)
            yield from writer.add(token, told)
            made, why = made + 1, writer.stopped
            if made < most and not why:
                law = laws.send(token)
    finally:
        laws.close()
    yield from writer.rest()
    if masks is not None and not masks.whole and (not why or writer.stopped):
        raise broken(made)
    yield Delta(end=End("stop" if why or (masks is not None and masks.whole) else "length", len(ids), made))


def masked(law: Tensor, allowed: Tensor, name: str) -> Tensor:
    """The law where a shape allows it; UsageError where the model has nothing to say that it allows."""
    left = law.masked_fill(~allowed, -torch.inf)
    if not bool(left.isfinite().any()):
        raise UsageError(f"{name} has no token for what must come next in this shape", code="SHAPE", param="shape", remedy="a shape of characters that it knows")
    return left


def pushed(law: Tensor, want: Want, made: Sequence[int]) -> Tensor:
    """The law with what is wanted more or less of it: biases by token, and penalties for tokens that the answer has. UsageError (code BIAS) for no token."""
    if odd := [token for token, _ in want.bias if not 0 <= token < len(law)]:
        raise UsageError(f"there is no token {odd[0]}: the model has {len(law)}", code="BIAS", param="bias", remedy=f"numbers from 0 to {len(law) - 1}")
    changes = [(token, more) for token, more in want.bias]
    if want.frequency or want.presence:
        changes += [(token, -want.frequency * many - want.presence) for token, many in Counter(made).items()]
    if not changes:
        return law
    tokens, more = zip(*changes, strict=True)
    return law.index_add(0, torch.tensor(tokens), torch.tensor(more, dtype=law.dtype))


def drawn(law: Tensor, want: Want, rng: Rng) -> int:
    """A token by the law at the temperature, among the likeliest `top_k`, the fewest that weigh `top_p`, those of at least `min_p` of the likeliest."""
    if want.temperature == 0:
        return int(law.argmax())
    weights = law.double() / want.temperature
    if want.top_k is None and want.top_p == 1 and want.min_p == 0:
        return int(choose(weights, rng.uniform(1))[0])
    weights, order = weights.topk(min(want.top_k or len(weights), len(weights)))
    p = weights.softmax(0)
    kept = (p.cumsum(0) - p < want.top_p) & (p >= want.min_p * p[0])
    return int(order[choose(weights.masked_fill(~kept, -torch.inf), rng.uniform(1))[0]])


def ending(law: Tensor, ends: frozenset[int]) -> Token:
    """The end as a token without text: the chance of any token that ends an answer."""
    return Token("", float(law.double().log_softmax(0)[sorted(ends)].logsumexp(0)))


def weighed(law: Tensor, token: int, alternatives: int, writer: Writer) -> Token:
    """A token with its nats and the likeliest others."""
    nats = law.double().log_softmax(0)
    best = nats.topk(min(alternatives + 1, len(nats)))
    others = [(int(i), float(w)) for w, i in zip(best.values, best.indices, strict=True) if int(i) != token][:alternatives]
    return Token("", float(nats[token]), tuple((writer.seen((i,)), w) for i, w in others))
