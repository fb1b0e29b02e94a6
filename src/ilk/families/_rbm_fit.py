"""How a Boltzmann machine learns: stochastic gradients in closed form over data at hand, against chains that persist."""
from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.batch import Batch, Source
from ilk.errors import TrainingError
from ilk.families._mixture_fit import clusters
from ilk.families._rbm_machine import CLUSTERS, Machine, Start
from ilk.rng import Rng
from ilk.run import Began, Ended, Noted, Progress, Run, Seconds, Validated
from ilk.store import State
from ilk.train.loop import rate_at
from ilk.train.precision import fast_bfloat16

if TYPE_CHECKING:
    from ilk.families.rbm import Rbm

VALID, CHECKS, TELL = 5000, 16, 0.2       # held-out items looked at, how often, seconds between reports
UNSURE = 0.4                              # standard error of log Z in nats from which few runs carry the estimate
ANEW = {"bits": 0.1, "numbers": 0.3}      # chance that a persistent chain begins anew
LOOK, SMOOTH = 2000, 2.0                  # items that clusters are made of, and what each is smoothed with
KEEP = 0.01                               # share of news in running means
RATE, INIT = {"bits": 0.4, "numbers": 0.1}, {"bits": 0.2, "numbers": 0.02}   # first rate and first weights, by the spread of all visible units
TIGHT = 0.02                              # least spread of a number given the hidden units, in units of its own


@dataclass(frozen=True)
class Plan:
    """Strides of training; `rate` is what it begins with."""

    steps: int
    batch: int
    rate: float


