"""A causal decoder of the Llama shape: RMSNorm, rotary positions, grouped-query attention, SwiGLU, no biases.

Attention is written as two products and a softmax: on a CPU in bfloat16 torch's fused one takes longer going back than all the rest.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear, silu

EPS, THETA, SPREAD = 1e-5, 10_000.0, 0.02
Held = tuple[Tensor, Tensor]  # keys and values
PRIMES = (40_503, 2_147_483_647, 998_244_353)  # of the hash of n-grams


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder over `tokens` tokens; `ngrams` rows of bigrams and as many of trigrams are added to the embeddings.

    `cross`: every layer attends to a source as well.
    """

    tokens: int
    layers: int
    heads: int
    kv_heads: int
    width: int
    hidden: int
    dropout: float = 0.0
    tie: bool = True
    ngrams: int = 0
    cross: bool = False

    @property
    def size(self) -> int:
        """Numbers per head."""
        return self.width // self.heads


def angles(positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine for rotary positions (Su et al. 2021), each (T, size): a pair of numbers half a size apart has one angle."""
    frequency = THETA ** (-torch.arange(0, size, 2, device=positions.device).float() / size)
    turn = positions[:, None].float() * frequency
    return turn.cos().repeat(1, 2), torch.cat([-turn.sin(), turn.sin()], 1)


def gram_places(inputs: Tensor, shape: Shape) -> Tensor:
    """(B, T) -> (B, T, 2): which rows of the tables a token's bigram and trigram have. An item's first token, the last of all in
    number, has nothing before it; neither has the first of a window; the number after it stands for nothing."""
    end, none = shape.tokens - 1, shape.tokens
    one = torch.cat([torch.full_like(inputs[:, :1], none), inputs[:, :-1]], 1).masked_fill(inputs == end, none)
    two = torch.cat([torch.full_like(inputs[:, :1], none), one[:, :-1]], 1).masked_fill(inputs == end, none)
    base = none + 1
    pair = one * base + inputs
    return torch.stack([pair * PRIMES[0] % PRIMES[1] % shape.ngrams, (two * PRIMES[2] + pair) * PRIMES[0] % PRIMES[1] % shape.ngrams], -1)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(..., size) turned by its angles, a half against the other; the first half of the sine is taken to be negative."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


class _Scaled(torch.autograd.Function):
    """x over its root mean square, times a weight. Its own way back takes a third of the passes over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """In float32 where it is summed."""
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
        rate = size.square_().div_(x.shape[-1]).add_(EPS).rsqrt_()
        unit = x * rate.to(x.dtype)
        ctx.save_for_backward(unit, rate, weight)
        found: Tensor = unit * weight
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """To x and to the weight."""
        unit, rate, weight = ctx.saved_tensors
        both = grads[0] * unit
        lean = ((both @ weight[:, None]) * (rate / -unit.shape[-1])).to(unit.dtype)
        return torch.addcmul(grads[0] * weight * rate.to(unit.dtype), unit, lean), both.flatten(0, -2).sum(0)


class _Gated(torch.autograd.Function):
    """silu(gate) * up of a tensor that holds both."""

    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        """Half as wide."""
        gate, up = both.chunk(2, -1)
        bent = silu(gate)
        ctx.save_for_backward(both, bent)
        return bent * up

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """Both parts in one piece."""
        both, bent = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        back = torch.empty_like(both)
        one, two = back.chunk(2, -1)
        torch.mul(grads[0], bent, out=two)
        torch.ops.aten.silu_backward.grad_input(grads[0] * up, gate, grad_input=one)
        return back


class Norm(nn.Module):
    """Root mean square norm (Zhang & Sennrich 2019), its mean in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and type."""
        found: Tensor = _Scaled.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return found


class Across(nn.Module):
    """Attention to a source (Bahdanau et al. 2015, Vaswani et al. 2017), without positions: the source has its own."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.before = shape, Norm(shape.width)
        self.ask = nn.Linear(shape.width, shape.heads * shape.size, bias=False)
        self.hold = nn.Linear(shape.width, 2 * shape.kv_heads * shape.size, bias=False)
        self.out = nn.Linear(shape.heads * shape.size, shape.width, bias=False)

    def held(self, source: Tensor) -> Held:
        """Keys and values (B, kv_heads, S, size) of a source (B, S, width): the same for every token."""
        k, v = self.hold(source).unflatten(-1, (2 * self.shape.kv_heads, -1)).transpose(1, 2).chunk(2, 1)
        return k, v

    def forward(self, h: Tensor, held: Held) -> Tensor:
        """What is added to (B, T, width)."""
        q = self.ask(self.before(h)).unflatten(-1, (self.shape.heads, -1)).transpose(1, 2) * self.shape.size**-0.5
        found: Tensor = self.out(attended(q, *held, None, self.shape.dropout * self.training))
        return found


def attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, drop: float) -> Tensor:
    """(B, T, width). Queries of one group share their keys: they are further rows of the same product. `mask` is added to scores."""
    b, heads, t, size = q.shape
    scores = q.reshape(b, k.shape[1], -1, size) @ k.transpose(-1, -2)
    if mask is not None:
        scores.unflatten(2, (-1, t)).add_(mask)
    share = scores.softmax(-1)
    share = dropout(share, drop) if drop else share
    return (share @ v).reshape(b, heads, t, size).transpose(1, 2).flatten(2)


class Layer(nn.Module):
    """Attention, then that to a source if there is one, then a gated network, each added to what comes in."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.before, self.between = Norm(shape.width), Norm(shape.width)
        self.qkv = nn.Linear(shape.width, (shape.heads + 2 * shape.kv_heads) * shape.size, bias=False)
        self.out = nn.Linear(shape.heads * shape.size, shape.width, bias=False)
        self.up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)
        self.across = Across(shape) if shape.cross else None

    def forward(self, h: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor | None, held: Held | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, width) on, and its keys and values (B, kv_heads, T, size); `mask` is added to the attention's
        scores, whose scale is in the angles of the queries; `held` is what is kept of the source."""
        q, k, v = self._heads(self.before(h), turn)
        h = h + self._drop(self.out(attended(q, k, v, mask, self.shape.dropout * self.training)))
        if self.across is not None and held is not None:
            h = h + self._drop(self.across(h, held))
        gated = _Gated.apply(self.up(self.between(h)))  # type: ignore[no-untyped-call]
        return h + self._drop(self.down(gated)), k, v

    def _heads(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        s = self.shape
        every = self.qkv(x).unflatten(-1, (s.heads + 2 * s.kv_heads, s.size)).transpose(1, 2)
        both = turned(every[:, :s.heads + s.kv_heads], *turn)
        return both[:, :s.heads], both[:, s.heads:], every[:, s.heads + s.kv_heads:]

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.shape.dropout, self.training) if self.shape.dropout else x


def _turn(s: Shape, first: int, h: Tensor) -> tuple[Tensor, Tensor]:
    """The angles of positions from `first` on, the queries' scaled."""
    place = torch.arange(first, first + h.shape[1], device=h.device)
    scale = torch.tensor([s.size**-0.5] * s.heads + [1.0] * s.kv_heads, device=h.device)[:, None, None]
    cos, sin = ((x * scale).to(h.dtype) for x in angles(place, s.size))
    return cos, sin


