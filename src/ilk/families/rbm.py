"""Restricted Boltzmann machine: binary features behind bits or numbers, learned by contrastive divergence; exact where small, else annealed."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, prod, sqrt
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import logsigmoid

from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How
from ilk.errors import ModelError, TrainingError
from ilk.families._chains import ess, rhat
from ilk.families._rbm_fit import Learner
from ilk.families._rbm_given import Filled, filled
from ilk.families._rbm_machine import CLUSTERS, Machine, Start
from ilk.families._rbm_units import HALF_LOG_2PI, Binary, Gaussian, Units
from ilk.given import Evidence
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Reals, Space
from ilk.store import State

CHUNK = 4096


@dataclass(frozen=True)
class Mixing:
    """How well plain Gibbs chains mix, by their free energy: split R-hat (near 1 is good), and independent draws that `draws` are worth."""

    rhat: float
    ess: float
    draws: int


class Rbm(Distribution["RBM"]):
    """Bits or numbers v and bits h with energy -v b - h c - v W h, and |v|^2 / 2 more for numbers, in units of their spread."""

    def __init__(self, family: RBM, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        self.binary, self.shape = isinstance(space, Discrete), space.shape   # type: ignore[union-attr]
        many, hidden = prod(self.shape), family.width(space)
        self.center, self.scale, self.mean = (f(many, dtype=torch.double) for f in (torch.zeros, torch.ones, torch.zeros))
        units: Units = Binary.of(space) if isinstance(space, Discrete) else Gaussian.of(many)
        weight, visible, none = (torch.zeros(s, dtype=torch.double) for s in ((many, hidden), many, hidden))
        start = Start(torch.zeros(CLUSTERS, many).double(), torch.zeros(CLUSTERS).double(), none)
        self.machine = Machine(weight, visible, none, start, units)
        self.log_z = torch.tensor([float(self.machine.log_mass_hidden(none[None])) + hidden * log(2), 0.0], dtype=torch.double)

    # learning

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Contrastive divergence, persistent or tempered chains; then log Z, exactly or by annealed importance sampling."""
        if not len(data):
            raise TrainingError("there are no items to learn from", code="EMPTY")
        Learner(self, data, run, valid).go()

    def standardise(self, data: Source) -> None:
        """How common every bit is, or centre and scale of every number, from all items."""
        n, one, two, shift = 0.0, torch.zeros_like(self.scale), torch.zeros_like(self.scale), None
        for chunk in data.chunks(CHUNK):
            x = chunk.tensor.reshape(len(chunk), len(self.scale)).double()
            shift = x.mean(0) if shift is None else shift
            n, one, two = n + len(x), one + (x - shift).sum(0), two + (x - shift).square().sum(0)
        mean = one / max(n, 1.0)
        spread = (two / max(n, 1.0) - mean.square()).clamp_min(0).sqrt()
        mean = mean if shift is None else mean + shift
        if self.binary:
            self.mean = mean
        else:
            self.center, self.scale = mean, spread.where(spread > 1e-6 * (1 + mean.abs()), 1.0)

    def become(self, machine: Machine, rng: Rng) -> None:
        """Takes what was learned, and works out log Z."""
        self.machine = machine.to(torch.double)
        self.log_z = torch.tensor(self.machine.normaliser(rng, self.family.chains, self.family.rungs), dtype=torch.double)

    # the law

    @property
    def kind(self) -> Literal["bits", "numbers"]:
        """What the visible units are."""
        return "bits" if self.binary else "numbers"

    @property
    def reach(self) -> float:
        """Root of the variance of all visible units together."""
        variance = float((self.mean * (1 - self.mean)).sum()) if self.binary else len(self.scale)
        return sqrt(max(0.1, variance))

    @property
    def log_volume(self) -> Tensor:
        """Log of what one unit of every number is in the data's own units, (V,)."""
        return self.scale.log()

    def units_of(self, batch: Batch) -> Tensor:
        """Items as visible units, (n, V) float64."""
        x = batch.tensor.reshape(len(batch), len(self.scale)).double()
        return x if self.binary else (x - self.center) / self.scale

    def items(self, v: Tensor) -> Batch:
        """Visible units as items."""
        x = v.double().round().long() if self.binary else v.double() * self.scale + self.center
        return Batch(x.reshape(len(v), *self.shape))

    def free_energy(self, batch: Batch) -> Tensor:
        """-log p(x) - log Z, (n,): hidden units summed out."""
        parts = [-self.machine.log_mass(part) for part in self.units_of(batch).split(CHUNK)]
        return torch.cat(parts) + self.log_volume.sum()

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Independent draws: exact where a side is listed, else each a chain of its own up a ladder of `rungs` sweeps."""
        return self.items(self.machine.draw(n, rng.child("sample"), self.family.rungs))

    def given(self, evidence: Evidence, rng: Rng) -> Filled | None:
        """Weights of any bits, values or ranges of any numbers."""
        return filled(self, evidence, rng)

    def conservative(self, batch: Batch, rng: Rng, chains: int = 10) -> Tensor:
        """A lower bound, in the mean, on the log-probability of items under the annealed chains that `sample` follows, (n,) nats.

        Burda, Grosse & Salakhutdinov (2015), RAISE: annealed importance sampling rather flatters a model, this rather belittles it.
        """
        v = self.units_of(batch).float().repeat(chains, 1)
        rough = self.machine.to(torch.float32)
        back = rough.descend(v, rng.child("raise"), self.family.rungs).reshape(chains, -1)
        weights = -self.free_energy(batch) - back
        return weights.logsumexp(0) - torch.tensor(float(chains)).log()

    def mixing(self, rng: Rng, chains: int = 8, draws: int = 1000) -> Mixing:
        """R-hat and effective sample size of plain Gibbs chains that begin where annealing does."""
        machine = self.machine
        states = machine.gibbs(machine.begin(chains, rng.child("start")), rng)
        trace = torch.stack([machine.log_mass(v) for v, _ in zip(states, range(draws), strict=False)], 1)
        return Mixing(rhat(trace[:, draws // 2:]), ess(trace[:, draws // 2:]), chains * (draws - draws // 2))

    # codes

    def infer(self, batch: Batch, rng: Rng) -> tuple[Batch, Tensor]:
        """Hidden bits drawn from p(h | x), which is known exactly, and their log mass."""
        odds = self.machine.hidden_odds(self.units_of(batch))
        h = rng.child("h").uniform(*odds.shape) < odds.sigmoid()
        return Batch(h.long()), logsigmoid(odds.where(h, -odds)).sum(1)

    def log_likelihood(self, batch: Batch, codes: Batch) -> Tensor:
        """log p(x | h), (n,)."""
        v, eta = self.units_of(batch), self.machine.visible_eta(codes.tensor.double())
        each = logsigmoid(eta.where(v > 0.5, -eta)) if self.binary else -0.5 * (v - eta).square() - HALF_LOG_2PI - self.log_volume
        return each.sum(1)

    def emit(self, codes: Batch, rng: Rng) -> Batch:
        """Items drawn from p(x | h)."""
        units = self.machine.units
        return self.items(units.draw(self.machine.visible_eta(codes.tensor.double()), units.noise(rng.child("v"), len(codes))))

    def encode(self, batch: Batch) -> Batch:
        """The likeliest hidden bits of each item."""
        return Batch((self.machine.hidden_odds(self.units_of(batch)) > 0).long())

    def decode(self, codes: Batch) -> Batch:
        """The likeliest item of each code."""
        return self.items(self.machine.units.mean(self.machine.visible_eta(codes.tensor.double())))

    def code_space(self) -> Space:
        """As many bits as there are hidden units."""
        return Discrete(2, (self.machine.weight.shape[1],))

    # remembering

    def scales(self) -> dict[str, Tensor]:
        """What is known of the data before learning."""
        return {"center": self.center, "scale": self.scale, "mean": self.mean}

    def rescale(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes it back."""
        self.center, self.scale, self.mean = (tensors[k].double() for k in ("center", "scale", "mean"))

    def state(self) -> State:
        """Weights and biases, where annealing starts, log Z with its error, and scales."""
        m = self.machine
        return State({"weight": m.weight.float(), "visible": m.visible.float(), "hidden": m.hidden.float(), "start.visible": m.start.visible.float(),
                      "start.weight": m.start.log_weight.float(), "start.hidden": m.start.hidden.float(), "log_z": self.log_z, **self.scales()})

    def restore(self, state: State) -> None:
        """Takes them back."""
        want = {k: (t.shape, t.dtype) for k, t in self.state().tensors.items()}
        if {k: (t.shape, t.dtype) for k, t in state.tensors.items()} != want:
            raise ModelError("the tensors do not fit a machine over this space", code="WEIGHTS_SHAPE")
        t = {k: x.double() for k, x in state.tensors.items()}
        self.rescale(state.tensors)
        start = Start(t["start.visible"], t["start.weight"], t["start.hidden"])
        self.machine = Machine(t["weight"], t["visible"], t["hidden"], start, self.machine.units)
        self.log_z = t["log_z"]


