"""Books of code vectors: one that follows the encoder's vectors by moving averages, and a fixed lattice."""
from __future__ import annotations

from abc import ABC, abstractmethod
from math import log, prod

import torch
from torch import Tensor, nn

from ilk.rng import Rng

DEAD = 0.1  # of an even share of the vectors: an entry that gets less is set anew


class Book(nn.Module, ABC):
    """`size` vectors of `width` numbers; what an encoder says becomes the nearest of them."""

    entries: Tensor  # (size, width)

    @property
    def size(self) -> int:
        """How many vectors there are."""
        return len(self.entries)

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self.entries.shape[1]

    def bound(self, v: Tensor) -> Tensor:
        """What the encoder says, where the entries lie."""
        return v

    @abstractmethod
    def nearest(self, v: Tensor) -> Tensor:
        """The index of the nearest entry, (...), of v (..., width)."""

    def begin(self, v: Tensor, rng: Rng) -> None:
        """Told the vectors (n, width) of a training batch before they are quantised. By default nothing follows."""

    def learn(self, v: Tensor, index: Tensor) -> None:
        """Told them and their entries (n,) afterwards. By default nothing follows."""

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest entries, their indexes, and how far off v is, squared; what is done with the entries has its gradient at v (Bengio et al. 2013)."""
        index = self.nearest(v)
        near = self.entries[index]
        return v + (near - v).detach(), index, (v - near).square().sum(-1)


class Averages(Book):
    """Each entry is a moving average of the vectors that were nearest to it (van den Oord et al. 2017, appendix A.1).

    Of entry k, `count` is the average number of its vectors in a batch. Entries that get hardly any become vectors of the batch,
    as all do at first (Dhariwal et al. 2020, section 3.1).
    """

    count: Tensor

    def __init__(self, size: int, width: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("entries", torch.randn(size, width))
        self.register_buffer("count", torch.zeros(size))

    def nearest(self, v: Tensor) -> Tensor:
        """By squared distance, without what all entries share."""
        flat = v.reshape(-1, self.width)
        far = torch.addmm(self.entries.square().sum(1), flat, self.entries.T, alpha=-2)
        return far.argmin(1).reshape(v.shape[:-1])

    @torch.no_grad()
    def begin(self, v: Tensor, rng: Rng) -> None:
        """Sets dead entries on vectors of the batch."""
        share = len(v) / self.size
        dead = (self.count < DEAD * share).nonzero()[:, 0]
        if len(dead):
            order = rng.child("restart").shuffle(len(v)).to(v.device)
            self.entries[dead] = v[order[torch.arange(len(dead)) % len(v)]]
            self.count[dead] = share

    @torch.no_grad()
    def learn(self, v: Tensor, index: Tensor) -> None:
        """One step of the averages; with decay 0, one of k-means."""
        many = torch.bincount(index, minlength=self.size).float()
        total = torch.zeros_like(self.entries).index_add_(0, index, v)
        self.count.mul_(self.decay).add_(many, alpha=1 - self.decay)
        step = (1 - self.decay) / self.count.clamp_min(1e-12)
        self.entries.add_((total - many[:, None] * self.entries) * step[:, None])


class Lattice(Book):
    """Finite scalar quantisation (Mentzer et al. 2024): each number is squashed into [-1, 1] and rounded to one of a few levels."""

    sizes: Tensor

    def __init__(self, most: int) -> None:
        super().__init__()
        levels = lattice_levels(most)
        axes = [torch.linspace(-1, 1, n) for n in levels]
        self.register_buffer("entries", torch.cartesian_prod(*axes).reshape(-1, len(levels)), persistent=False)
        self.register_buffer("sizes", torch.tensor(levels), persistent=False)

    def bound(self, v: Tensor) -> Tensor:
        """Squashed."""
        return v.tanh()

    def nearest(self, v: Tensor) -> Tensor:
        """Every number by itself; the first is the slowest digit of the index."""
        digit = ((v.clamp(-1, 1) + 1) / 2 * (self.sizes - 1)).round().long()
        place = self.sizes.flip(0).cumprod(0).flip(0) // self.sizes
        return (digit * place).sum(-1)

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nothing has to be pulled to entries that do not move."""
        passed, index, off = super().forward(v)
        return passed, index, torch.zeros_like(off)


def lattice_levels(most: int) -> tuple[int, ...]:
    """Levels of each number, about six, with at most so many combinations.

    >>> lattice_levels(64), lattice_levels(1024)
    ((8, 8), (6, 6, 5, 5))
    """
    many = max(1, round(log(most) / log(6)))
    levels = [int((most + 0.5) ** (1 / many))] * many
    for i in range(many):
        if prod(levels) // levels[i] * (levels[i] + 1) <= most:
            levels[i] += 1
    return tuple(levels)
