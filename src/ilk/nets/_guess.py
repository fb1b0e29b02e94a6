"""What every position of an item may hold, seen from all the others: noisy or hidden whole numbers in, log weights of values out."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from ..distribution import Net, Port
from ._decoder import Decoder, Shape
from .mlp import MLP, WAVES, waves
from .unet2d import UNet2D

EMBED, LEAST_SIDE = 16, 4


class Guess(nn.Module):
    """(B, positions) of values, the size of a position standing for one that is hidden; a time, (B,); a context -> (B, positions, values).

    Records go through a plain network, pictures through a convolutional one, sequences through attention that looks both ways;
    the log marginals that `start_at` sets are where all of them begin.
    """

    cell: Tensor

    def __init__(self, sizes: Sequence[int], shape: tuple[int, ...], about: int, net: Net | None, sequence: bool) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        most, column = max(sizes), torch.arange(max(sizes))
        ends = torch.tensor([0, *sizes]).cumsum(0)
        self.register_buffer("cell", (ends[:-1, None] + column).where(column < torch.tensor(sizes)[:, None], sum(sizes)), persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(sizes), most))
        picture = len(shape) == 3 and min(shape[1:]) >= LEAST_SIDE and len(set(sizes)) == 1
        kind = Seen if picture else Flat
        self.net: nn.Module = Attending(len(sizes), most, about) if sequence and net is None else kind(self.sizes, shape, about, net)

    def forward(self, x: Tensor, time: Tensor, told: Tensor | None) -> Tensor:
        """Log weights, -inf for values that a position has not."""
        found: Tensor = pad(self.net(x, time, told), (0, 1), value=-torch.inf)[:, self.cell]
        return found + self.bias

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """Sets the first answer to the log marginals of some items, (B, positions)."""
        for i, size in enumerate(self.sizes):
            share = torch.bincount(x[:, i], minlength=size).float() + 1 / size
            self.bias[i, :size] = (share / share.sum()).log()


class Flat(nn.Module):
    """Every value of every position has an embedding of its own; all of them go through one plain network."""

    first: Tensor

    def __init__(self, sizes: tuple[int, ...], shape: tuple[int, ...], about: int, net: Net | None) -> None:
        super().__init__()
        wide, rows = min(EMBED, max(sizes) + 1), torch.tensor([0, *[size + 1 for size in sizes]]).cumsum(0)
        self.register_buffer("first", rows[:-1], persistent=False)
        self.embed = nn.Parameter(torch.randn(int(rows[-1]), wide) * wide**-0.5)
        self.net = (net or MLP(width=min(1024, max(128, 16 * len(sizes))), depth=3))(Port("denoise", (len(sizes) * wide,), (sum(sizes),), about))

    def forward(self, x: Tensor, time: Tensor, told: Tensor | None) -> Tensor:
        """(B, positions) -> (B, sum of sizes)."""
        found: Tensor = self.net(self.embed[x + self.first].flatten(1), time, *([] if told is None else [told]))
        return found


class Seen(nn.Module):
    """Channels of a picture's embedded values through a network of pictures."""

    def __init__(self, sizes: tuple[int, ...], shape: tuple[int, ...], about: int, net: Net | None) -> None:
        super().__init__()
        self.shape, self.size, (channels, *sides) = shape, sizes[0], shape
        wide = min(EMBED, self.size + 1)
        self.embed = nn.Parameter(torch.randn(self.size + 1, wide))
        self.net = (net or UNet2D(width=32, multiples=(1, 2)))(Port("denoise", (channels * wide, *sides), (channels * self.size, *sides), about))

    def forward(self, x: Tensor, time: Tensor, told: Tensor | None) -> Tensor:
        """(B, positions) -> (B, positions times values)."""
        h = self.embed[x].reshape(len(x), *self.shape, -1).movedim(-1, 2).flatten(1, 2)
        found: Tensor = self.net(h, time, *([] if told is None else [told]))
        flat: Tensor = found.unflatten(1, (self.shape[0], self.size)).movedim(2, -1).flatten(1)
        return flat


class Attending(nn.Module):
    """Layers of attention over the positions of a sequence, which all see each other (Vaswani et al. 2017)."""

    def __init__(self, positions: int, size: int, about: int, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        self.net = Decoder(Shape(size + 1, layers, 4, 4, width, 352))
        self.place = nn.Parameter(0.02 * torch.randn(positions, width))
        self.known, self.last = nn.Linear(WAVES + about, width), nn.Linear(width, size)

    def forward(self, x: Tensor, time: Tensor, told: Tensor | None) -> Tensor:
        """(B, positions) -> (B, positions times values)."""
        known = waves(time) if told is None else torch.cat([waves(time), told], 1)
        h = self.net.embedded(x) + self.place + silu(self.known(known))[:, None]
        found: Tensor = self.last(self.net(h, h.new_zeros(h.shape[1], h.shape[1])))
        return found.flatten(1)
