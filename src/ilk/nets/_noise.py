"""Noise levels: what a network is shown of x = data + sigma * noise, what it answers, and which levels it learns and is asked at.

Data have standard deviation about 1 here. Every Gaussian path is this one at another scale, so paths differ only in how often each
sigma is learned and in the levels that a sampler visits.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import atan, ceil, log, log1p, pi, sqrt

import torch
from torch import Tensor

LEAST, MOST, FAR = 0.004, 80.0, 1000.0
SHIFT = 2.5  # how many times the noise at which single numbers are learned pictures are: neighbours tell each other much (Esser et al. 2024)
FIRST, LAST = 0.1, 20.0   # rates of the linear path at times 0 and 1 (Song et al. 2021), in 1000 steps those of Ho et al. 2020


@dataclass(frozen=True)
class Answer:
    """What a network's output F means: D(x, sigma) = skip(sigma) x + out(sigma) F(shown(sigma) x)."""

    shown: Callable[[Tensor], Tensor]
    skip: Callable[[Tensor], Tensor]
    out: Callable[[Tensor], Tensor]


def _unit(s: Tensor) -> Tensor:
    return torch.rsqrt(1 + s * s)


ANSWERS: Mapping[str, Answer] = {
    "v": Answer(_unit, lambda s: _unit(s) ** 2, lambda s: s * _unit(s)),                    # Karras et al. 2022; Salimans & Ho 2022 up to sign
    "eps": Answer(_unit, torch.ones_like, lambda s: -s),                                    # the noise: Ho et al. 2020
    "x0": Answer(_unit, torch.zeros_like, torch.ones_like),                                 # the data
    "u": Answer(lambda s: 1 / (1 + s), lambda s: 1 / (1 + s), lambda s: -s / (1 + s)),      # noise - data: Lipman et al. 2023
}


@dataclass(frozen=True)
class Path:
    """`learned`: uniform numbers -> the sigmas to learn; `visited`: times from 1 down to 0 -> the sigmas of a sampler.

    All lie from `least` to `most`; those that pictures learn are `shift` times as high.
    """

    learned: Callable[[Tensor], Tensor]
    visited: Callable[[Tensor], Tensor]
    least: float = LEAST
    most: float = MOST
    shift: float = SHIFT


def _normal(mean: float, spread: float) -> Callable[[Tensor], Tensor]:
    return lambda u: (mean + spread * torch.special.ndtri(u)).exp()


def _polynomial(time: Tensor, rho: float = 7.0) -> Tensor:
    low, high = LEAST ** (1 / rho), MOST ** (1 / rho)
    return torch.pow(low + time * (high - low), rho)


def _tangent(time: Tensor) -> Tensor:
    low, high = atan(LEAST), atan(MOST)
    return (low + time * (high - low)).tan()


def _straight(time: Tensor, most: float = MOST) -> Tensor:
    low, high = LEAST / (1 + LEAST), most / (1 + most)
    at = low + time * (high - low)
    return at / (1 - at)


def _rates(time: Tensor) -> Tensor:
    return torch.expm1(FIRST * time + (LAST - FIRST) * time * time / 2).sqrt()


def _linear(time: Tensor) -> Tensor:
    low, high = ((sqrt(FIRST**2 + 2 * (LAST - FIRST) * log1p(s * s)) - FIRST) / (LAST - FIRST) for s in (LEAST, MOST))   # when _rates is s
    return _rates(low + time * (high - low))


PATHS: Mapping[str, Path] = {
    "edm": Path(_normal(-0.5, 1.2), _polynomial),        # Karras et al. 2022, table 1, for data of standard deviation 1
    "cosine": Path(lambda u: (u * pi / 2).tan(), _tangent),   # Nichol & Dhariwal 2021
    "linear": Path(_rates, _linear),
    "straight": Path(_normal(0.0, 1.0), _straight),      # optimal transport between noise and data; times logit-normal (Esser et al. 2024)
    "paired": Path(_normal(0.0, 1.0), partial(_straight, most=FAR), most=FAR),   # noise that knows its data is pure only at the very end
}


def even(path: Path) -> Path:
    """The straight path learned at all its times alike (Lipman et al. 2023).

    >>> even(PATHS["straight"]).learned(torch.tensor([0.5])).item()
    1.0
    """
    return replace(path, learned=lambda u: u / (1 - u))


def ladder(rungs: int, least: float, most: float) -> Path:
    """Noise levels in equal ratios, all learned alike (Song & Ermon 2019).

    >>> [round(s, 3) for s in ladder(3, 0.01, 1.0).learned(torch.tensor([0.1, 0.5, 0.9])).tolist()]
    [0.01, 0.1, 1.0]
    """
    def at(time: Tensor) -> Tensor:
        return least * (time * log(most / least)).exp()
    return Path(lambda u: at((u * rungs).floor() / (rungs - 1)), at, least, most, shift=1.0)


def levels(path: Path, steps: int, top: float = 1.0) -> list[float]:
    """Noise levels from the highest down, then 0: `steps` of them, or the share of these from time `top` on.

    >>> levels(PATHS["straight"], 2)[-1]
    0.0
    """
    times = torch.linspace(top, 0, ceil(steps * top) + 1, dtype=torch.double)[:-1]
    return [*path.visited(times).tolist(), 0.0]


def clock(sigma: Tensor) -> Tensor:
    """A noise level as the time that networks are told, 0 to 1000."""
    return sigma.atan() * (2000 / pi)
