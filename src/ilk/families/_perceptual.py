"""A small network that learned from the data itself how pictures are mirrored: between its features blur is far from what is sharp."""
from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilk.rng import Rng
from ilk.train.adamw import AdamW

STEPS, BATCH, RATE = 150, 64, 3e-3
MIRRORS: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))
ALWAYS = Rng(0).child("looks")   # one space of features for the same data, whatever the seed of the fit


class Looks(nn.Module):
    """Features of pictures at half and at a quarter of their size. It learns which way pictures were mirrored (after Gidaris et al. 2018), then stays as it is."""

    size: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.numbers = prod(shape)
        self.large = nn.Conv2d(shape[0], 16, 4, stride=2, padding=1)
        self.small = nn.Conv2d(16, 32, 4, stride=2, padding=1)
        self.tell = nn.Linear(32, len(MIRRORS))
        self.register_buffer("size", torch.ones(2))
        self.requires_grad_(False)

    def features(self, x: Tensor) -> list[Tensor]:
        """At both sizes."""
        half = F.silu(self.large(x))
        return [half, F.silu(self.small(half))]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """How far apart pictures look, (B,): squared distances of features over the features' own size, as much as the pixels would weigh."""
        gaps = [(a - b).square().flatten(1).mean(1) / size for a, b, size in zip(self.features(x), self.features(y), self.size, strict=True)]
        return (torch.stack(gaps).mean(0) * self.numbers).double()

    def learn(self, x: Tensor) -> None:
        """Steps of telling mirrorings apart."""
        self.requires_grad_(True)
        adam = AdamW(list(self.parameters()), 0.0)
        for i in range(STEPS):
            rng = ALWAYS.child("step", i)
            rows, way = rng.child("rows").integers(BATCH, len(x)), rng.child("way").integers(BATCH, len(MIRRORS))
            seen = torch.stack([x[rows].flip(m) if m else x[rows] for m in MIRRORS])[way, torch.arange(BATCH)]
            adam.forget_gradients()
            F.cross_entropy(self.tell(self.features(seen)[1].mean((2, 3))), way).backward()
            adam.step(RATE)
        adam.forget_gradients()
        self.requires_grad_(False)
        self.size.copy_(torch.stack([f.square().mean() for f in self.features(x[:BATCH])]).clamp_min(1e-6))
