"""Bijections of vectors whose Jacobians are triangular: x, (B, d) -> z and the log of the determinant, (B,); and back."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear, relu

from ilk.distribution import Port
from ilk.nets._monotone import Monotone
from ilk.nets._record import Masked
from ilk.nets.mlp import MLP
from ilk.rng import Rng

Mapped = tuple[Tensor, Tensor]
WIDEST = 1024   # numbers that are whitened together
SHARES = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5)


@runtime_checkable
class Prepared(Protocol):
    """A step that starts from data."""

    def prepare(self, x: Tensor, /) -> None: ...


class Marginal(nn.Module):
    """Every number by itself."""

    def __init__(self, d: int, how: Monotone) -> None:
        super().__init__()
        self.how, self.theta = how, nn.Parameter(torch.zeros(d, how.many))

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """The function of each number."""
        y, slope = self.how.forward(x, self.theta.to(x.dtype).expand(len(x), -1, -1))
        return y, slope.sum(1)

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """Its inverse."""
        x, slope = self.how.inverse(z, self.theta.to(z.dtype).expand(len(z), -1, -1))
        return x, slope.sum(1)


class Triangular(nn.Module):
    """x -> A x with A lower triangular; what is learned starts at, and decays to, what data were whitened by."""

    start: Tensor

    def __init__(self, d: int) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros(d, d))
        self.register_buffer("start", torch.eye(d))

    def prepare(self, x: Tensor) -> None:
        """Starts at what gives these covariance 1."""
        self.start.copy_(whitening(x.double()))

    def weight(self, kind: torch.dtype) -> Tensor:
        """A."""
        change = self.change.to(kind)
        return (change.tril(-1) + change.diagonal().exp().diag()) @ self.start.to(kind)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """The product."""
        a = self.weight(x.dtype)
        return x @ a.T, a.diagonal().log().sum().expand(len(x))

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """By substitution."""
        a = self.weight(z.dtype)
        return torch.linalg.solve_triangular(a, z.T, upper=False).T, -a.diagonal().log().sum().expand(len(z))


class Coupling(nn.Module):
    """The later half in an order moves as the earlier half says (Dinh et al. 2017)."""

    still: Tensor
    moves: Tensor
    back: Tensor

    def __init__(self, order: Tensor, how: Monotone, net: MLP, about: int) -> None:
        super().__init__()
        first = len(order) - len(order) // 2
        self.how = how
        for name, index in (("still", order[:first]), ("moves", order[first:]), ("back", order.argsort())):
            self.register_buffer(name, index, persistent=False)
        told: Any = net(Port("encode", (first,), (len(self.moves), how.many), about))
        nn.init.zeros_(told.last.weight)
        nn.init.zeros_(told.last.bias)
        self.net: nn.Module = told

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """Told by the half that stays."""
        still = x[:, self.still]
        y, slope = self.how.forward(x[:, self.moves], _ask(self.net, still, about))
        return torch.cat([still, y], 1)[:, self.back], slope.sum(1)

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """The half that stays is known already."""
        still = z[:, self.still]
        x, slope = self.how.inverse(z[:, self.moves], _ask(self.net, still, about))
        return torch.cat([still, x], 1)[:, self.back], slope.sum(1)


class Conditioner(nn.Module):
    """(B, d) -> (B, d, many): what each number is told sees those of lower rank only (Germain et al. 2015), and the context."""

    def __init__(self, rank: Tensor, many: int, net: MLP, about: int) -> None:
        super().__init__()
        d, told, self.drop = len(rank), int(about > 0), net.dropout
        degree = torch.arange(net.width) * max(1, d - 1 + told) // net.width - told
        self.first = Masked(degree[:, None] >= rank[None])
        self.hidden = nn.ModuleList([Masked(degree[:, None] >= degree[None]) for _ in range(net.depth - 1)])
        self.last = Masked(rank.repeat_interleave(many)[:, None] > degree[None])
        nn.init.zeros_(self.last.weight)
        self.beside = nn.Linear(about, net.width, bias=False) if about else None
        self.shape = (d, many)

    def heart(self, x: Tensor, about: Tensor | None) -> Tensor:
        """The last hidden layer."""
        h = self.first(x)
        h = relu(h if self.beside is None else h + self.beside(about))
        for layer in self.hidden:
            h = h + relu(layer(dropout(h, self.drop, self.training)))
        return dropout(h, self.drop, self.training)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """For every number."""
        out: Tensor = self.last(self.heart(x, about))
        return out.reshape(len(x), *self.shape)

    def one(self, x: Tensor, about: Tensor | None, i: int) -> Tensor:
        """For number i, (B, many)."""
        rows = slice(i * self.shape[1], (i + 1) * self.shape[1])
        return linear(self.heart(x, about), self.last.effective()[rows], self.last.bias[rows])


class Autoregressive(nn.Module):
    """Every number moves as those before it in an order say (Papamakarios et al. 2017). One pass gives z; back takes one a number."""

    def __init__(self, order: Tensor, how: Monotone, net: MLP, about: int) -> None:
        super().__init__()
        self.how, self.order = how, order.tolist()
        self.net = Conditioner(order.argsort(), how.many, net, about)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """All at once."""
        y, slope = self.how.forward(x, _ask(self.net, x, about))
        return y, slope.sum(1)

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """One number after the other, of all items together."""
        x, place, kind = torch.zeros_like(z), torch.arange(z.shape[1], device=z.device), self.net.first.weight.dtype
        for i in self.order:
            theta = self.net.one(x.to(kind), None if about is None else about.to(kind), i).to(z.dtype)
            x = self.how.inverse(z[:, i], theta)[0][:, None].where(place == i, x)
        return x, -self(x, about)[1]


class Inverted(nn.Module):
    """The other way round: an autoregressive map that makes items in one pass (Kingma et al. 2016)."""

    def __init__(self, of: nn.Module) -> None:
        super().__init__()
        self.of: Any = of

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """Its inverse."""
        found: Mapped = self.of.inverse(x, about)
        return found

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """Itself."""
        found: Mapped = self.of(z, about)
        return found


class Composed(nn.Module):
    """One after the other."""

    def __init__(self, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """From items to noise."""
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, volume = step(x, about)
            total = total + volume
        return x, total

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """From noise to items."""
        total = z.new_zeros(len(z))
        for step in reversed(self.steps):
            z, volume = step.inverse(z, about)  # type: ignore[operator]
            total = total + volume
        return z, total

    @torch.no_grad()
    def prepare(self, x: Tensor, about: Tensor | None) -> Tensor:
        """Steps that start from data look at what the steps before make of some."""
        for step in self.steps:
            if isinstance(step, Prepared):
                step.prepare(x)
            x, _ = step(x, about)
        return x


def stacked(d: int, how: Monotone, layers: int, net: MLP, about: int, structure: str | None) -> Composed:
    """Layers of one structure. Orders are reversed in turn, otherwise fixed shuffles, so that a state holds none."""
    first: list[nn.Module] = [Marginal(d, how)] + ([Triangular(d)] if d <= WIDEST else [])
    order = torch.arange(d)
    for i in range(layers):
        order = order if i == 0 else order.flip(0) if i % 2 else Rng(0).child("order", i).shuffle(d)
        if structure == "coupling" and d > 1:
            first.append(Coupling(order, how, net, about))
        else:
            each = Autoregressive(order, how, net, about)
            first.append(Inverted(each) if structure == "inverse" else each)
    return Composed(first)


def whitening(x: Tensor) -> Tensor:
    """The lower triangular A for which A x has covariance 1, (d, d); of several shares of noise in it, that which fits the other half best."""
    parts = [x[0::2], x[1::2]]
    share = max(SHARES, key=lambda s: sum(_nats(_root(one, s), two) for one, two in (parts, parts[::-1]))) if min(map(len, parts)) > 1 else SHARES[-1]
    return _root(x, share)


def _root(x: Tensor, share: float) -> Tensor:
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    cov = (1 - share) * x.T @ x / len(x) + share * eye
    found: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(cov), eye, upper=False)
    return found


def _nats(a: Tensor, x: Tensor) -> float:
    return float(a.diagonal().log().sum() - 0.5 * (x @ a.T).square().sum() / len(x))


def _ask(net: nn.Module, x: Tensor, about: Tensor | None) -> Tensor:
    """What a network says, in the number format of x: it may compute in another."""
    kind = next(net.parameters()).dtype
    out: Tensor = net(x.to(kind), None if about is None else about.to(kind))
    return out.to(x.dtype)
