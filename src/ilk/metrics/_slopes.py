"""The score function of a model, the gradient of its log density, at held-out items; every number in standard deviations of those items."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Denoises, Distribution, HasLogProb
from ilk.errors import UsageError
from ilk.lift import Same
from ilk.metric import Case
from ilk.rng import Rng
from ilk.space import Reals

from ._tables import some

MOST, FEWEST, CHUNK, NOISE = 2000, 10, 512, 0.1   # items; rows at a time; standard deviation of noise, over that of the items


@runtime_checkable
class Standardises(Denoises, Protocol):
    """A denoiser that says in what units its noise is."""

    scale: Tensor

    def standard(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Slopes:
    """Items (n, d), the standard deviation (d,) of the noise that may be on them, the gradient of a log density at any items, and what density it is of.

    A denoiser `blurs`: it has a slope only of items with noise on them, that of the model's law with as much noise.
    """

    items: Tensor
    noise: Tensor
    blurs: bool
    slope: Callable[[Tensor], Tensor]
    name: str

    def noisy(self, rng: Rng) -> tuple[Tensor, Tensor]:
        """The items with noise on them, and that noise in its own standard deviations."""
        dice = rng.child("noise").normal(*self.items.shape)
        return self.items + self.noise * dice, dice

    def at(self, x: Tensor) -> Tensor:
        """The slope at some items, (n, d), chunk by chunk."""
        return torch.cat([self.slope(part) for part in x.split(CHUNK)])


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates in standard deviations of some items, those left out that never vary; and back to whole items, with these as they are."""

    first: Tensor
    vary: Tensor
    unit: Tensor

    @classmethod
    def of(cls, raw: Tensor) -> Frame:
        """That of raw items (n, *shape)."""
        spread = raw.std(0).flatten()
        vary = spread > 1e-9 * raw.abs().amax(0).flatten()
        return cls(raw[:1], vary, spread[vary])

    def into(self, raw: Tensor) -> Tensor:
        """Raw items as coordinates (n, d)."""
        return raw.flatten(1)[:, self.vary] / self.unit

    def back(self, x: Tensor) -> Tensor:
        """Coordinates as raw items."""
        whole = self.first.flatten(1).expand(len(x), -1)
        return whole.index_put((torch.arange(len(x))[:, None], self.vary.nonzero()[:, 0]), x * self.unit).reshape(len(x), *self.first.shape[1:])


def slopes(case: Case, rng: Rng) -> Slopes | str:
    """Test items of a case and the score function of its model, or why it has none."""
    model = case.model
    if model is None or not isinstance(case.test, np.ndarray) or len(case.test) < FEWEST:
        return f"it is about models of arrays, and at least {FEWEST} test items"
    if model.givens or not isinstance(model.lift, Same) or not isinstance(model.codec.space, Reals) or model.codec.keeps != "bijection":
        return "a score function is that of a density of real numbers, kept as they are, of which nothing is given"
    raw = model.codec.encode(case.test[some(len(case.test), MOST, rng.child("test"))], rng).tensor.double()
    frame = Frame.of(raw)
    if not len(frame.unit):
        return "the test items are all alike"
    found = _found(model.body, frame, raw)
    if isinstance(found, str):
        return found
    try:
        there = bool(found.at(found.noisy(rng)[0][:FEWEST]).isfinite().all())
    except RuntimeError:   # torch's for what it can't differentiate
        there = False
    except UsageError as why:
        return str(why)
    return found if there else f"the log density of {type(model.body).__name__} has no derivatives in the items"


def _found(body: Distribution[Any], frame: Frame, raw: Tensor) -> Slopes | str:
    if isinstance(body, HasLogProb):
        return Slopes(frame.into(raw), torch.full_like(frame.unit, NOISE), False, _by_density(body, frame), "of its log density")
    if not isinstance(body, Standardises):
        return f"{type(body).__name__} has no score function: it lacks HasLogProb and Denoises"
    if body.about and not getattr(body.family, "drop", 0.0):
        return f"the denoiser has to be told {', '.join(body.about)}"
    scale = body.scale.double().expand(body.standard(raw[:1]).shape[1:]).flatten()[frame.vary]
    noise = NOISE * scale / frame.unit
    return Slopes(frame.into(raw), noise, True, _by_denoiser(body, frame, noise), "of its law with noise, by its denoiser")


def _by_density(body: HasLogProb, frame: Frame) -> Callable[[Tensor], Tensor]:
    """Derivatives of the log density, by torch."""
    def slope(x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_(True)
            found: Tensor = torch.autograd.grad(body.log_prob(Batch(frame.back(leaf))).sum(), leaf)[0]
        return found
    return slope


def _by_denoiser(body: Standardises, frame: Frame, noise: Tensor) -> Callable[[Tensor], Tensor]:
    """(D(x) - x) / noise^2, Tweedie's formula for items with Gaussian noise on them."""
    @torch.no_grad()
    def slope(x: Tensor) -> Tensor:
        inside = body.standard(frame.back(x))
        step = body.denoise(inside, torch.full((len(x),), NOISE), {}) - inside
        return step.flatten(1)[:, frame.vary].double() / (NOISE * noise)
    return slope
