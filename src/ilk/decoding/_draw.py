"""Items drawn token by token from any next-token model, in blocks; each item by its own noise."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..batch import Batch, ragged, stack
from ..distribution import Cache, How, NextToken
from ..errors import UsageError
from ..rng import Rng, choose
from ._contract import Decoding, Remembers, Searches, Walks, Writes, decoding

ROWS, MOST, TOKENS, NOISE = 64, 1024, 1 << 14, 64  # items drawn at once: at least, at most, and tokens of them; steps whose noise is drawn at once

Begins = Callable[[int, int], Cache]  # where the items from one number to another stand after the prefix


def continued(model: NextToken, begins: Begins, prefix: Tensor, most: int, n: int, rng: Rng, how: How | None) -> Batch:
    """n items that begin with the prefix and have at most `most` tokens more."""
    if isinstance(how, Searches):
        return _found(how.search(model, begins(0, 1), most) if n else [], prefix, n, rng)
    if isinstance(how, Writes):
        return _lined([torch.cat([prefix, how.write(model, begins(i, i + 1), prefix, most, rng.at(i))]) for i in range(n)])
    chosen = decoding(how)
    most = most if chosen is None or chosen.most is None else min(most, chosen.most)
    rows = max(ROWS, min(MOST, TOKENS // (most + 1)))
    spans = [(i, min(i + rows, n)) for i in range(0, n, rows)]
    blocks = [_block(model, begins(a, b), prefix.repeat(b - a, 1), most, rng.at(a), chosen) for a, b in spans]
    return stack([ragged(prefix.repeat(0, 1), torch.zeros(0, dtype=torch.long)), *blocks])


def _block(model: NextToken, cache: Cache, prefix: Tensor, most: int, rng: Rng, chosen: Decoding | None) -> Batch:
    n, before = prefix.shape
    rows, alive = torch.arange(n), torch.ones(n, dtype=torch.bool)
    length, pieces, token = torch.zeros(n, dtype=torch.long), [prefix], None
    walk = chosen if isinstance(chosen, Walks) else None
    state = None if walk is None else _state(walk, prefix[0]).repeat(n)
    for t in range(most):
        if t % NOISE == 0:
            noise = rng.child("tokens", t // NOISE).uniform(n, NOISE)
            pieces.append(torch.zeros(n, NOISE, dtype=torch.long))
        law = model.step(cache, token)
        if walk is not None and state is not None:
            law = law.masked_fill(~walk.allowed(state), -torch.inf)
        if isinstance(chosen, Remembers):
            law = chosen.bent(law, torch.cat(pieces, 1)[rows, :prefix.shape[1] + t])
        token = choose(law if chosen is None else chosen.logits(law), noise[rows, t % NOISE])
        alive = alive & (token < law.shape[1] - 1)
        kept = int(alive.sum())
        if not kept:
            break
        pieces[-1][rows[alive], t % NOISE] = token[alive]
        length[rows[alive]] += 1
        state = None if walk is None or state is None else walk.after(state, token)
        if 4 * kept < 3 * len(alive):
            goes = alive.nonzero()[:, 0]
            rows, token, cache, alive = rows[goes], token[goes], cache.pick(goes), alive[goes]
            state = None if state is None else state[goes]
    return ragged(torch.cat(pieces, 1), length + before)


def _state(walk: Walks, prefix: Tensor) -> Tensor:
    """The machine's state after the prefix; UsageError if that has none."""
    state = torch.tensor([walk.first])
    for token in prefix[:, None]:
        if not bool(walk.allowed(state)[0, token]):
            raise UsageError("what is given does not agree with the form that is asked for", code="GIVEN", param="given")
        state = walk.after(state, token)
    return state


def _found(items: Sequence[Tensor], prefix: Tensor, n: int, rng: Rng) -> Batch:
    if rng.first + n > len(items):
        raise UsageError(f"a search found {len(items)} items, {rng.first + n} were asked for", code="HOW", param="how", remedy="a wider one, or draw instead")
    return _lined([torch.cat([prefix, tokens]) for tokens in items[rng.first:rng.first + n]])


def _lined(items: Sequence[Tensor]) -> Batch:
    return Batch(Batch(torch.cat([torch.zeros(0, dtype=torch.long), *items])), length=torch.tensor([len(x) for x in items], dtype=torch.long))
