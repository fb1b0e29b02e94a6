"""Gated convolutions over pictures of which each pixel sees the rows above and what is left of it (van den Oord et al. 2016).

One stack goes down the rows, one goes along the row and takes from the first, so no place before a pixel is out of sight. Drawn pixel by
pixel, every number of both stacks is worked out once.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from ilk.nets._logistic import begun

Draw = Callable[[Tensor, int, int], Tensor]  # what is said of a channel of a pixel, the pixel's number and the channel: its values


class Gated(nn.Module):
    """One layer of both stacks: tanh times sigmoid, added to what comes in."""

    def __init__(self, width: int, reach: int, dilation: int, about: int) -> None:
        super().__init__()
        self.reach, self.dilation = reach, dilation
        self.down = nn.Conv2d(width, 2 * width, (reach + 1, 2 * reach + 1), dilation=dilation)
        self.across = nn.Conv2d(width, 2 * width, (1, reach + 1), dilation=dilation)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.told = nn.Linear(about, 2 * width, bias=False) if about else None

    @property
    def far(self) -> int:
        """How many pixels it looks up, left and right."""
        return self.reach * self.dilation

    def above(self, seen: Tensor, about: Tensor | None) -> Tensor:
        """What rows with all that they look at around them say, before the gate."""
        raw: Tensor = self.down(seen)
        return raw if about is None or self.told is None else raw + self.told(about)[:, :, None, None]

    def forward(self, v: Tensor, h: Tensor, about: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both stacks one layer on, (B, width, rows, columns) each."""
        raw = self.above(pad(v, (self.far, self.far, self.far, 0)), about)
        return v + gated(raw), h + self.out(gated(self.across(pad(h, (self.far, 0))) + self.link(raw)))


def gated(x: Tensor) -> Tensor:
    """tanh of one half of the channels times the sigmoid of the other."""
    one, other = x.chunk(2, 1)
    return one.tanh() * other.sigmoid()


class Pixels(nn.Module):
    """What is said of every channel of every pixel from those before it: rows from the top, pixels from the left, channels in order."""

    def __init__(self, channels: int, levels: int, gives: int, sizes: tuple[int, Sequence[int], int], about: int) -> None:
        super().__init__()
        width, dilations, reach = sizes
        self.channels, self.levels, self.gives, self.first = channels, levels, gives, 3
        planes = channels * (levels if levels <= 4 else 1) + 1
        self.down = nn.Conv2d(planes, width, (self.first + 1, 2 * self.first + 1))
        self.across = nn.Conv2d(planes, width, (1, self.first + 1))
        self.layers: Sequence[Gated] = nn.ModuleList([Gated(width, reach, d, about) for d in dilations])  # type: ignore[assignment]
        self.before = nn.ModuleList([nn.Embedding(levels, width) for _ in range(channels - 1)])
        self.heads = nn.ModuleList([nn.Linear(width, gives) for _ in range(channels)])

    def planes(self, x: Tensor) -> Tensor:
        """(B, channels, rows, columns) of whole numbers -> planes of reals, the last of ones: that is where the picture is."""
        y = torch.nn.functional.one_hot(x, self.levels).movedim(-1, 1).flatten(1, 2) if self.levels <= 4 else x * (2 / (self.levels - 1)) - 1
        return torch.cat([y, torch.ones_like(y[:, :1])], 1).to(self.down.weight.dtype, memory_format=torch.channels_last)

    def forward(self, x: Tensor, about: Tensor | None) -> Tensor:
        """What is said of x, (B, rows, columns, channels, gives)."""
        y, far = self.planes(x), self.first
        v, h = self.down(pad(y, (far, far, far + 1, -1))), self.across(pad(y, (far + 1, -1)))
        for layer in self.layers:
            v, h = layer(v, h, about)
        return torch.stack([self.say(h.movedim(1, -1), [x[:, i] for i in range(c)]) for c in range(self.channels)], 3)

    def say(self, h: Tensor, values: Sequence[Tensor]) -> Tensor:
        """Of the channel after those whose values these are."""
        for table, value in zip(self.before, values, strict=False):
            h = h + table(value)
        found: Tensor = self.heads[len(values)](silu(h))
        return found

    @torch.no_grad()
    def fill(self, x: Tensor, known: int, about: Tensor | None, draw: Draw) -> Tensor:
        """x (B, channels, rows, columns) with all values but the first `known` drawn, in order."""
        return deque(self.rows(x, known, about, draw), maxlen=1).pop() if x.shape[2] else x

    def rows(self, x: Tensor, known: int, about: Tensor | None, draw: Draw) -> Iterator[Tensor]:
        """The same after every row."""
        x, (_, _, rows, columns) = x.clone(), x.shape
        walk = _Walk(self, x, about)
        for i in range(rows):
            links = walk.row(i)
            for j in range(columns if (i + 1) * columns * self.channels > known else 0):
                h, place = walk.pixel(i, j, links), i * columns + j
                for c in range(self.channels):
                    if place * self.channels + c >= known:
                        x[:, c, i, j] = draw(self.say(h, [x[:, k, i, j] for k in range(c)]), place, c)
                walk.planes[:, :, walk.top + i, walk.side + j] = self.planes(x[:, :, i:i + 1, j:j + 1])[:, :, 0, 0]
            yield x


