"""Draws a model's own law faster: a cheap model drafts tokens, the model checks them in one pass (Leviathan et al. 2023)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor

from ..batch import Batch
from ..distribution import Cache, How, NextToken
from ..errors import UsageError
from ..model import Model
from ..rng import Rng, choose
from ._contract import Looks, tempered

ONE, NOISE = torch.zeros(1, dtype=torch.long), 64  # the only row; places whose noise is drawn at once


@dataclass(frozen=True, kw_only=True)
class Speculative(How):
    """`draft`, a fitted model with the same tokens, guesses `ahead` tokens; the law of what comes out is that of the model at the temperature.

    A guess x is taken with probability min(1, p(x) / q(x)), p being the model's law and q the draft's; in place of the first that
    is not, one of max(0, p - q) is drawn, after the last one of p. It is made for one text at a time: items are drawn one by one.

    >>> import ilk
    >>> texts = [f"{a} + {b}" for a in range(9) for b in range(9)]
    >>> model = ilk.fit(texts, ilk.Transformer(layers=1, width=16, heads=2), budget=ilk.Steps(5))
    >>> len(model.sample(3, how=ilk.Speculative(draft=ilk.fit(texts, ilk.NGram(order=3)))))
    3
    """

    draft: Any = None  # a Model or the NextToken inside one
    ahead: Annotated[int, Interval(ge=1, le=64)] = 4
    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    def bound(self, tokens: Sequence[str | None]) -> Speculative:
        """The same with what is inside of the draft; UsageError for one whose tokens stand for something else."""
        if not isinstance(self.draft, Model):
            return self
        pieces = getattr(self.draft.codec, "pieces", None)
        if pieces is None or tuple(pieces()) != tuple(tokens):
            raise _refused("the draft's tokens are not the model's", "fit both to the same texts, with the same tokens")
        if self.draft.givens:
            raise _refused("the draft has something given", "a draft as it was fitted")
        return replace(self, draft=self.draft.body)

    def write(self, model: NextToken, cache: Cache, prefix: Tensor, most: int, rng: Rng) -> Tensor:
        """One item's tokens after the prefix. The noise of a place is used at most once in what comes out, so it goes by the place."""
        look, draft = self._checked(model)
        most = most if self.most is None else min(most, self.most)
        guess = _Guess(draft, draft.begin(Batch(Batch(prefix), length=torch.tensor([len(prefix)]))), self.temperature)
        found: list[int] = []
        every = torch.zeros(0, 3, dtype=torch.float64)
        law = model.step(cache, None)
        end = law.shape[1] - 1
        while len(found) < most:
            while len(every) < len(found) + self.ahead + 1:
                every = torch.cat([every, rng.child("tokens", len(every) // NOISE).uniform(1, NOISE, 3)[0]])
            noise = every[len(found):]
            many = min(self.ahead, most - len(found) - 1, look.room(cache) - 1) if found else 0
            tokens, q = guess.ahead(found[-1:], many, end, noise)
            if found:
                read = torch.tensor([found[-1], *(t for t in tokens if t != end)])
                law = look.read(cache, read) if len(read) > 1 else look.step(cache, read)
            taken, token = verdict(tempered(law, self.temperature), q, tokens, noise)
            if (wrong := sum(t != end for t in tokens) - taken) > 0:
                look.back(cache, wrong)
            guess.keep(tokens[:taken])
            found += [*tokens[:taken], *([] if token is None else [token])]
            if end in found[-1:]:
                return torch.tensor(found[:-1], dtype=torch.long)
        return torch.tensor(found, dtype=torch.long)

    def _checked(self, model: NextToken) -> tuple[Looks, NextToken]:
        draft = self.draft.body if isinstance(self.draft, Model) else self.draft
        if not isinstance(draft, NextToken):
            raise _refused("speculative decoding needs a model of tokens as its draft", "ilk.Speculative(draft=model), such as an ngram")
        if getattr(draft, "about", None):
            raise _refused("the draft learned from something beside the items", "one that did not")
        if not isinstance(model, Looks):
            raise _refused("this model takes in its tokens one by one, so there is nothing to gain", "a transformer")
        return model, draft


class _Guess:
    """Where a draft stands: `cache`, and `late`, the last of what has come, which it has not taken in."""

    def __init__(self, draft: NextToken, cache: Cache, temperature: float) -> None:
        self.draft, self.cache, self.temperature = draft, cache, temperature
        self.late: list[int] = []
        self.stands = [cache]

    def ahead(self, last: list[int], many: int, end: int, noise: Tensor) -> tuple[list[int], list[Tensor]]:
        """Up to so many tokens after the last one, each with the log law it was drawn by; none after an end."""
        tokens: list[int] = []
        laws: list[Tensor] = []
        self.late += last
        if many < 1:
            return tokens, laws
        for token in self.late:  # one at least
            law = self.draft.step(self.cache, torch.tensor([token]))
        self.late, self.stands = [], [self.cache]
        if law.shape[1] != end + 1:
            raise _refused(f"the draft has {law.shape[1] - 1} tokens, the model {end}", "fit both to the same texts, with the same tokens")
        for j in range(many):
            if j:
                self.stands.append(self.stands[-1].pick(ONE))
                law = self.draft.step(self.stands[-1], torch.tensor(tokens[-1:]))
            laws.append(tempered(law[0], self.temperature))
            tokens.append(int(choose(laws[-1], noise[j, :1])))
            if tokens[-1] == end:
                break
        return tokens, laws

    def keep(self, taken: list[int]) -> None:
        """These of the guesses have been taken."""
        if self.late:
            return
        have = min(len(taken), len(self.stands) - 1)
        self.cache, self.late = self.stands[have], taken[have:]


def verdict(p: Tensor, q: Sequence[Tensor], tokens: Sequence[int], noise: Tensor) -> tuple[int, int | None]:
    """How many guesses are taken, and the token after them: None after an end. p are the model's log laws at each place."""
    for j, token in enumerate(tokens):
        if float(noise[j, 1]) >= chance(p[j], q[j], token):
            return j, int(choose(left(p[j], q[j]), noise[j, 2:]))
    if tokens and tokens[-1] == p.shape[1] - 1:
        return len(tokens), None
    return len(tokens), int(choose(p[len(tokens)], noise[len(tokens), 2:]))


def chance(p: Tensor, q: Tensor, token: int) -> float:
    """With which probability a guess is taken."""
    return float((p[token] - q[token]).clamp_max(0).exp())


def left(p: Tensor, q: Tensor) -> Tensor:
    """Log weights of the token in place of a guess that is not taken: what the model gives more than the draft."""
    more = (p.exp() - q.exp()).clamp_min(0)
    return more.log() if bool(more.any()) else p


def _refused(why: str, remedy: str) -> UsageError:
    return UsageError(why, code="HOW", param="draft", remedy=remedy)
