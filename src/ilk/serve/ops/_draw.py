"""Items of one model drawn step by step, for one request or for several at once."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ilk.batch import Batch
from ilk.decoding._contract import Searches, Writes
from ilk.distribution import Converses, How, Unfolds
from ilk.model import Model
from ilk.rng import Joined, Rng
from ilk.verbs.condition import BLOCK
from ilk.verbs.sample import drawn

SAME = 1e-3   # how far numbers may be apart that are drawn in batches of other sizes, of the largest


@dataclass(frozen=True)
class Wish:
    """How many items by which seed."""

    n: int
    seed: int

    @property
    def rng(self) -> Rng:
        """Their noise, that of `ilk.sample`."""
        return Rng(self.seed).child("sample")


def alone(model: Model, wish: Wish, how: How | None) -> Iterator[Any]:
    """The items that `ilk.sample` gives, at the end; None after each step before that, where the family has steps."""
    if model.met.picky or not isinstance(model.met.scorer, Unfolds) or not 1 <= wish.n <= BLOCK:
        yield drawn(model, wish.n, wish.rng, how)
        return
    batch = yield from _steps(model, wish.n, wish.rng, how)
    yield _decoded(model, batch, wish)


def joined(model: Model, wishes: Sequence[Wish], how: How | None) -> Iterator[list[Any] | None]:
    """The items of several, each those that it gets `alone`, from one draw; only of a model that `may_join`."""
    wishes = list(wishes)
    rng, n = Joined.of([(w.rng, w.n) for w in wishes]), sum(w.n for w in wishes)
    batch = (yield from _steps(model, n, rng, how)) if isinstance(model.met.scorer, Unfolds) else model.met.posterior.sample(n, rng.child("code"), how)
    ends = torch.tensor([0, *(w.n for w in wishes)]).cumsum(0).tolist()
    yield [_decoded(model, batch.cut(a, b), w) for w, a, b in zip(wishes, ends, ends[1:], strict=False)]


def may_join(model: Model, how: How | None) -> bool:
    """Whether what is drawn for several at once is what each would get alone.

    Never where draws are chosen among, looked for or written by steps of their own, and never by another program: then an item's noise is not one row.
    """
    by_rows = not (model.met.picky or isinstance(how, Searches | Writes) or isinstance(model.body, Converses))
    return by_rows and keeps_apart(model.met.posterior, how)


def keeps_apart(body: Any, how: How | None = None) -> bool:
    """Whether a distribution shows on three items that what it draws for two requests at once is what each gets alone: it is not believed before."""
    some = [Wish(1, 11), Wish(2, 7)]
    one, two = (body.sample(w.n, w.rng.child("code"), how) for w in some)
    try:
        both = body.sample(3, Joined.of([(w.rng, w.n) for w in some]).child("code"), how)
    except IndexError:   # more rows of noise than items
        return False
    return same(one, both.cut(0, 1)) and same(two, both.cut(1, 3))


def same(one: Batch, other: Batch) -> bool:
    """Whether two batches hold the same items, but for the last digits of real numbers."""
    ours, theirs = list(_leaves(one)), list(_leaves(other))
    return len(ours) == len(theirs) and all(_close(a, b) for a, b in zip(ours, theirs, strict=True))


def _leaves(batch: Batch) -> Iterator[torch.Tensor]:
    yield from (mark for mark in (batch.length, batch.seen) if mark is not None)
    if isinstance(batch.x, torch.Tensor):
        yield batch.x
    else:
        for part in [batch.x] if isinstance(batch.x, Batch) else batch.x.values():
            yield from _leaves(part)


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or not one.is_floating_point():
        return bool(torch.equal(one, other))
    return bool(torch.allclose(one, other, rtol=0, atol=SAME * max(1.0, float(one.abs().max()) if one.numel() else 1.0), equal_nan=True))


def _steps(model: Model, n: int, rng: Rng, how: How | None) -> Any:
    state: Any = None
    for state in model.met.scorer.unfold(n, rng.child("code"), how):  # noqa: B007
        yield None
    return state.items


def _decoded(model: Model, batch: Batch, wish: Wish) -> Any:
    return model.met.codec.decode(model.lift.decode(batch), wish.rng.child("raw"))
