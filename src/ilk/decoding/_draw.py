"""Items drawn token by token from any next-token model, in blocks; each item by its own noise. What is drawn half can be gone on with."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..batch import Batch, ragged, stack
from ..distribution import Cache, How, NextToken, Unfinished
from ..errors import UsageError
from ..rng import Rng, choose
from ._contract import Decoding, Remembers, Searches, Walks, Writes, decoding

ROWS, MOST, TOKENS, NOISE = 64, 1024, 1 << 14, 64  # items drawn at once: at least, at most, and tokens of them; steps whose noise is drawn at once

Begins = Callable[[int, int], Cache]  # where the items from one number to another stand after the prefix
Known = Mapping[str, Batch]


@dataclass(frozen=True, eq=False)
class Drawing:
    """Items of a model that begin with the prefix and have at most `most` tokens more, each told its context."""

    model: NextToken
    begins: Begins
    prefix: Tensor
    most: int

    def items(self, n: int, rng: Rng, how: How | None) -> Batch:
        """n of them, done."""
        if isinstance(how, Searches):
            return _found(how.search(self.model, self.begins(0, 1), self.most) if n else [], self.prefix, n, rng)
        if isinstance(how, Writes):
            return _lined([torch.cat([self.prefix, how.write(self.model, self.begins(i, i + 1), self.prefix, self.most, rng.at(i))]) for i in range(n)])
        blocks = []
        for block in self._blocks(n, rng, decoding(how)):
            while block.step():
                pass
            blocks.append(block.items())
        return stack([ragged(self.prefix.repeat(0, 1), torch.zeros(0, dtype=torch.long)), *blocks])

    def states(self, n: int, rng: Rng, how: How | None, context: Known, since: Unfinished | None) -> Iterator[Unfinished]:
        """The items as they grow, each told its context; after `since`, if there is one. What is looked for, or written by steps of its own, comes at once."""
        if isinstance(how, Searches | Writes):
            if since is not None:
                raise UsageError(f"{type(how).__name__} does not go on from the middle", code="HOW", param="how", remedy="draw the rest, such as by TopP")
            return iter([Unfinished(replace(self.items(n, rng, how), context=context), 1, 1)])
        blocks = self._blocks(n, rng, decoding(how)) if since is None else self._rest(since, rng, decoding(how), context)
        states = Unfinished.together([_told(block, since is None) for block in blocks], [] if since is None else [block.state() for block in blocks])
        return (replace(s, items=replace(s.items, context=context), branched=since is not None and since.branched) for s in states)

    def _blocks(self, n: int, rng: Rng, chosen: Decoding | None) -> list[_Block]:
        most = _least(self.most, chosen)
        spans = _spans(n, most)
        grown = [_Grown(self.prefix.repeat(b - a, 1), torch.ones(b - a, dtype=torch.bool), most) for a, b in spans]
        return [_Block(self.model, partial(self.begins, a, b), g, rng.at(a), chosen) for (a, b), g in zip(spans, grown, strict=True)]

    def _rest(self, since: Unfinished, rng: Rng, chosen: Decoding | None, context: Known) -> list[_Block]:
        """Of items that are begun; the tokens drawn so far say where they stand."""
        n, most = len(since.items), _least(self.most, chosen)
        tokens, lengths = since.items.padded(0), since.items.lengths
        begun = pad(tokens, (0, max(0, len(self.prefix) - tokens.shape[1])))[:, :len(self.prefix)]
        if bool((lengths < len(self.prefix)).any()) or bool((begun != self.prefix).any()):
            raise UsageError("what is made so far begins otherwise than what is given", code="GIVEN", param="given", remedy="steer with what it may still become")
        blocks = []
        for a, b in _spans(n, most):
            grown = _Grown(tokens[a:b], since.way["open"][a:b], most, since.step, lengths[a:b])
            blocks.append(_Block(self.model, partial(self._standing, grown, a, context), grown, rng.at(a), chosen))
        return blocks

    def _standing(self, grown: _Grown, first: int, context: Known) -> Cache:
        rows = grown.open.nonzero()[:, 0]
        told = {k: b.take(first + rows) for k, b in context.items()}
        return self.model.begin(replace(ragged(grown.tokens[rows], grown.length[rows]), context=told))


def _least(most: int, chosen: Decoding | None) -> int:
    return most if chosen is None or chosen.most is None else min(most, chosen.most)


def _spans(n: int, most: int) -> list[tuple[int, int]]:
    rows = max(ROWS, min(MOST, TOKENS // (most + 1)))
    return [(i, min(i + rows, n)) for i in range(0, n, rows)]


def _told(block: _Block, first: bool) -> Iterator[Unfinished]:
    if first:
        yield block.state()
    while block.step():
        yield block.state()


class _Grown:
    """Tokens (n, longest) of items that have taken `done` steps of at most `most`; those `open` go on."""

    def __init__(self, tokens: Tensor, open: Tensor, most: int, done: int = 0, length: Tensor | None = None) -> None:
        self.tokens, self.open, self.most, self.done = tokens, open, most, done
        self.length = torch.full((len(tokens),), tokens.shape[1]) if length is None else length


class _Block:
    """Items that are drawn side by side; the cache is of those that go on, and of some that ended of late."""

    def __init__(self, model: NextToken, cache: Callable[[], Cache], grown: _Grown, rng: Rng, chosen: Decoding | None) -> None:
        self.model, self.rng, self.chosen, self.most, self.done = model, rng, chosen, grown.most, grown.done
        self.tokens, self.length, self.open = grown.tokens, grown.length.clone(), grown.open.clone()
        self.rows, self.token = grown.open.nonzero()[:, 0], cast("Tensor | None", None)
        self.wide = grown.tokens.shape[1]   # tokens of those that go on
        self.cache = cache() if self._goes_on() else None
        self.walk = chosen if isinstance(chosen, Walks) else None
        self.state_of = None if self.walk is None else _state(self.walk, self.tokens[self.rows], self.done)
        self.noise = torch.zeros(0)

    def _goes_on(self) -> bool:
        return self.done < self.most and bool(self.open.any())

    def step(self) -> bool:
        """One more token each; False where there is none to come."""
        if not self._goes_on():
            return False
        place, n = self.done % NOISE, len(self.open)
        if not place or not len(self.noise):
            self.noise = self.rng.child("tokens", self.done // NOISE).uniform(n, NOISE)
        if self.wide >= self.tokens.shape[1]:
            self.tokens = pad(self.tokens, (0, max(NOISE, self.tokens.shape[1])))
        law = self._law()
        token = choose(law if self.chosen is None else self.chosen.logits(law), self.noise[self.rows, place])
        alive = self.open[self.rows] & (token < law.shape[1] - 1)
        goes = self.rows[alive]
        self.tokens[goes, self.wide] = token[alive]
        self.length[goes] += 1
        self.open = torch.zeros_like(self.open).index_fill(0, goes, True)
        self.done, self.wide, self.token = self.done + 1, self.wide + 1, token
        if self.walk is not None and self.state_of is not None and len(goes):
            self.state_of = self.walk.after(self.state_of, token)
        if 4 * len(goes) < 3 * len(alive) and len(goes):
            self._fewer(alive.nonzero()[:, 0])
        return True

    def _law(self) -> Tensor:
        law = self.model.step(self.cache, self.token)
        if self.walk is not None and self.state_of is not None:
            law = law.masked_fill(~self.walk.allowed(self.state_of), -torch.inf)
        return self.chosen.bent(law, self.tokens[self.rows, :self.wide]) if isinstance(self.chosen, Remembers) else law

    def _fewer(self, goes: Tensor) -> None:
        """Those that ended are left behind."""
        if self.cache is None or self.token is None:
            return
        self.rows, self.token, self.cache = self.rows[goes], self.token[goes], self.cache.pick(goes)
        self.state_of = None if self.state_of is None else self.state_of[goes]

    def items(self) -> Batch:
        """As they are now."""
        return ragged(self.tokens, self.length)

    def state(self) -> Unfinished:
        """As they are now, and which of them go on."""
        return Unfinished(self.items(), self.done, self.most if self._goes_on() else self.done, {"open": self.open})


def _state(walk: Walks, tokens: Tensor, drawn: int) -> Tensor:
    """The machine's state after tokens (n, so many), of which the last `drawn` were not given; UsageError if it has none."""
    one = tokens if drawn else tokens[:1]
    state = torch.full((len(one),), walk.first)
    for token in one.T:
        if not bool(walk.allowed(state).gather(1, token[:, None]).all()):
            raise UsageError("what is given does not agree with the form that is asked for", code="GIVEN", param="given")
        state = walk.after(state, token)
    return state.expand(len(tokens)).clone()


def _found(items: Sequence[Tensor], prefix: Tensor, n: int, rng: Rng) -> Batch:
    if rng.first + n > len(items):
        raise UsageError(f"a search found {len(items)} items, {rng.first + n} were asked for", code="HOW", param="how", remedy="a wider one, or draw instead")
    return _lined([torch.cat([prefix, tokens]) for tokens in items[rng.first:rng.first + n]])


def _lined(items: Sequence[Tensor]) -> Batch:
    return Batch(Batch(torch.cat([torch.zeros(0, dtype=torch.long), *items])), length=torch.tensor([len(x) for x in items], dtype=torch.long))
