"""A masked network over records of whole numbers: one pass gives every conditional, block by block for sampling.

Positions come in the order of the model (position r has rank r). Values are embedded; hidden units have degrees in
rising order and see positions of rank at most their degree; the output for rank r sees units of lower degree and the
embeddings of lower ranks directly. Since degrees rise, every mask is a staircase and sampling computes each unit once.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear, relu


class Record(nn.Module):
    """Conditionals of the positions of a record, in one order (Germain et al. 2015, with embeddings and skips)."""

    starts: Tensor
    cell: Tensor

    def __init__(self, sizes: Sequence[int], width: int, depth: int, embed: int, drop: float) -> None:
        super().__init__()
        self.sizes, self.drop = tuple(sizes), drop
        d, e = len(sizes), min(embed, max(sizes))
        degree = (torch.arange(width) * max(1, d - 1)) // width
        rank = torch.arange(d).repeat_interleave(e)
        out = torch.arange(d).repeat_interleave(torch.tensor(self.sizes))
        self.embed = nn.Parameter(torch.randn(sum(sizes), e) * e**-0.5)
        self.first = Masked(degree[:, None] >= rank[None])
        self.hidden = nn.ModuleList([Masked(degree[:, None] >= degree[None]) for _ in range(depth - 1)])
        self.last = Masked(out[:, None] > degree[None])
        self.skip = Masked(out[:, None] > rank[None])
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.skip.weight)
        starts = torch.tensor([0, *sizes]).cumsum(0)
        column = torch.arange(max(sizes))[None]
        cell = torch.where(column < torch.tensor(self.sizes)[:, None], starts[:-1, None] + column, sum(sizes))
        self.register_buffer("starts", starts[:-1], persistent=False)
        self.register_buffer("cell", cell, persistent=False)
        self.units = [int(u) for u in torch.searchsorted(degree, torch.arange(d + 1))]
        self.e, self.ends = e, [int(s) for s in starts]
        self.even = len(set(self.sizes)) == 1

    def forward(self, x: Tensor) -> Tensor:
        """Log conditionals of the values that are there, (B, positions), of x (B, positions)."""
        table = self.logits(x)
        if self.even:
            law = table.reshape(len(x), len(self.sizes), self.sizes[0]).log_softmax(-1)
            return law.gather(-1, x[..., None])[..., 0]
        pad = torch.cat([table, table.new_full((len(x), 1), -torch.inf)], 1)
        norm = pad[:, self.cell].logsumexp(-1)
        return table.gather(1, x + self.starts) - norm

    def logits(self, x: Tensor) -> Tensor:
        """Logits of all values of all positions, end to end, (B, sum of sizes)."""
        v = self.embed[x + self.starts].flatten(1)
        h = relu(self.first(v))
        for layer in self.hidden:
            h = dropout(h, self.drop, self.training)
            h = h + relu(layer(h))
        out: Tensor = self.last(dropout(h, self.drop, self.training)) + self.skip(v)
        return out

    @torch.no_grad()
    def start_at(self, log_share: Tensor) -> None:
        """Sets the output biases to the log marginals, (sum of sizes,)."""
        self.last.bias.copy_(log_share)

    @torch.no_grad()
    def law(self, x: Tensor, ahead: int) -> Iterator[Tensor]:
        """The log law of each position in turn, (B, size), from rank `ahead` on; x is read as it is filled."""
        n, d = len(x), len(self.sizes)
        v = x.new_zeros(n, d * self.e, dtype=self.embed.dtype)
        layers = [h.new_zeros(n, self.first.weight.shape[0]) for h in [v] * (1 + len(self.hidden))]
        first, hidden, last, skip = self.first.effective(), [h.effective() for h in self.hidden], self.last.effective(), self.skip.effective()  # type: ignore[operator]
        for r in range(d):
            if r >= ahead:
                a, b, u = self.ends[r], self.ends[r + 1], self.units[r]
                told = linear(layers[-1][:, :u], last[a:b, :u], self.last.bias[a:b]) + linear(v[:, :r * self.e], skip[a:b, :r * self.e], self.skip.bias[a:b])
                yield told.double().log_softmax(1)
            v[:, r * self.e:(r + 1) * self.e] = self.embed[x[:, r] + self.ends[r]]
            lo, hi = self.units[r], self.units[r + 1]
            if hi > lo:
                self._extend(layers, v, lo, hi, (r + 1) * self.e, first, hidden)

    def _extend(self, layers: list[Tensor], v: Tensor, lo: int, hi: int, seen: int, first: Tensor, hidden: list[Tensor]) -> None:
        """The hidden units of one degree, in every layer."""
        layers[0][:, lo:hi] = relu(linear(v[:, :seen], first[lo:hi, :seen], self.first.bias[lo:hi]))
        for i, weight in enumerate(hidden):
            below = layers[i]
            step = relu(linear(below[:, :hi], weight[lo:hi, :hi], self.hidden[i].bias[lo:hi]))  # type: ignore[index]
            layers[i + 1][:, lo:hi] = below[:, lo:hi] + step


class Masked(nn.Module):
    """A linear layer of which only some weights exist."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(mask.shape) * (mask.sum(1, keepdim=True).clamp_min(1) ** -0.5))
        self.bias = nn.Parameter(torch.zeros(len(mask)))
        self.register_buffer("mask", mask.float(), persistent=False)

    def effective(self) -> Tensor:
        """The weights that exist."""
        return self.weight * self.mask.to(self.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Affine map through the mask."""
        return linear(x, self.effective(), self.bias)
