"""Diffusion: noise taken away step by step by a network that learned to, over pictures and arrays; labels, guidance, a bound."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

from ilk.distribution import AnyNet, Family
from ilk.families._denoising import Denoising, refuses
from ilk.nets._context import Partly
from ilk.space import Space


@dataclass(frozen=True, kw_only=True)
class Diffusion(Family):
    """Denoising diffusion (Sohl-Dickstein et al. 2015; Ho et al. 2020) in the form of Karras et al. 2022.

    `path` says which noise levels are learned and visited, `predict` what the network answers: "v" is the preconditioned mean of data and
    noise. Labels are forgotten with chance `drop`, so that `guidance` above 1 can sharpen what they ask for. `levels` noise
    levels an item make the bound. Samplers are ways to draw: `sample(64, how=Heun(steps=18))`; by default DPMSolver(steps=10).

    >>> import torch
    >>> from ilk.rng import Rng
    >>> from ilk.space import Reals
    >>> Diffusion().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """

    distribution = Denoising
    path: Literal["edm", "cosine", "linear"] = "edm"
    predict: Literal["v", "eps", "x0"] = "v"
    guidance: Annotated[float, Interval(ge=0, le=100)] = 1.5
    drop: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    levels: Annotated[int, Interval(ge=1, le=100_000)] = 16
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals."""
        return refuses(space)

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels, captions and arrays of numbers."""
        return Partly.refuses(about)