class _Walk:
    """Both stacks as far as a picture is drawn, with nothing worked out twice."""

    def __init__(self, net: Pixels, x: Tensor, about: Tensor | None) -> None:
        self.net, self.about, self.layers = net, about, net.layers
        (n, _, rows, columns), width = x.shape, net.down.weight.shape[0]
        self.top, self.side, self.columns = net.first + 1, net.first + 1, columns
        self.planes = pad(net.planes(x), (self.side, net.first, self.top, 0))
        self.down = [torch.zeros(n, width, rows + g.far, columns + 2 * g.far) for g in self.layers]
        self.left = [torch.zeros(n, width, columns + g.far) for g in self.layers]
        self.across = [_product(conv) for conv in (net.across, *(g.across for g in self.layers))]
        self.out = [_product(g.out) for g in self.layers]

    def row(self, i: int) -> list[Tensor]:
        """What the rows above say to row i in each layer, (B, 2 width, columns)."""
        v, links = self.net.down(self.planes[:, :, i:i + self.top, 1:]), []
        for layer, kept in zip(self.layers, self.down, strict=True):
            kept[:, :, layer.far + i, layer.far:layer.far + self.columns] = v[:, :, 0]
            raw = layer.above(kept[:, :, i:i + layer.far + 1], self.about)
            links.append(layer.link(raw)[:, :, 0])
            v = v + gated(raw)
        return links

    def pixel(self, i: int, j: int, links: Sequence[Tensor]) -> Tensor:
        """The last layer's numbers of a pixel, (B, width)."""
        weight, bias = self.across[0]
        h = torch.addmm(bias, self.planes[:, :, self.top + i, j:j + self.side].flatten(1), weight)
        for layer, kept, link, (weight, bias), (out, more) in zip(self.layers, self.left, links, self.across[1:], self.out, strict=True):
            kept[:, :, layer.far + j] = h
            seen = kept[:, :, j:j + layer.far + 1:layer.dilation].flatten(1)
            h = h + torch.addmm(more, gated(torch.addmm(bias, seen, weight) + link[:, :, j]), out)
        return h


def _product(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """A convolution at one place as a product: its weights turned round, and its bias."""
    return conv.weight.flatten(1).T.contiguous(), conv.bias  # type: ignore[return-value]


def started(net: Pixels, shares: Sequence[Tensor] | None, parts: int) -> None:
    """Heads that say the shares of each channel's levels, or mixtures spread over the levels, before they learn."""
    for c, head in enumerate(net.heads):
        nn.init.zeros_(head.weight)  # type: ignore[arg-type]
        if shares is None:
            begun(head.bias, parts)  # type: ignore[arg-type]
        else:
            with torch.no_grad():
                head.bias.copy_(shares[c])  # type: ignore[operator]