class Encoder(nn.Module):
    """Layers in which every place of a source sees every other."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = replace(shape, cross=False)
        self.layers = nn.ModuleList([Layer(self.shape) for _ in range(shape.layers)])
        self.last = Norm(shape.width)
        _spread(self, shape.layers)

    def forward(self, h: Tensor) -> Tensor:
        """(B, S, width) -> the same."""
        turn = _turn(self.shape, 0, h)
        for layer in self.layers:
            h = layer(h, turn, None)[0]
        found: Tensor = self.last(h)
        return found


def _spread(net: nn.Module, layers: int) -> None:
    for name, p in net.named_parameters():
        if p.ndim > 1:
            nn.init.normal_(p, std=SPREAD / (2 * layers) ** 0.5 if name.endswith(("out.weight", "down.weight")) else SPREAD)


class Decoder(nn.Module):
    """Embeddings, layers, and the log weights of the next token."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.tokens, shape.width)
        self.grams = nn.ModuleList([nn.Embedding(shape.ngrams, shape.width) for _ in range(2 if shape.ngrams else 0)])
        self.layers = nn.ModuleList([Layer(shape) for _ in range(shape.layers)])
        self.last = Norm(shape.width)
        self.head = None if shape.tie else nn.Linear(shape.width, shape.tokens, bias=False)
        _spread(self, shape.layers)

    def embedded(self, tokens: Tensor, before: Tensor | None = None) -> Tensor:
        """(B, T) -> (B, T, width). `before` (B, T, 2) are the places of each token's bigram and trigram in their tables."""
        h: Tensor = self.embed(tokens)
        for i, table in enumerate(self.grams):
            h = h + table(before[..., i])  # type: ignore[index]
        return h

    def forward(self, h: Tensor, mask: Tensor | None, source: Tensor | None = None) -> Tensor:
        """Embeddings (B, T, width) -> what the last norm gives."""
        return self.walk(h, mask, 0, None if source is None else self.held(source))[0]

    def held(self, source: Tensor) -> list[Held]:
        """Each layer's keys and values of a source (B, S, width)."""
        return [layer.across.held(source) for layer in self.layers]  # type: ignore[union-attr, operator]

    def walk(self, h: Tensor, mask: Tensor | None, first: int = 0, held: Sequence[Held] | None = None) -> tuple[Tensor, list[Held]]:
        """The same for positions from `first` on, with each layer's keys and values; `held` are those of the source."""
        turn, kept = _turn(self.shape, first, h), []
        for i, layer in enumerate(self.layers):
            h, k, v = layer(h, turn, mask, None if held is None else held[i])
            kept.append((k, v))
        return self.last(h), kept

    def logits(self, h: Tensor) -> Tensor:
        """(..., width) -> (..., tokens), float32."""
        return linear(h, self.embed.weight if self.head is None else self.head.weight).float()
