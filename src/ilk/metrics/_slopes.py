"""The score function of a model, the gradient of its log density, at held-out items; every number in standard deviations of those items."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Denoises, HasLogProb
from ilk.lift import Same
from ilk.metric import Case
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Reals

from ._tables import some

MOST, FEWEST, CHUNK, NOISE = 2000, 10, 512, 0.1   # items; rows at a time; standard deviation of noise, over that of the items


@runtime_checkable
class Standardises(Denoises, Protocol):
    """A denoiser that says in what units it has noise."""

    scale: Tensor

    def standard(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Slopes:
    """Items (n, d), noise and all where `noisy` are asked about; `slope` of them or any others; and whose density it is of.

    A denoiser has a slope only of items with noise on them, of standard deviation `noise`, (d,): it is that of the model's law with as much noise.
    """

    items: Tensor
    noise: Tensor
    always: bool
    slope: Callable[[Tensor], Tensor]
    name: str

    def noisy(self, rng: Rng) -> tuple[Tensor, Tensor]:
        """The items with noise on them, and that noise in its own standard deviations."""
        dice = rng.child("noise").normal(*self.items.shape)
        return self.items + self.noise * dice, dice

    def exact(self, x: Tensor) -> Tensor:
        """The slope of some items, (n, d), chunk by chunk; NaN where there is none."""
        return torch.cat([self.slope(part) for part in x.split(CHUNK)])


def slopes(case: Case, rng: Rng) -> Slopes | str:
    """Test items of a case and the score function of its model, or why it has none."""
    model = case.model
    if model is None or not isinstance(case.test, np.ndarray) or len(case.test) < FEWEST:
        return f"it is about models of arrays, and at least {FEWEST} test items"
    if why := _refused(model):
        return why
    body = model.body
    raw = model.codec.encode(case.test[some(len(case.test), MOST, rng.child("test"))], rng).tensor.double()
    spread = raw.std(0).flatten()
    unit = spread.where(spread > 0, 1.0)
    items, shape = raw.flatten(1) / unit, raw.shape[1:]
    if isinstance(body, HasLogProb):
        found = Slopes(items, torch.full_like(unit, NOISE), False, _by_density(body, unit, shape), "of its log density")
    elif isinstance(body, Standardises):
        noise = (NOISE * body.scale.double().expand(body.standard(raw[:1]).shape[1:]).flatten() / unit)
        found = Slopes(items, noise, True, _by_denoiser(body, unit, noise, shape), "of its law with noise, by its denoiser")
    else:
        return f"{type(body).__name__} has no score function: it lacks HasLogProb and Denoises"
    try:
        there = bool(found.exact(found.noisy(rng)[0][:FEWEST]).isfinite().all())
    except RuntimeError:   # torch's for what it can't differentiate
        there = False
    return found if there else f"the log density of {type(body).__name__} has no derivatives in the items"


def _refused(model: Model) -> str:
    if not isinstance(model.lift, Same) or not isinstance(model.codec.space, Reals) or model.codec.keeps != "bijection":
        return "a score function is that of a density of real numbers, and these items are no such, or are not kept as they are"
    if model.givens:
        return "it is about models of which nothing is given"
    if model.body.about and not isinstance(model.body, HasLogProb):
        return f"the denoiser has to be told {', '.join(model.body.about)}"
    return ""


def _by_density(body: HasLogProb, unit: Tensor, shape: torch.Size) -> Callable[[Tensor], Tensor]:
    """Derivatives of the log density, by torch."""
    def slope(x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            nats = body.log_prob(Batch((leaf * unit).reshape(len(x), *shape)))
            found: Tensor = torch.autograd.grad(nats.sum(), leaf)[0]
        return found
    return slope


def _by_denoiser(body: Standardises, unit: Tensor, noise: Tensor, shape: torch.Size) -> Callable[[Tensor], Tensor]:
    """(D(x) - x) / noise^2, Tweedie's formula for items with Gaussian noise on them."""
    @torch.no_grad()
    def slope(x: Tensor) -> Tensor:
        inside = body.standard((x * unit).reshape(len(x), *shape))
        step = body.denoise(inside, torch.full((len(x),), NOISE), {}) - inside
        return step.flatten(1).double() / (NOISE * noise)
    return slope
