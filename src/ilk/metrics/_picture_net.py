"""A small convolutional network whose features pictures are compared by, learned from some of the training pictures.

With labels it learns to tell them apart; without, by how many quarter turns a picture was turned (Gidaris et al. 2018).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, pad, relu

from ilk.rng import Rng

from ._kept import digest
from ._tables import Cells

SIZE, SIDE, CHUNK = 64, 32, 512
BATCH, STEPS, FEWEST_STEPS, EPOCHS, RATE, WARM = 64, 700, 50, 30, 2e-3, 20
TURNS = 4


class Net(nn.Module):
    """(n, channels, side, side) -> (n, classes), by way of 64 features. Normalising them keeps every one alive."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        self.see = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
                                 nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten())
        self.sum = nn.Sequential(nn.Linear(64 * (-(-side // 4)) ** 2, SIZE, bias=False), nn.BatchNorm1d(SIZE))
        self.tell = nn.Linear(SIZE, classes)

    def features(self, x: Tensor) -> Tensor:
        """The last layer but one, (n, 64)."""
        return relu(self.sum(self.see(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        scores: Tensor = self.tell(self.features(x))
        return scores


class Trained:
    """A network that has learned from pictures (n, h, w, c) and their classes, if they have any."""

    def __init__(self, pictures: Cells, classes: Cells | None, rng: Rng) -> None:
        x = _square(planes(pictures))
        self.mean, self.off = float(x.mean()), float(x.std()) or 1.0
        with rng.as_global():
            self.net = Net(x.shape[1], x.shape[2], TURNS if classes is None else int(classes.max()) + 1)
        self._learn(self._ready(pictures), None if classes is None else torch.from_numpy(classes).long(), rng)
        self.net.eval().requires_grad_(False)

    def _learn(self, x: Tensor, y: Tensor | None, rng: Rng) -> None:
        batch = min(BATCH, len(x))
        steps = min(STEPS, max(FEWEST_STEPS, EPOCHS * len(x) // batch))

        def loss(i: int) -> Tensor:
            here = rng.child("step", i)
            rows = here.child("rows").integers(batch, len(x))
            seen, told = _turned(x[rows], here) if y is None else (moved(x[rows], here), y[rows])
            return cross_entropy(self.net(seen), told)

        descend(list(self.net.parameters()), loss, steps)

    def features(self, pictures: Cells) -> Cells:
        """The features of pictures, (n, 64) in float64."""
        found: Cells = self.net.features(self._ready(pictures)).double().numpy()
        return found

    def classes(self, pictures: Cells) -> Cells:
        """The class that each picture most looks like."""
        found: Cells = self.chances(pictures).argmax(1)
        return found

    def chances(self, pictures: Cells) -> Cells:
        """The chance of each class by what a picture looks like, (n, classes) in float64."""
        found: Cells = torch.cat([self.net(self._ready(pictures[i:i + CHUNK])) for i in range(0, len(pictures), CHUNK)]).double().softmax(1).numpy()
        return found

    def _ready(self, pictures: Cells) -> Tensor:
        return (_square(planes(pictures)) - self.mean) / self.off

    def digest(self) -> str:
        """The same for the same weights: figures in feature spaces of other digests are not to be compared."""
        return digest(*(t.numpy() for t in self.net.state_dict().values()))


def descend(params: Sequence[nn.Parameter], loss: Callable[[int], Tensor], steps: int, most: float = RATE) -> None:
    """Adam on the loss of every step (its start-up left to the warm-up), the rate going up to `most` and down to 0."""
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in params]
    for i in range(steps):
        slopes = torch.autograd.grad(loss(i), params)
        rate = most * min(1.0, (i + 1) / WARM) * 0.5 * (1 + cos(pi * i / steps))
        with torch.no_grad():
            for p, (one, two), slope in zip(params, moments, slopes, strict=True):
                p.sub_(rate * one.lerp_(slope, 0.1) / (two.lerp_(slope.square(), 0.01).sqrt() + 1e-8))


def shown(pictures: Cells) -> str:
    """How large the network sees them."""
    height, width = _seen(*pictures.shape[1:3])
    return "no resize" if (height, width) == pictures.shape[1:3] else f"shrunk to {width}x{height}"


def _seen(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def planes(pictures: Cells, side: int = SIDE) -> Tensor:
    """Channels first, in [0, 1], areas averaged down to at most so many a side."""
    found = []
    for start in range(0, len(pictures), CHUNK):
        x = torch.from_numpy(np.ascontiguousarray(pictures[start:start + CHUNK])).permute(0, 3, 1, 2).float() / 255
        seen = _seen(x.shape[2], x.shape[3], side)
        found.append(x if seen == tuple(x.shape[2:]) else adaptive_avg_pool2d(x, seen))
    return torch.cat(found)


def _square(x: Tensor) -> Tensor:
    """Filled up to a square, so that it can be turned."""
    side = max(x.shape[2:])
    return pad(x, (0, side - x.shape[3], 0, side - x.shape[2]))


def moved(x: Tensor, rng: Rng) -> Tensor:
    """All by the same few pixels: what a picture shows does not depend on where."""
    high, wide = x.shape[2:]
    most = min(high, wide) // 12
    down, right = rng.child("moved").integers(2, 2 * most + 1).tolist()
    return pad(x, (most,) * 4, mode="replicate")[:, :, down:down + high, right:right + wide]


def _turned(x: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
    """Each by some quarter turns, and by how many."""
    many = rng.child("turned").integers(len(x), TURNS)
    every = torch.stack([x.rot90(k, (2, 3)) for k in range(TURNS)])
    return every[many, torch.arange(len(x))], many
