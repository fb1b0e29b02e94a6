"""Recursions along hidden chains, many at once: forward, backward, the likeliest path, and draws of paths."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.rng import Rng, choose

TINY, ELEMENTS = 1e-300, 1 << 17   # elements worked on at once


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
    longest, n, k = seen.fit.shape
    law, mass = seen.fit.new_empty(longest, n, k), seen.fit.new_ones(longest, n)
    now, go, ragged = moves.start[:-1].expand(n, k), moves.go, seen.ragged
    for t in range(longest):
        new = (now if t == 0 else now @ go).mul(seen.fit[t])
        size = new.sum(1)
        new.div_(size.clamp_min(TINY)[:, None])
        if ragged and t:
            goes = t < seen.length
            new, size = new.where(goes[:, None], now), size.where(goes, 1.0)
        law[t], mass[t], now = new, size, new
    log_prob = mass.log().sum(0) + seen.top
    if longest:
        log_prob = log_prob + (now * moves.last(seen.length)).sum(1).log()
    return Filtered(law, mass, log_prob.where(seen.length > 0, moves.start[-1].log()) if longest else moves.start[-1].log().expand(n).clone())


def backward(seen: Seen, moves: Moves, found: Filtered) -> Tensor:
    """p(elements after t | state t) over p(elements after t | elements up to t), (T, n, K); the end of each sequence is among what comes after."""
    longest, n, k = seen.fit.shape
    out = seen.fit.new_empty(longest, n, k)
    if not longest:
        return out
    last = moves.last(seen.length)
    final = last / (found.law[-1] * last).sum(1, keepdim=True).clamp_min(TINY)
    out[-1], back, ragged = final, moves.go.T.contiguous(), seen.ragged
    for t in range(longest - 2, -1, -1):
        new = (out[t + 1] * seen.fit[t + 1] / found.mass[t + 1].clamp_min(TINY)[:, None]) @ back
        out[t] = new.where((t + 1 < seen.length)[:, None], final) if ragged else new
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
