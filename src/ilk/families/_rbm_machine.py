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
CLUSTERS = 16                                     # that annealing starts from


@dataclass(frozen=True, eq=False)
class Start:
    """Where annealing begins: clusters of independent visible units, biases (K, V) and log weights (K,), and independent hidden ones (H,).

    A mixture reaches modes to which no path leads from a single product: on plants, annealing from one missed e^8 of Z.
    """

    visible: Tensor
    log_weight: Tensor
    hidden: Tensor

    def to(self, dtype: torch.dtype) -> Start:
        """The same in another number format."""
        return Start(self.visible.to(dtype), self.log_weight.to(dtype), self.hidden.to(dtype))

    def near(self, v: Tensor) -> Tensor:
        """What each cluster says of each item, (..., K)."""
        return v @ self.visible.T + self.log_weight


@dataclass(frozen=True, eq=False)
class Machine:
    """p(v, h) proportional to exp(carrier(v) + v visible + h hidden + v weight h), h of bits (Smolensky 1986; Hinton 2002).

    At beta in [0, 1] energies are those of `start` times 1 - beta and the machine's own times beta.
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor
    start: Start
    units: Units

    def to(self, dtype: torch.dtype) -> Machine:
        """The same in another number format; what is known of units stays as it is."""
        return replace(self, weight=self.weight.to(dtype), visible=self.visible.to(dtype), hidden=self.hidden.to(dtype), start=self.start.to(dtype))

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
        """One block of Gibbs: hidden units (and a cluster) given the visible ones, drive = v weight; then these."""
        odds = self.start.hidden + beta * (self.hidden - self.start.hidden + drive)
        h = (rng.child("h").single(*odds.shape) < odds.sigmoid()).to(v.dtype)
        eta = beta * (self.visible + h @ self.weight.T)
        if not isinstance(beta, float) or beta < 1:
            eta += (1 - beta) * self.start.visible[choose((1 - beta) * self.start.near(v), rng.child("cluster").uniform(len(v)))]
        return self.units.draw(eta, self.units.noise(rng.child("v"), len(v)))

    def rise(self, v: Tensor, drive: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
        """log mass at beta `high` less that at `low`, (n,)."""
        near, more = self.start.near(v).double(), (v @ self.visible).double() - log(len(self.start.log_weight))   # clusters say nothing at the top
        (top, up), (bottom, down) = (
            (softplus(self.start.hidden + beta * (self.hidden - self.start.hidden + drive), threshold=50).sum(-1, dtype=torch.double),
             ((1 - beta) * near).logsumexp(-1)) for beta in (high, low))
        return top - bottom + up - down + more * torch.as_tensor(high - low, dtype=torch.double).squeeze(-1)

    def begin(self, n: int, rng: Rng) -> Tensor:
        """Independent draws of the start."""
        which = choose(self.start.log_weight + self.units.log_norm(self.start.visible), rng.child("cluster").uniform(n))
        return self.units.draw(self.start.visible[which], self.units.noise(rng.child("v"), n))

    def log_start(self) -> float:
        """log Z of the start."""
        return float((self.start.log_weight + self.units.log_norm(self.start.visible)).logsumexp(0)) + float(softplus(self.start.hidden.double()).sum())

    def climb(self, n: int, rng: Rng, rungs: int) -> tuple[Tensor, Tensor]:
        """Chains from the start up to the machine, one sweep a rung, and the log weights of annealed importance sampling.

        Neal (2001); Salakhutdinov & Murray (2008), eq. 12: the mean of exp(log weight) is Z.
        """
        v = self.begin(n, rng.child("start"))
        total = torch.full((n,), self.log_start(), dtype=torch.double)
        for t in range(rungs):
            drive = v @ self.weight
            total += self.rise(v, drive, t / rungs, (t + 1) / rungs)
            v = self.sweep(v, drive, rng.child("rung", t), (t + 1) / rungs)
        return v, total

    def descend(self, v: Tensor, rng: Rng, rungs: int) -> Tensor:
        """The log weights of the way back from v to the start, (n,): log mass(v) less these is a lower bound on the
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
        """States (K, n, V) of chains at K temperatures, from 0, that trade places, without end (Swendsen & Wang 1986; Desjardins et al. 2010)."""
        step, at = 0, betas.to(v.dtype)[:, None, None]
        while True:
            v = self._traded(self._heated(v, rng.child("sweep", step), at), rng.child("trade", step), at, step % 2)
            yield v
            step += 1

    def _heated(self, v: Tensor, rng: Rng, at: Tensor) -> Tensor:
        """One sweep of every chain at its own temperature, the hottest drawn anew."""
        rows = at.expand(-1, v.shape[1], 1).reshape(-1, 1)
        flat = v.flatten(0, 1)
        out = self.sweep(flat, flat @ self.weight, rng, rows).view_as(v)
        out[0] = self.begin(v.shape[1], rng.child("start"))
        return out

    def _traded(self, v: Tensor, rng: Rng, at: Tensor, first: int) -> Tensor:
        """Neighbours of one parity swapped with the probability that keeps the joint law."""
        low, high = torch.arange(first, len(v) - 1, 2), torch.arange(first, len(v) - 1, 2) + 1
        gain = self.rise(v[low], v[low] @ self.weight, at[low], at[high]) - self.rise(v[high], v[high] @ self.weight, at[low], at[high])
        swap = (rng.uniform(*gain.shape).log() < gain)[:, :, None]
        out = v.clone()
        out[low], out[high] = v[high].where(swap, v[low]), v[low].where(swap, v[high])
        return out
