"""Drafts of sequences: tokens with slots between them, some open; how one grows into an item, and how an item is taken apart into one."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..rng import Rng, choose

SOFT = 0.5   # of the distance to the middle, in balanced trees


@dataclass(frozen=True, eq=False)
class Draft:
    """n drafts: tokens (n, K), lengths (n,) of which are theirs, and which slots are open, (n, K + 1): slot i is before token i."""

    tokens: Tensor
    length: Tensor
    open: Tensor

    @classmethod
    def between(cls, pieces: Sequence[Tensor], n: int) -> Draft:
        """These pieces, with an open slot after each but the last."""
        tokens = pad(torch.cat(list(pieces)), (0, 1))
        open = torch.zeros(len(tokens) + 1, dtype=torch.bool)
        open[torch.tensor([len(piece) for piece in pieces[:-1]]).cumsum(0)] = True
        return cls(tokens.expand(n, -1), torch.full((n,), len(tokens) - 1), open.expand(n, -1))

    def take(self, rows: Tensor) -> Draft:
        """Some of them, no wider than they must be."""
        wide = int(self.length[rows].max()) + 1 if len(rows) else 1
        return Draft(self.tokens[rows, :wide], self.length[rows], self.open[rows, :wide + 1])

    def done(self, slot: Tensor, action: Tensor, close: int) -> Draft:
        """A token put into a slot, which leaves one open on each side of it, or the slot closed."""
        closes, here = (action == close)[:, None], slot[:, None]
        place = torch.arange(self.open.shape[1] + 1)
        before = (place - (place > here).long()).clamp_max(self.open.shape[1] - 1)   # what stood there before the token came
        wider = self.open.gather(1, before) | (place == here) | (place == here + 1)
        open = pad(self.open & (place[:-1] != here), (0, 1)).where(closes, wider)
        tokens = pad(self.tokens, (0, 1))
        moved = tokens.gather(1, before[:, :-1]).where(place[:-1] != here, action[:, None])
        return Draft(tokens.where(closes, moved), self.length + (~closes[:, 0]).long(), open)


def nth(there: Tensor, u: Tensor) -> Tensor:
    """The place of one of the true ones of each row, every one with the same chance, by uniform noise."""
    rank = (u.to(there.device) * there.sum(1)).long()
    return (there & (there.cumsum(1) == rank[:, None] + 1)).int().argmax(1)


@dataclass(frozen=True, eq=False)
class Apart:
    """Items (B, n) of which some positions are there and some slots open: slot `lo` is before position lo and what of it is not there."""

    length: Tensor
    there: Tensor
    open: Tensor

    @classmethod
    def grown(cls, length: Tensor, longest: int, steps: Tensor, balanced: bool, rng: Rng) -> Apart:
        """What items look like after so many steps: each takes an open slot, and puts there one of the missing tokens or closes it."""
        there, open = (torch.zeros(len(length), longest + i, dtype=torch.bool) for i in (0, 1))
        open[:, 0] = True
        row, place = torch.arange(len(length)), torch.arange(longest)
        for step in range(int(steps.max()) if len(steps) else 0):
            u = rng.child(step).uniform(len(length), 2)
            low = nth(open, u[:, 0])
            high = place.where(there & (place >= low[:, None]), length[:, None]).amin(1)
            goes, empty = step < steps, high == low
            outside = (place < low[:, None]) | (place >= high[:, None])
            put = choose(leaning(place, low[:, None], high[:, None], balanced).masked_fill(outside & ~empty[:, None], -torch.inf), u[:, 1])
            more, shut = goes & ~empty, goes & empty
            there[row[more], put[more]] = True
            open[row[more], put[more] + 1] = True
            open[row[shut], low[shut]] = False
        return cls(length, there, open)

    def draft(self, x: Tensor) -> Draft:
        """The tokens that are there, and their slots."""
        count = self.there.sum(1)
        order = (~self.there).int().argsort(dim=1, stable=True)
        open = torch.zeros(self.open.shape, dtype=torch.int).scatter_add_(1, self.slots(), self.open.int()) > 0
        return Draft(x.gather(1, order), count, open).take(torch.arange(len(x)))

    def slots(self) -> Tensor:
        """How many tokens are there before each place, (B, n + 1): the slot that it falls into."""
        return torch.cat([torch.zeros(len(self.there), 1, dtype=torch.long), self.there.cumsum(1)], 1)

    def nats(self, law: Tensor, x: Tensor, balanced: bool) -> Tensor:
        """-log of what an open slot is to do, less that of the order it is done in, in the mean over open slots and orders, (B,)."""
        slot, n = self.slots(), x.shape[1]
        low, high = self.ends()
        missing = ~self.there & (torch.arange(n) < self.length[:, None])
        lean = leaning(torch.arange(n), low, high, balanced).masked_fill(~missing, -torch.inf)
        total = torch.zeros(len(x), n + 1, dtype=lean.dtype).scatter_add_(1, low, lean.exp())
        order = (lean - total.gather(1, low).clamp_min(1e-30).log()).where(missing, 0.0)
        told = law[torch.arange(len(x))[:, None], slot[:, :-1], x]
        puts = (order.exp() * (order - told)).where(missing, 0.0).sum(1)
        empty = self.open & (total == 0)
        closes = -law[torch.arange(len(x))[:, None], slot, law.shape[-1] - 1].where(empty, 0.0).sum(1)
        return (puts + closes) / self.open.sum(1)

    def ends(self) -> tuple[Tensor, Tensor]:
        """Of each place, where the missing stretch around it begins and ends, (B, n) each."""
        place = torch.arange(self.there.shape[1])
        low = (place + 1).where(self.there, 0).cummax(1).values
        return low, place.where(self.there, self.length[:, None]).flip(1).cummin(1).values.flip(1)


def leaning(place: Tensor, low: Tensor, high: Tensor, balanced: bool) -> Tensor:
    """Log weights of which of the missing tokens of a stretch comes first: any alike, or rather the middle one, as in a balanced tree."""
    return -(place - (low + high - 1) / 2).abs().double() / SOFT if balanced else torch.zeros(len(low), len(place), dtype=torch.double)
