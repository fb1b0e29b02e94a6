"""What an exact density must obey: it sums to 1, samples follow it, and the laws of next tokens multiply to it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import NextToken, Samples
from ..rng import Rng
from ..space import Discrete, Many
from ._fitted import Fitted
from ._same import chi_square, require, untouched
from ._spaces import bins, lattice

DRAWN = 5000


def check_total(f: Fitted) -> None:
    """The density sums (or integrates) to 1 over the whole space, is float64, and does not depend on the batch."""
    found = lattice(f.space)
    if not f.exact:
        return
    with untouched(f"log_prob of {f.name}"):
        nats = f.log_prob(f.body, f.items)
    require(nats.shape == (len(f.items),), f"{f.name}: log_prob has shape {tuple(nats.shape)}")
    require(f.body.log_prob(f.data.batch).dtype == torch.double, f"{f.name}: log_prob is not float64")  # type: ignore[attr-defined]
    require(not bool(nats.isnan().any()), f"{f.name}: log_prob is NaN")
    alone = torch.cat([f.log_prob(f.body, f.items.cut(i, i + 1)) for i in range(5)])
    require(torch.allclose(alone, nats[:5], atol=1e-4), f"{f.name}: log_prob depends on what else is in the batch")
    if found is not None:
        total = float((f.log_prob(f.body, found.items) + found.log_volume).exp().sum())
        require(abs(total - 1) < found.within, f"{f.name}: the density sums to {total}")


def check_law(f: Fitted) -> None:
    """Samples follow the density: chi-square over all values, or over boxes of a grid."""
    found = lattice(f.space)
    if found is None or not f.exact or not isinstance(f.body, Samples):
        return
    p = (f.log_prob(f.body, found.items) + found.log_volume).exp()
    place, many = bins(f.space, found.items)
    made, _ = bins(f.space, f.draw(f.body, DRAWN, Rng(6)))
    expected = torch.zeros(many, dtype=torch.double).index_add_(0, place, p) * DRAWN
    value = chi_square(torch.bincount(made, minlength=many), expected, f.name)
    require(value > 1e-4, f"{f.name}: samples do not follow log_prob (chi-square p = {value:.2g})")


def check_next_token(f: Fitted) -> None:
    """Step laws multiply to log_prob, whatever the batch; `pick` and `cut` of a cache stand where they say."""
    require_steps(f, {})


def require_steps(f: Fitted, said: Mapping[str, Batch]) -> None:
    """`check_next_token` for items of one context."""
    if not isinstance(f.body, NextToken) or not f.exact or not isinstance(f.space, Many) or not isinstance(f.space.of, Discrete):
        return
    size, at_most, body = f.space.of.each[0], f.space.at_most, f.body
    found = lattice(f.space)
    assert found is not None
    for length in range(at_most + 1):
        items = found.items.take(found.items.lengths == length)
        items = replace(items, context=repeated(said, len(items)))
        tokens = items.padded(0)
        cache, total = body.begin(_beginning(tokens, 0, said)), torch.zeros(len(items), dtype=torch.double)
        for t in range(min(length + 1, at_most)):
            law = body.step(cache, None if t == 0 else tokens[:, t - 1])
            require(law.shape == (len(items), size + 1), f"{f.name}: step gave {tuple(law.shape)}, wanted {(len(items), size + 1)}")
            goes = tokens[:, t] if t < length else torch.full((len(items),), size)
            total += law.double().log_softmax(1).gather(1, goes[:, None])[:, 0]
        require(torch.allclose(total, f.log_prob(body, items), atol=1e-4), f"{f.name}: steps do not multiply to log_prob at length {length}")
    pair = torch.tensor([[0, 1], [size - 1, 0]])
    straight = body.step(body.begin(_beginning(pair, 2, said)), None)
    cache = body.begin(_beginning(pair, 1, said))
    body.step(cache, pair[:, 1])
    picked = body.step(cache.pick(torch.tensor([1, 0, 1])), None)
    require(torch.allclose(picked, straight[[1, 0, 1]], atol=1e-4), f"{f.name}: a picked cache stands elsewhere")
    body.step(cache, pair[:, 0])
    require(torch.allclose(body.step(cache.cut(2), None), straight, atol=1e-4), f"{f.name}: a cut cache stands elsewhere")


def _beginning(tokens: Tensor, many: int, said: Mapping[str, Batch]) -> Batch:
    return Batch(Batch(tokens[:, :many].flatten()), length=torch.full((len(tokens),), many), context=repeated(said, len(tokens)))


def repeated(said: Mapping[str, Batch], n: int) -> dict[str, Batch]:
    """The context of one item for each of n."""
    return {name: batch.take(torch.zeros(n, dtype=torch.long)) for name, batch in said.items()}
