"""What the two sides of an adversarial game want, and the penalties that keep the slope of a critic in bounds."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from ilk.rng import Rng

Score = Callable[[Tensor], Tensor]
TINY = 1e-12   # under a root, whose slope at 0 is infinite
DRAGAN = 0.5   # how far around real items DRAGAN looks, in standard deviations of the data


@dataclass(frozen=True)
class Game:
    """Losses by score: the critic's of real items and of made ones, the generator's of made ones.

    `vanishes`: whether the critic's loss tends to 0 when it tells every item, which leaves the generator little to follow.
    """

    real: Score
    made: Score
    fool: Score
    vanishes: bool = True


GAMES: Mapping[str, Game] = {
    "non_saturating": Game(lambda s: softplus(-s), softplus, lambda s: softplus(-s)),          # Goodfellow et al. 2014, section 3; s is a logit
    "wasserstein": Game(lambda s: -s, lambda s: s, lambda s: -s, vanishes=False),              # Arjovsky et al. 2017, algorithm 1
    "least_squares": Game(lambda s: (s - 1).square() / 2, lambda s: (s + 1).square() / 2, lambda s: s.square() / 2),  # Mao et al. 2017: a, b, c = -1, 1, 0
    "hinge": Game(lambda s: relu(1 - s), lambda s: relu(1 + s), lambda s: -s)}                 # Lim & Ye 2017; Miyato et al. 2018

STRENGTH: Mapping[str, float] = {"none": 0.0, "gradient": 10.0, "r1": 0.1, "dragan": 10.0}     # where nobody says


def steepness(critic: Score, x: Tensor) -> Tensor:
    """The squared length of the critic's gradient in each item, (B,); it can be learned from."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(1)


def penalty(kind: str, critic: Score, real: Tensor, made: Tensor, rng: Rng) -> Tensor:
    """What is added to the critic's loss, (B,).

    Half the squared slope at real items (R1: Mescheder et al. 2018), or how far the slope is from 1 between real and made items
    (WGAN-GP: Gulrajani et al. 2017) or around real ones (DRAGAN: Kodali et al. 2017).
    """
    if kind == "r1":
        return steepness(critic, real) / 2
    each = (len(real), *[1] * (real.ndim - 1))
    if kind == "gradient":
        at = made + rng.uniform(*each).to(real) * (real - made)
    else:
        at = real + DRAGAN * rng.normal(*real.shape).to(real)
    return ((steepness(critic, at) + TINY).sqrt() - 1).square()
