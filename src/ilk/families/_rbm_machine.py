"""A restricted Boltzmann machine as an energy: summed exactly where one side can be listed, else annealed from independent units."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import log
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ilk.families._rbm_units import Units, bits
from ilk.rng import Rng, choose

LISTED, PIECE, TOGETHER = 1 << 26, 1 << 20, 128   # units of all listed states, of those at once; items drawn together


@dataclass(frozen=True, eq=False)
class Machine:
    """p(v, h) proportional to exp(carrier(v) + v visible + h hidden + v weight h), h of bits (Smolensky 1986; Hinton 2002).

    `start` are the biases (visible, hidden) of the independent units that annealing begins with: at beta in [0, 1] the weights
    are beta times as large and the biases on the straight line between, so that every beta is a machine itself.
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor
    start: tuple[Tensor, Tensor]
    units: Units

    def to(self, dtype: torch.dtype) -> Machine:
        """The same in another number format; what is known of units stays as it is."""
        return replace(self, weight=self.weight.to(dtype), visible=self.visible.to(dtype), hidden=self.hidden.to(dtype),
                       start=(self.start[0].to(dtype), self.start[1].to(dtype)))

    def told(self, units: Units) -> Machine:
        """The same energy over units of which something is known."""
        return replace(self, units=units)

    # the law

    def log_mass(self, v: Tensor) -> Tensor:
        """log p(v) + log Z, which is minus the free energy, (n,) float64."""
        return self.units.carrier(v) + (v @ self.visible).double() + softplus(self.hidden + v @ self.weight, threshold=50).sum(1, dtype=torch.double)

    def log_mass_hidden(self, h: Tensor) -> Tensor:
        """log p(h) + log Z, (n,)."""
        return (h @ self.hidden).double() + self.units.log_norm(self.visible + h @ self.weight.T)

    def side(self) -> Literal["visible", "hidden"] | None:
        """The side whose states are few enough to list them all, the cheaper if both are."""
        many, free = self.weight.shape, self.units.free()
        cost = {"hidden": many[0] << many[1] if many[1] < 40 else LISTED + 1,
                "visible": many[1] << free if free is not None and free < 40 else LISTED + 1}
        found: Literal["visible", "hidden"] = "visible" if cost["visible"] < cost["hidden"] else "hidden"
        return found if cost[found] <= LISTED else None

    @cached_property
    def table(self) -> Tensor:
        """log mass of every state of the side that is listed."""
        side = self.side()
        free = self.weight.shape[1] if side == "hidden" else self.units.free() or 0
        every = torch.arange(1 << free).split(max(1, PIECE // sum(self.weight.shape)))
        return torch.cat([self.log_mass_hidden(bits(part, free)) if side == "hidden" else self.log_mass(self.units.listed(part)) for part in every])

    def log_z(self) -> float:
        """Exact, by the side that is listed."""
        return float(self.table.logsumexp(0))

    def hidden_odds(self, v: Tensor) -> Tensor:
        """Log odds of every hidden unit given the visible ones, (n, H)."""
        return self.hidden + v @ self.weight

    def visible_eta(self, h: Tensor) -> Tensor:
        """What biases and hidden units send to the visible ones, (n, V)."""
        return self.visible + h @ self.weight.T

    # drawing

    def exact(self, n: int, rng: Rng) -> Tensor:
        """Independent draws of the visible units where a side is listed."""
        state = choose(self.table, rng.child("state").uniform(n))
        if self.side() == "visible":
            return self.units.listed(state)
        return self.units.draw(self.visible_eta(bits(state, self.weight.shape[1])), self.units.noise(rng.child("visible"), n))

    def draw(self, n: int, rng: Rng, rungs: int) -> Tensor:
        """Visible units, (n, V): exactly where a side is listed, else at the top of a ladder of `rungs`, float64."""
        if self.side():
            return self.exact(n, rng)
        rough, first, found = self.to(torch.float32), rng.first, []
        for begin in range(first - first % TOGETHER, first + n, TOGETHER):   # whole blocks of a fixed grid: equal shapes give equal bytes
            v, _ = rough.climb(TOGETHER, rng.at(begin - first), rungs)
            found.append(v[max(0, first - begin):first + n - begin])
        return torch.cat(found).double() if found else torch.zeros(0, len(self.visible), dtype=torch.double)

    def sweep(self, v: Tensor, drive: Tensor, rng: Rng, beta: float | Tensor = 1.0) -> Tensor:
        """One block of Gibbs: hidden units from drive = v weight, then visible ones."""
        odds = torch.lerp(self.start[1], self.hidden, torch.as_tensor(beta, dtype=drive.dtype)) + beta * drive
        h = (rng.child("h").single(*odds.shape) < odds.sigmoid()).to(v.dtype)
        eta = torch.lerp(self.start[0], self.visible, torch.as_tensor(beta, dtype=drive.dtype)) + beta * (h @ self.weight.T)
        return self.units.draw(eta, self.units.noise(rng.child("v"), len(v)))

    def rise(self, v: Tensor, drive: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
        """log mass at beta `high` less that at `low`, (n,)."""
        there, here = (softplus(self.start[1] + beta * (self.hidden - self.start[1] + drive), threshold=50).sum(-1, dtype=torch.double) for beta in (high, low))
        more = (v @ (self.visible - self.start[0])).double()
        return there - here + more * torch.as_tensor(high - low, dtype=torch.double).squeeze(-1)

    def log_start(self) -> float:
        """log Z of the independent units."""
        return float(self.units.log_norm(self.start[0][None])) + float(softplus(self.start[1].double()).sum())

    def climb(self, n: int, rng: Rng, rungs: int) -> tuple[Tensor, Tensor]:
        """Chains from independent units up to the machine, one sweep a rung, and the log weights of annealed importance sampling.

        Neal (2001); Salakhutdinov & Murray (2008), eq. 12: the mean of exp(log weight) is Z.
        """
        v = self.units.draw(self.start[0].expand(n, -1), self.units.noise(rng.child("start"), n))
        total = torch.full((n,), self.log_start(), dtype=torch.double)
        for t in range(rungs):
            drive = v @ self.weight
            total += self.rise(v, drive, t / rungs, (t + 1) / rungs)
            v = self.sweep(v, drive, rng.child("rung", t), (t + 1) / rungs)
        return v, total

    def descend(self, v: Tensor, rng: Rng, rungs: int) -> Tensor:
        """The log weights of the way back from v to independent units, (n,): log mass(v) less these is a lower bound on the
        log-probability that `climb` ends in v (Burda, Grosse & Salakhutdinov 2015, RAISE)."""
        total = torch.full((len(v),), self.log_start(), dtype=torch.double)
        drive = v @ self.weight
        for t in range(rungs, 0, -1):
            v = self.sweep(v, drive, rng.child("rung", t), t / rungs)
            drive = v @ self.weight
            total += self.rise(v, drive, (t - 1) / rungs, t / rungs)
        return total

    def normaliser(self, rng: Rng, chains: int, rungs: int) -> tuple[float, float]:
        """log Z and its standard error: exact (error 0) where a side is listed, else by annealed importance sampling."""
        if self.side():
            return self.log_z(), 0.0
        weights = self.to(torch.float32).climb(chains, rng.child("annealed"), rungs)[1]
        found = float(weights.logsumexp(0)) - log(chains)
        return found, 0.0 if found == -torch.inf else float((weights - found).exp().std()) / chains**0.5

    def gibbs(self, v: Tensor, rng: Rng) -> Iterator[Tensor]:
        """The states of plain chains that begin at v, without end."""
        step = 0
        while True:
            v = self.sweep(v, v @ self.weight, rng.child("sweep", step))
            yield v
            step += 1

    def tempered(self, v: Tensor, rng: Rng, betas: Tensor) -> Iterator[Tensor]:
        """States (K, n, V) of chains at K temperatures that trade places, without end (Swendsen & Wang 1986; Desjardins et al. 2010)."""
        step, at = 0, betas.to(v.dtype)[:, None, None]
        while True:
            v = self._traded(self._heated(v, rng.child("sweep", step), at), rng.child("trade", step), at, step % 2)
            yield v
            step += 1

    def _heated(self, v: Tensor, rng: Rng, at: Tensor) -> Tensor:
        """One sweep of every chain at its own temperature."""
        rows = at.expand(-1, v.shape[1], 1).reshape(-1, 1)
        flat = v.flatten(0, 1)
        return self.sweep(flat, flat @ self.weight, rng, rows).view_as(v)

    def _traded(self, v: Tensor, rng: Rng, at: Tensor, first: int) -> Tensor:
        """Neighbours of one parity swapped with the probability that keeps the joint law."""
        low, high = torch.arange(first, len(v) - 1, 2), torch.arange(first, len(v) - 1, 2) + 1
        gain = self.rise(v[low], v[low] @ self.weight, at[low], at[high]) - self.rise(v[high], v[high] @ self.weight, at[low], at[high])
        swap = (rng.uniform(*gain.shape).log() < gain)[:, :, None]
        out = v.clone()
        out[low], out[high] = v[high].where(swap, v[low]), v[low].where(swap, v[high])
        return out
