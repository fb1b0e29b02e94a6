"""How whole numbers are made noise, and made again: by hiding them, or by replacing them by others of equal chance.

Time goes from 0, the data, to 1, of which nothing is left; `left` is the chance that a number is still itself. All laws are per position.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import Unfinished
from ..rng import Rng, choose

Law = Callable[[Tensor, Tensor], Tensor]   # noisy values (B, positions) and a time (B,) from 0 to 1 -> log weights (B, positions, values)
LEFT: Mapping[str, Callable[[Tensor], Tensor]] = {"linear": lambda t: 1 - t, "cosine": lambda t: (pi / 2 * t).cos()}
STEPS, TINY = 64, 1e-30


def left(schedule: str, steps: int) -> Tensor:
    """The chance that a number is still itself at the times 0, 1/steps, ..., 1: from 1 to 0, (steps + 1,)."""
    found = LEFT[schedule](torch.linspace(0, 1, steps + 1, dtype=torch.double))
    found[0], found[-1] = 1, 0
    return found


def known_at(tables: Tensor) -> Tensor:
    """The one value that each position may have by its log weights (positions, values), -1 where there are several."""
    may = tables > -torch.inf
    return may.double().argmax(1).where(may.sum(1) == 1, -1)


@dataclass(frozen=True)
class Noise(ABC):
    """A way to make noise of positions of these sizes in so many steps."""

    sizes: tuple[int, ...]
    schedule: str
    steps: int | None

    @abstractmethod
    def nats(self, law: Law, x: Tensor, at: Tensor, rng: Rng) -> Tensor:
        """One draw of minus the bound of each item, (B,); `at` is uniform in [0, 1): which step is looked at."""

    @abstractmethod
    def states(self, law: Law, n: int, tables: Tensor, rng: Rng, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """n items as they get clearer, (n, positions); the last are done. `tables` are weighed in wherever a value is guessed.

        `since` one of these states come those after it: values that the tables forbid are hidden, those they leave alone are there.
        """

    def guessed(self, tables: Tensor, n: int, noise: Tensor) -> Tensor:
        """Values by nothing but the tables and uniform noise, (n, positions)."""
        there = torch.arange(tables.shape[1]) < torch.tensor(self.sizes)[:, None]
        return drawn(tables.masked_fill(~there, -torch.inf).expand(n, -1, -1), noise)


class Absorbing(Noise):
    """Numbers are hidden one by one, in any order alike: the limit of ever smaller steps (Shi et al. 2024; Sahoo et al. 2024; Hoogeboom et al. 2022).

    With `steps`, those whose turn falls into one step are guessed at once (Austin et al. 2021, D3PM).
    """

    def turns(self, u: Tensor) -> Tensor:
        """In which round each position is found, from uniform noise (B, positions)."""
        if self.steps is None:
            return u.argsort(1).argsort(1)
        return torch.searchsorted(left(self.schedule, self.steps).flip(0)[1:], u.contiguous())

    def later(self, u: Tensor, hidden: Tensor, done: Tensor) -> Tensor:
        """The same of positions that are hidden after `done` rounds (B, 1); -1 for others."""
        if self.steps is None:
            return (done + self.turns(u.where(hidden, 2.0))).where(hidden, -1)
        past = left(self.schedule, self.steps).flip(0)[done]
        return self.turns(past + (1 - past) * u).where(hidden, -1)

    def nats(self, law: Law, x: Tensor, at: Tensor, rng: Rng) -> Tensor:
        """Every hidden position is the next one with the same chance, so all of them are scored, at that weight."""
        rounds = len(self.sizes) if self.steps is None else self.steps
        now = (at * rounds).long().clamp_max(rounds - 1)
        hidden = self.turns(rng.child("when").uniform(*x.shape)).to(x.device) >= now[:, None]
        if self.steps is None:
            weight = rounds / (rounds - now)
        else:
            kept = left(self.schedule, self.steps).flip(0).to(x.device)
            weight = rounds * (kept[now + 1] - kept[now]) / (1 - kept[now])
        found = law(*self.shown(x, hidden)).log_softmax(-1).gather(-1, x[..., None])[..., 0]
        return -weight * found.where(hidden, 0.0).sum(1)

    def shown(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen of items, and the share that is hidden: all of the time that matters to a guess."""
        return torch.tensor(self.sizes, device=x.device).where(hidden, x), hidden.double().mean(1)

    def states(self, law: Law, n: int, tables: Tensor, rng: Rng, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """A hidden position is shown as what it would be if it were found now."""
        x, hidden, done = self._from(tables, n, since)
        ahead = {} if since is None else since.ahead
        turn = ahead["turn"] if ahead else self.later(rng.child("when").uniform(*x.shape), hidden, done)
        noise = ahead["noise"] if ahead else rng.child("value").uniform(*x.shape)
        rounds = turn[hidden].unique().tolist()
        of = len(rounds) if since is None else since.step + len(rounds)
        if since is None:
            yield Unfinished(Batch(self.guessed(tables, n, noise).where(hidden, x)), 0, of, {"x": x, "hidden": hidden, "rounds": done}, {"turn": turn, "noise": noise})
        for step, now in enumerate(rounds, of - len(rounds) + 1):
            guess = drawn(law(*self.shown(x, hidden)).double() + tables, noise)
            x, hidden = guess.where(turn == now, x), hidden & (turn != now)
            way = {"x": x, "hidden": hidden, "rounds": torch.full_like(done, now + 1)}
            yield Unfinished(Batch(guess.where(hidden, x)), step, of, way, {"turn": turn, "noise": noise})

    def _from(self, tables: Tensor, n: int, since: Unfinished | None) -> tuple[Tensor, Tensor, Tensor]:
        """Values, which of them are hidden, and how many rounds are over."""
        known = known_at(tables).expand(n, -1)
        if since is None:
            return known, known < 0, torch.zeros(n, 1, dtype=torch.long)
        x = since.way["x"]
        allowed = tables.expand(n, -1, -1).gather(2, x.clamp_min(0)[..., None])[..., 0] > -torch.inf
        return known.where(known >= 0, x), (since.way["hidden"] | ~allowed) & (known < 0), since.way["rounds"]


class Uniform(Noise):
    """Numbers are replaced by any of equal chance (Hoogeboom et al. 2021; Austin et al. 2021)."""

    def back(self, law: Tensor, x: Tensor, kept: Tensor, before: Tensor) -> Tensor:
        """q(x_s | x_t, x_0) in the mean over x_0 of this law (..., values): `kept` is the chance left at t, `before` at the time s < t."""
        size = torch.tensor(self.sizes, dtype=law.dtype, device=law.device)[:, None]
        column = torch.arange(law.shape[-1], device=law.device)
        kept, before = (a[:, None, None].to(law.dtype) for a in (kept, before))
        now, there, step = column == x[..., None], column < size, kept / before
        of_data = kept * now + (1 - kept) / size               # q(x_t | x_0)
        weight = law / of_data.clamp_min(TINY)
        to_now = step * now + (1 - step) / size                # q(x_t | x_s)
        return there * to_now * (before * weight + (1 - before) / size * weight.sum(-1, keepdim=True))

    def nats(self, law: Law, x: Tensor, at: Tensor, rng: Rng) -> Tensor:
        """KL(q(x_s | x_t, x_0) | p(x_s | x_t)) of one step, as many times as there are steps; nothing is lost at time 1."""
        steps = self.steps or STEPS
        kept, now = left(self.schedule, steps).to(x.device), 1 + (at * steps).long().clamp_max(steps - 1)
        stays = rng.child("stays").uniform(*x.shape).to(x.device) < kept[now, None]
        noisy = x.where(stays, self.any(rng.child("value").uniform(*x.shape)).to(x.device))
        guess = law(noisy, now / steps).softmax(-1)
        sure = torch.zeros_like(guess).scatter_(-1, x[..., None], 1.0)
        true, made = (self.back(p, noisy, kept[now], kept[now - 1]) for p in (sure, guess))
        return steps * (torch.xlogy(true, true) - true * made.clamp_min(TINY).log()).sum((1, 2))

    def any(self, u: Tensor) -> Tensor:
        """Values of equal chance, from uniform noise (B, positions)."""
        return (u * torch.tensor(self.sizes)).long()

    def states(self, law: Law, n: int, tables: Tensor, rng: Rng, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """From values of equal chance, step by step."""
        steps = self.steps or STEPS
        kept, x = left(self.schedule, steps), self.any(rng.child("start").uniform(n, len(self.sizes))) if since is None else since.way["x"]
        if since is None:
            yield Unfinished(Batch(x), 0, steps, {"x": x})
        for now in range(steps - (since.step if since else 0), 0, -1):
            guess = (law(x, torch.full((n,), now / steps)).double() + tables).softmax(-1)
            found = self.back(guess, x, kept[now].expand(n), kept[now - 1].expand(n))
            x = drawn(found.log(), rng.child("step", now).uniform(n, len(self.sizes)))
            yield Unfinished(Batch(x), steps - now + 1, steps, {"x": x})


def drawn(law: Tensor, u: Tensor) -> Tensor:
    """A value of each position, by log weights (B, positions, values) and uniform noise."""
    return choose(law.flatten(0, 1), u.flatten()).reshape(u.shape)


NOISES: Mapping[str, type[Noise]] = {"absorbing": Absorbing, "uniform": Uniform}


def stratified(rng: Rng, n: int, draws: int) -> Sequence[Tensor]:
    """`draws` uniform numbers for each of n items, evenly apart."""
    first = rng.uniform(n)
    return [(first + i / draws) % 1 for i in range(draws)]
