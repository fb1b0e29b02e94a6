"""Recursions along hidden chains, many at once: forward, backward, the likeliest path, and draws of paths."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.rng import Rng, choose

TINY, ELEMENTS = 1e-300, 1 << 17   # elements worked on at once
WARM, ROWS, JOINT = (64, 256, 1024), 2048, 1e-11   # steps that warm a piece up, rows worked on at once, how well pieces join


@dataclass(frozen=True, eq=False)
class Moves:
    """Where chains start and go: `start` (K + 1,) and `move` (K, K + 1) are probabilities, those of ending last. Nothing goes on after `at_most` states."""

    start: Tensor
    move: Tensor
    at_most: int

    @property
    def go(self) -> Tensor:
        """From each state to each, (K, K)."""
        return self.move[:, :-1]

    @property
    def end(self) -> Tensor:
        """The chance to end after each state, (K,)."""
        return self.move[:, -1]

    def last(self, length: Tensor) -> Tensor:
        """The chance of no more states after the last, by sequence, (n, K): certain where there may be no more."""
        return self.end.where(length[:, None] < self.at_most, 1.0)


@dataclass(frozen=True, eq=False)
class Seen:
    """How well each state explains each element: `fit` (T, n, K) at most 1, whose logarithm lacks `top` (n,) in all; `length` (n,)."""

    fit: Tensor
    top: Tensor
    length: Tensor

    @classmethod
    def of(cls, log_fit: Tensor, length: Tensor) -> Seen:
        """From log p(element | state) of all sequences end to end, (N, K)."""
        n, longest = len(length), int(length.max()) if len(length) else 0
        best = log_fit.amax(1).clamp_min(-1e300)
        fit = (log_fit - best[:, None]).exp()
        row = torch.arange(n).repeat_interleave(length)
        place = torch.arange(len(fit)) - (length.cumsum(0) - length).repeat_interleave(length)
        whole = fit.new_ones(longest, n, fit.shape[1])
        if bool((length == longest).all()):
            whole = fit.view(n, longest, fit.shape[1]).transpose(0, 1).contiguous()
        else:
            whole[place, row] = fit
        return cls(whole, torch.zeros(n, dtype=fit.dtype).index_add_(0, row, best), length)

    @property
    def ragged(self) -> bool:
        """Whether some are shorter than others."""
        return bool((self.length < len(self.fit)).any())


@dataclass(frozen=True, eq=False)
class Filtered:
    """p(state t | elements up to t), (T, n, K); the mass of each element given those before, (T, n); log p of each sequence, (n,)."""

    law: Tensor
    mass: Tensor
    log_prob: Tensor


def portions(batch: Batch) -> list[Batch]:
    """So many sequences at a time that their elements, filled up to the longest, are few."""
    longest = int(batch.lengths.max()) if len(batch) else 1
    many = max(1, ELEMENTS // max(1, longest))
    return [batch.cut(i, i + many) for i in range(0, len(batch), many)]


def forward(seen: Seen, moves: Moves) -> Filtered:
    """The scaled forward recursion (Rabiner 1989)."""
    longest, n, _ = seen.fit.shape
    if not longest:
        return Filtered(seen.fit, seen.fit.new_ones(0, n), moves.start[-1].log().expand(n).clone())
    ahead, mass = _recursion(seen.fit, moves.go, moves.start[:-1].expand(n, -1))
    law = ahead.mul_(seen.fit).div_(mass.clamp_min(TINY)[..., None])
    if seen.ragged:
        mass = mass.where(torch.arange(longest)[:, None] < seen.length, 1.0)
    ends = (final(law, seen.length) * moves.last(seen.length)).sum(1)
    return Filtered(law, mass, (mass.log().sum(0) + seen.top + ends.log()).where(seen.length > 0, moves.start[-1].log()))


def backward(seen: Seen, moves: Moves, found: Filtered) -> Tensor:
    """p(elements after t | state t) over p(elements after t | elements up to t), (T, n, K); the end of each sequence is among what comes after.

    It is the forward recursion from the last element to the first, scaled so that its mean under the forward law is 1.
    """
    if not len(seen.fit):
        return seen.fit
    ahead, _ = _recursion(_turned(seen.fit, seen), moves.go.T.contiguous(), moves.last(seen.length))
    out = _turned(ahead, seen)
    return out.div_((out * found.law).sum(2, keepdim=True).clamp_min(TINY))


def final(law: Tensor, length: Tensor) -> Tensor:
    """At the last element of each sequence, (n, K)."""
    return law[(length - 1).clamp_min(0), torch.arange(len(length))]


def _turned(x: Tensor, seen: Seen) -> Tensor:
    """Each sequence from its last element to its first; what lies behind the end stays there."""
    if not seen.ragged:
        return x.flip(0)
    place = torch.arange(len(x))[:, None].expand(-1, x.shape[1])
    return x.gather(0, (seen.length - 1 - place).where(place < seen.length, place)[..., None].expand_as(x))


def _recursion(fit: Tensor, go: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """What is expected of each state given the elements before it, (T, n, K), and the mass of each element given those, (T, n).

    Few long chains are cut into pieces worked on side by side, each warmed up on the elements before it: a chain forgets where it
    began. Where the pieces do not join but for rounding errors, it is done step by step.
    """
    longest, n, _ = fit.shape
    for warm in WARM:
        length = max(4 * warm, -(-longest * n // ROWS))
        if longest < 8 * length:
            break
        if (found := _in_pieces(fit, go, first, length, warm)) is not None:
            return found[0][:longest], found[1][:longest]
    ahead, mass = _steps(fit, go, first)
    return ahead[:longest], mass


def _steps(fit: Tensor, go: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Step by step; one expectation more than there are elements."""
    ahead, mass = fit.new_empty(len(fit) + 1, *fit.shape[1:]), fit.new_empty(fit.shape[:2])
    ahead[0] = first
    for t, one in enumerate(fit):
        new = ahead[t] * one
        torch.sum(new, 1, out=mass[t])
        torch.mm(new.div_(mass[t].clamp_min(TINY)[:, None]), go, out=ahead[t + 1])
    return ahead, mass