class RbmExact(Rbm):
    """One whose visible or hidden states are few enough to sum over."""

    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass or density, (n,)."""
        return -self.free_energy(batch) - self.log_z[0]


class RbmEstimate(Rbm):
    """One whose log Z is estimated once, after the fit."""

    def log_prob_estimate(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]:
        """Log mass or density by annealed importance sampling, and its standard error, which all items share."""
        found = -self.free_energy(batch) - self.log_z[0]
        return found, self.log_z[1].expand(len(found))


@dataclass(frozen=True, kw_only=True)
class RBM(Family):
    """Restricted Boltzmann machine (Smolensky 1986; Hinton 2002), binary or Gaussian.

    `method` is where the model's side of the gradient comes from: persistent chains (pcd, Tieleman 2008), chains from the data (cd), or
    chains at `temperatures` that trade places (pt). `hidden` None suits the number of places. `chains` are those that learn, and those that
    estimate log Z over `rungs` temperatures.

    >>> model = RBM(hidden=4).build(Discrete(2, (3,)), Rng(0))
    >>> round(float(model.log_prob(Batch(torch.tensor([[0, 1, 1]])))), 4)   # eight states, all alike before learning
    -2.0794
    """

    distribution = Rbm
    hidden: Annotated[Annotated[int, Interval(ge=1, le=65_536)] | None, Tried(None, 64, 256)] = None
    method: Literal["pcd", "cd", "pt"] = "pcd"
    k: Annotated[int, Interval(ge=1, le=1000), Tried(1, 5, 10)] = 5
    chains: Annotated[int, Interval(ge=2, le=100_000)] = 100
    temperatures: Annotated[int, Interval(ge=2, le=1000)] = 10
    rungs: Annotated[int, Interval(ge=10, le=1_000_000)] = 1000
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 50
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 1e-3

    def width(self, space: Space) -> int:
        """How many hidden units."""
        many = prod(space.shape)   # type: ignore[union-attr]
        return self.hidden or (max(64, min(256, 2 * many)) if isinstance(space, Discrete) else max(8, min(256, many)))

    def refuses(self, space: Space) -> str | None:
        """Anything but Reals and binary Discrete."""
        fits = isinstance(space, Reals) or (isinstance(space, Discrete) and bool(space.shape) and set(space.each) <= {1, 2})
        return None if fits and prod(space.shape) > 0 else "takes Reals, or Discrete of two values"   # type: ignore[union-attr]

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Rbm:
        """Exact if its visible or its hidden states can be listed."""
        made: Rbm = super().build(space, rng, about)   # type: ignore[assignment]
        kind = RbmExact if made.machine.side() else RbmEstimate
        return kind(self, space, rng, about or {})
