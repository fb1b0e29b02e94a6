"""Flow matching: straight ways from noise to data, whose mean velocity a network learns; labels, guidance, a bound."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval

from ilk.distribution import AnyNet, Family
from ilk.families._denoising import Denoising, refuses
from ilk.nets._context import Partly
from ilk.space import Space


@dataclass(frozen=True, kw_only=True)
class FlowMatching(Family):
    """Flow matching along straight paths (Lipman et al. 2023; Liu et al. 2023), times logit-normal (Esser et al. 2024).

    In the scale x = data + sigma * noise it is a diffusion with sigma = t / (1 - t), so samplers, labels, guidance and the bound are those of
    `Diffusion`.

    >>> import torch
    >>> from ilk.rng import Rng
    >>> from ilk.space import Reals
    >>> FlowMatching().build(Reals((2,)), Rng(0)).sample(3, Rng(1)).tensor.shape
    torch.Size([3, 2])
    """

    distribution = Denoising
    path: ClassVar[str] = "straight"
    predict: ClassVar[str] = "u"
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