def _in_pieces(fit: Tensor, go: Tensor, first: Tensor, length: int, warm: int) -> tuple[Tensor, Tensor] | None:
    (longest, n, k), many = fit.shape, -(-len(fit) // length)
    pieces = torch.cat([fit, fit.new_ones(many * length - longest, n, k)]).unflatten(0, (many, length))
    before, _ = _steps(_beside(pieces[:-1, -warm:]), go, fit.new_full(((many - 1) * n, k), 1 / k))
    ahead, mass = _steps(_beside(pieces), go, torch.cat([first, before[-1]]))
    if float((ahead[-1][:-n] - before[-1]).abs().max()) > JOINT:
        return None
    return _ended(ahead[:-1], many), _ended(mass, many)


def _beside(pieces: Tensor) -> Tensor:
    """(pieces, steps, n, K) as (steps, pieces x n, K)."""
    return pieces.transpose(0, 1).flatten(1, 2)


def _ended(beside: Tensor, many: int) -> Tensor:
    """(steps, pieces x n, ...) as (pieces x steps, n, ...)."""
    out: Tensor = beside.unflatten(1, (many, -1)).transpose(0, 1).flatten(0, 1)
    return out


def moved(seen: Seen, moves: Moves, found: Filtered, after: Tensor, weight: Tensor) -> Tensor:
    """Expected moves from each state to each, over all sequences, (K, K)."""
    longest, k = len(seen.fit), seen.fit.shape[2]
    if longest < 2:
        return torch.zeros(k, k, dtype=torch.float64)
    there = weight * (torch.arange(1, longest)[:, None] < seen.length) if seen.ragged else weight.expand(longest - 1, -1)
    ahead = seen.fit[1:] * after[1:] * (there / found.mass[1:].clamp_min(TINY))[..., None]
    return moves.go * (found.law[:-1].reshape(-1, k).T @ ahead.reshape(-1, k))


def likeliest(seen: Seen, moves: Moves) -> tuple[Tensor, Tensor]:
    """The path of most mass (Viterbi 1967), (n, T), -1 after the end, and log p(path, elements), (n,)."""
    longest, n, _ = seen.fit.shape
    log_fit, log_go = seen.fit.clamp_min(TINY).log(), moves.go.log()
    best = moves.start[:-1].log() + log_fit[0] if longest else seen.fit.new_zeros(n, len(log_go))
    come = torch.zeros(longest, n, len(log_go), dtype=torch.long)
    for t in range(1, longest):
        value, which = (best[:, :, None] + log_go).max(1)
        goes = (t < seen.length)[:, None]
        best = (value + log_fit[t]).where(goes, best)
        come[t] = which.where(goes, torch.arange(len(log_go)))
    total, state = (best + moves.last(seen.length).log()).max(1)
    path = torch.full((n, longest), -1)
    for t in range(longest - 1, -1, -1):
        path[:, t] = state.where(t < seen.length, -1)
        state = come[t].gather(1, state[:, None])[:, 0]
    return path, (total + seen.top).where(seen.length > 0, moves.start[-1].log())


def walks(moves: Moves, n: int, rng: Rng, begun: Tensor) -> tuple[Tensor, Tensor]:
    """States of n chains that begin with `begun` (n, P), until each ends: all end to end, and their lengths."""
    places, log_start, log_move = begun.shape[1], moves.start.log(), moves.move.log()
    rows, states = [torch.arange(n)] * places, [begun[:, t] for t in range(places)]
    alive, now, t = torch.arange(n), begun[:, -1] if places else None, places
    while len(alive) and t < moves.at_most:
        law = log_start.expand(len(alive), -1) if now is None else log_move[now]
        now = choose(law, rng.child("state", t).uniform(n)[alive])
        goes = now < len(log_move)
        alive, now, t = alive[goes], now[goes], t + 1
        rows.append(alive)
        states.append(now)
    row = torch.cat(rows) if rows else torch.zeros(0, dtype=torch.long)
    order = row.argsort(stable=True)
    return torch.cat(states)[order] if states else row, torch.bincount(row, minlength=n)


def back_drawn(found: Filtered, moves: Moves, n: int, rng: Rng) -> Tensor:
    """n paths given what was seen along one chain (its forward law), (n, P): from the last state to the first."""
    law = found.law[:, 0].clamp_min(0).log()
    places, log_go = len(law), moves.go.log()
    path = torch.zeros(n, places, dtype=torch.long)
    for t in range(places - 1, -1, -1):
        weight = law[t].expand(n, -1) if t == places - 1 else law[t] + log_go[:, path[:, t + 1]].T
        path[:, t] = choose(weight.log_softmax(1), rng.child("back", t).uniform(n))
    return path