def planned(body: Rbm, run: Run, items: int) -> Plan:
    """What the run says, else passes over the data, fewer than 3,000 steps never; the more the units vary in all, the smaller the rate."""
    batch = max(1, min(run.batch or min(100, max(10, items // 50)), items))
    steps = min(max(3000, body.family.epochs * max(1, items // batch)), 200_000)
    return Plan(run.steps(steps), batch, run.rate or RATE[body.kind] / body.reach)


class Learner:
    """One fit. `x` and `p` hold visible and hidden units of the batch, then of the chains, then two rows that centre the gradient."""

    def __init__(self, body: Rbm, data: Source, run: Run, valid: Source | None) -> None:
        saved = run.saved()
        if saved is None:
            body.standardise(data)
        else:
            body.rescale(saved.tensors)
        self.body, self.data, self.run, self.plan = body, data, run, planned(body, run, len(data))
        self.step, self.before, self.best = 0, 0.0, float("inf")
        self.epoch: tuple[int, Tensor] = (-1, torch.empty(0))
        f, (many, hidden) = body.family, body.machine.weight.shape
        self.chains = self.plan.batch if f.method == "cd" else f.chains
        weight = run.rng.child("init").normal(many, hidden).float() * (INIT[body.kind] / body.reach)
        odds = body.mean.clamp(1e-3, 1 - 1e-3).logit().float() if body.binary else torch.zeros(many)
        self.now: dict[str, Tensor] = {
            "weight": weight, "visible": odds, "hidden": -(body.mean.float() @ weight), "log_spread": torch.zeros(many),
            "mean.visible": body.mean.float(), "mean.hidden": torch.full((hidden,), 0.5)}
        self.kept: dict[str, Tensor] = {}
        if saved is not None:
            self._resume(saved)
        else:
            self.now |= self._clusters()
            self.now["chains"] = self._first_chains()
        rows = self.plan.batch + self.chains + 2
        low = body.binary and (run.precision == "bfloat16" or (run.precision == "auto" and fast_bfloat16(run.device)))
        self.at_work = self.now["weight"].bfloat16() if low else self.now["weight"]
        self.x, self.p = torch.zeros(rows, many, dtype=self.at_work.dtype), torch.zeros(rows, hidden)
        self.sign = torch.full((rows - 2,), -1 / self.chains)
        whole = data.resident()
        self.whole = None if whole is None else self._compact(whole)
        self.valid = None if valid is None or not len(valid) else valid.take(torch.arange(min(VALID, len(valid))))
        self.start = time.monotonic() - self.before

    def _clusters(self) -> dict[str, Tensor]:
        """Where annealing begins: biases of clusters of the data, and their log shares."""
        rng, n = self.run.rng.child("clusters"), len(self.data)
        v = self.body.units_of(self.data.take(rng.shuffle(n)[:LOOK].sort().values))
        which = one_hot(clusters(v, CLUSTERS, rng)[0], CLUSTERS).double()
        count = which.sum(0)[:, None]
        mean = (which.T @ v + SMOOTH * v.mean(0)) / (count + SMOOTH)
        bias = mean.clamp(1e-3, 1 - 1e-3).logit() if self.body.binary else mean
        return {"clusters": bias.float(), "shares": ((count[:, 0] + 0.5) / (count + 0.5).sum()).log().float()}

    def _first_chains(self) -> Tensor:
        """Hidden units of draws from the start; visible ones of every temperature when chains are tempered."""
        rng, f, machine = self.run.rng.child("chains"), self.body.family, self.machine(self.now)
        if f.method == "pt":
            return machine.begin(f.temperatures * f.chains, rng)
        odds = machine.hidden_odds(machine.begin(self.chains, rng))
        return (rng.child("h").single(*odds.shape) < odds.sigmoid()).float()

    def _compact(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Units and weights of items, a byte each where they are bits."""
        x = batch.tensor.flatten(1).to(torch.uint8) if self.body.binary else self.body.units_of(batch).float()
        return x, batch.weight

    # the loop

    @property
    def fraction(self) -> float:
        """How much of the budget is used."""
        if isinstance(self.run.budget, Seconds):
            return (time.monotonic() - self.start) / self.run.budget.count
        return self.step / self.plan.steps

    @torch.no_grad()
    def go(self) -> None:
        """Steps until the budget is used; what did best on held-out items is what stays."""
        self.run.emit(Began("rbm", None if isinstance(self.run.budget, Seconds) else self.plan.steps))
        told, checked = time.monotonic(), int(self.fraction * CHECKS)
        while (fraction := self.fraction) < 1 and self.step < self.plan.steps:
            self.advance()
            if int(self.fraction * CHECKS) > checked:
                checked = int(self.fraction * CHECKS)
                self._validate()
            self.run.tick(self._state)
            if time.monotonic() - told > TELL:
                self.run.emit(Progress(self.step, fraction, None, time.monotonic() - self.start))
                told = time.monotonic()
        self._finish()

    def advance(self) -> None:
        """One step."""
        self._update(self.fraction)
        self.step += 1

    def _batch(self) -> tuple[Tensor, Tensor | None]:
        per = max(1, len(self.data) // self.plan.batch)
        epoch, at = divmod(self.step, per)
        if self.epoch[0] != epoch:
            self.epoch = (epoch, self.run.rng.child("epoch", epoch).shuffle(len(self.data)))
        rows = self.epoch[1][at * self.plan.batch:(at + 1) * self.plan.batch]
        if self.whole is None:
            return self._compact(self.data.take(rows))
        return self.whole[0].index_select(0, rows), None if self.whole[1] is None else self.whole[1][rows]

    def _update(self, fraction: float) -> None:
        """One step along the centred gradient (Montavon & Mueller 2012; Melchior et al. 2016): of the data less that of the chains."""
        batch, now, rng = self.plan.batch, self.now, self.run.rng.child("step", self.step)
        x, weight = self._batch()
        self.sign[:batch] = 1 / batch if weight is None else weight / weight.sum()
        self.x[:batch] = x
        if not self.body.binary:
            self.x[:batch] *= (-now["log_spread"]).exp()
        noise = self._noise(rng)
        self._dream(noise)
        rate = self.plan.rate * rate_at(fraction)
        p, units = self.p[:-2], self.x[:-2]
        p.copy_(self._odds(units).sigmoid_())
        now["mean.hidden"].lerp_(p[:batch].mean(0), KEEP)
        if self.body.family.method == "pcd":
            self._persist(p[:batch], p[batch:], noise[0][-1], noise[2])
        if not self.body.binary:
            self._spread(p[:batch], units[:batch], rate)
        p.mul_(self.sign[:, None])
        self._climb(p.sum(0), (self.sign.to(units.dtype) @ units).float(), rate)

    def _odds(self, v: Tensor) -> Tensor:
        """Log odds of hidden units, float32 whatever the product is worked out in."""
        return torch.addmm(self.now["hidden"], v, self.at_work) if v.dtype == torch.float32 else (v @ self.at_work).float().add_(self.now["hidden"])

    def _eta(self, h: Tensor) -> Tensor:
        """What goes to the visible units, float32."""
        low = self.at_work.dtype != torch.float32
        return (h.bfloat16() @ self.at_work.T).float().add_(self.now["visible"]) if low else torch.addmm(self.now["visible"], h, self.at_work.T)

    def _noise(self, rng: Rng) -> Sequence[Tensor]:
        """What a step draws with, from one stream: hidden units `k` times, visible ones of every sweep, and which chains begin anew."""
        f, (many, hidden) = self.body.family, self.at_work.shape
        sizes = (f.k * self.chains * hidden, f.k * self.chains * many if self.body.binary else 0, self.chains)
        bits, noise, anew = rng.coarse(1, sum(sizes))[0].split(sizes)
        if not self.body.binary:
            noise = rng.child("v").normal(f.k * self.chains, many).float()
        return bits.view(f.k, self.chains, hidden), noise.view(f.k, self.chains, many), anew

    def _persist(self, data: Tensor, chains: Tensor, noise: Tensor, anew: Tensor) -> None:
        """Hidden units that the chains go on from. Now and then one begins anew at an item: a mode that no chain visits would grow without end."""
        h, rows = torch.gt(chains, noise, out=self.now["chains"]), (anew < ANEW[self.body.kind]).nonzero()[:, 0]
        h[rows] = (data[rows % len(data)] > noise[rows]).float()

    def _climb(self, hidden: Tensor, visible: Tensor, rate: float) -> None:
        """Moves the weights and biases; the last two rows of x and p take the means out of the product of all the others."""
        now = self.now
        self.x[-2], self.p[-2] = now["mean.visible"], -hidden
        self.x[-1], self.p[-1] = visible, -now["mean.hidden"]
        step = (self.x.T @ self.p.to(self.x.dtype)).float()
        now["weight"].mul_(1 - rate * self.body.family.weight_decay).add_(step, alpha=rate)
        now["visible"].add_(visible - step @ now["mean.hidden"], alpha=rate)
        now["hidden"].add_(hidden - now["mean.visible"] @ step, alpha=rate)
        if self.x.dtype != torch.float32:
            self.at_work.copy_(now["weight"])

    def _spread(self, p: Tensor, y: Tensor, rate: float) -> None:
        """The spread of numbers given the hidden units climbs its own gradient, E[y (y - E[y | h])] - 1, y in units of it."""
        gap = y - torch.addmm(self.now["visible"], p, self.now["weight"].T)
        self.now["log_spread"].add_((y * gap).mean(0) - 1, alpha=rate).clamp_(TIGHT_LOG, 0.5)

    def _dream(self, drawn: Sequence[Tensor]) -> None:
        """Visible units of the model into the rows behind the batch."""
        now, f, own = self.now, self.body.family, self.x[self.plan.batch:-2]
        if f.method == "pt":
            own.copy_(self._tempered(self.run.rng.child("step", self.step, "tempered")))
            return
        h, bits, noise = now["chains"], *drawn[:2]
        for sweep in range(f.k):
            if sweep or f.method == "cd":
                torch.gt(self._odds(own if sweep else self.x[:self.plan.batch]).sigmoid_(), bits[sweep - 1], out=h)
            eta = self._eta(h)
            own.copy_(torch.gt(eta.sigmoid_(), noise[sweep], out=eta) if self.body.binary else eta.add_(noise[sweep]))

    def _tempered(self, rng: Rng) -> Tensor:
        f, many = self.body.family, self.x.shape[1]
        chains = self.machine(self.now).tempered(self.now["chains"].view(f.temperatures, f.chains, many), rng, torch.linspace(0, 1, f.temperatures))
        for _ in range(f.k):
            v = next(chains)
        self.now["chains"] = v.reshape(-1, many)
        return v[-1]

    # looking at it

    def machine(self, of: Mapping[str, Tensor]) -> Machine:
        """The machine of some parameters; annealing starts from clusters of the data, and hidden units as common as they cause."""
        units, bias = self.body.machine.units, self.now["clusters"] * (-of["log_spread"]).exp()
        start = Start(bias, self.now["shares"] - units.log_norm(bias).float(), of["mean.hidden"].clamp(0.01, 0.99).logit())
        return Machine(of["weight"], of["visible"], of["hidden"], start, units)

    def _validate(self) -> None:
        """Mean nats of held-out items, with log Z exact or from a shorter ladder."""
        if not all(bool(self.now[name].isfinite().all()) for name in ("weight", "visible", "hidden")):
            raise TrainingError(f"the weights became infinite by step {self.step}", code="DIVERGED", remedy=f"a lower --rate than {self.plan.rate:g}")
        if self.valid is None:
            return
        f = self.body.family
        machine = self.machine(self.now).to(torch.double)
        log_z, error = machine.normaliser(self.run.rng.child("valid"), f.chains, max(10, f.rungs // 4))
        spread = self.now["log_spread"].double()
        v = self.body.units_of(self.valid) * (-spread).exp()
        loss = log_z + float(spread.sum()) + float(self.body.log_volume.sum()) - float(machine.log_mass(v).mean())
        better = loss < self.best + 2 * error   # of what can't be told apart the later, which learned at a smaller rate
        self.best = min(self.best, loss)
        if better:
            self.kept = {name: self.now[name].clone() for name in KEPT}
        self.run.emit(Validated(self.step, loss, better))

    def _finish(self) -> None:
        self._validate()
        best = self.kept or self.now
        self.body.scale = self.body.scale * best["log_spread"].double().exp()
        self.body.become(self.machine(best), self.run.rng.child("log_z"))
        self._note()
        self.run.emit(Ended("rbm", self.step, time.monotonic() - self.start))

    def _note(self) -> None:
        """What people should know: how far held-out items lie above those learned from, and how sure log Z is."""
        if self.valid is not None:
            seen = self.data.take(torch.arange(min(len(self.data), len(self.valid))))
            gap = float(self.body.free_energy(self.valid).mean() - self.body.free_energy(seen).mean())
            self.run.emit(Noted(f"free energy of held-out items less that of training items: {gap:.2f} nats (a gap that grows is over-fitting)"))
        log_z, error = self.body.log_z.tolist()
        if error:
            more = "; with so large an error it may be far too low: more --rungs" if error > UNSURE else ""
            self.run.emit(Noted(f"log Z is {log_z:.2f} +- {error:.2f} nats by annealed importance sampling{more}"))

    # stopping and going on

    def _state(self) -> State:
        tensors = {f"now/{k}": t for k, t in self.now.items()} | {f"kept/{k}": t for k, t in self.kept.items()} | self.body.scales()
        return State(tensors, {"step": self.step, "seconds": time.monotonic() - self.start, "best": self.best if self.kept else None})

    def _resume(self, saved: State) -> None:
        facts: Mapping[str, Any] = saved.facts
        self.step, self.before = int(facts["step"]), float(facts["seconds"])
        self.best = float("inf") if facts["best"] is None else float(facts["best"])
        self.now = {k[4:]: t.clone() for k, t in saved.tensors.items() if k.startswith("now/")}
        self.kept = {k[5:]: t.clone() for k, t in saved.tensors.items() if k.startswith("kept/")}


KEPT = ("weight", "visible", "hidden", "log_spread", "mean.hidden")
TIGHT_LOG = float(torch.tensor(TIGHT).log())
