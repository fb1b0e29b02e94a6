"""What autoencoders share: an encoder, a decoder, the law of an item given what the decoder says, and the way back."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from ilk.batch import Batch, Source
from ilk.distribution import F, Net, Neural, Plan, Port
from ilk.errors import UsageError
from ilk.families._denoising import pictures
from ilk.families._likelihoods import Likelihood
from ilk.nets._context import Context
from ilk.nets.conv import Conv
from ilk.nets.mlp import MLP
from ilk.space import Reals, Space

LOOK, LEAST_SIDE = 20_000, 12


class Autoencoding(Neural[F]):
    """Networks both ways between items and `codes` numbers."""

    codes: int
    likelihood: Likelihood
    context: Context

    def make(self, net: Net | None, likelihood: Likelihood, codes: int, gives: int) -> None:
        """Encoder, decoder, scales and the law of labels. The encoder gives `gives` numbers."""
        self.codes, self.likelihood, self.context = codes, likelihood, Context(self.about)
        net = net or default_net(likelihood.shape)
        self.encoder: nn.Module = net(Port("encode", likelihood.inputs, (gives,), self.context.width))
        self.decoder: nn.Module = net(Port("decode", (codes,), likelihood.outputs, self.context.width))

    def prepare(self, data: Source) -> None:
        """Centre and scale of numbers, and how common every label is, from at most 20,000 items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        self.likelihood.prepare(self.raw(few))
        self.context.prepare(few.context)

    def plan(self, items: int) -> Plan:
        """Enough passes for small data; weights averaged. Pictures gain more by many small steps."""
        if images(self.likelihood.shape):
            batch = int(min(64, max(16, items // 20)))
            steps = int(min(max(1000, 15 * items // batch), 5000))
            return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=1e-3, ema=0.995, evaluate_every=max(50, steps // 20))
        batch = int(min(256, max(32, items // 20)))
        per = max(1, items // batch)
        steps = int(min(max(1500, 60 * per), 20_000))
        return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=1e-3, ema=0.995, evaluate_every=max(50, steps // 40))

    def raw(self, batch: Batch) -> Tensor:
        """Items, (B, *shape) with an axis at least."""
        return batch.tensor.reshape(len(batch), *self.likelihood.shape)

    def through(self, net: nn.Module, x: Tensor, about: Tensor | None) -> Tensor:
        """What a network says, in the number format of x: it may compute in another."""
        kind = next((p.dtype for p in net.parameters()), x.dtype)
        out: Tensor = net(x.to(kind)) if about is None else net(x.to(kind), about.to(kind))
        return out.to(x.dtype)

    def said(self, batch: Batch) -> Tensor | None:
        """The context as vectors; UsageError if it is not there."""
        if absent := [name for name in self.about if name not in batch.context]:
            raise UsageError(f"this model knows items and codes only with their {', '.join(absent)}", code="CONTEXT", remedy="fit it without")
        return self.context(batch.context) if self.about else None

    def items(self, x: Tensor) -> Batch:
        """A batch of the space."""
        return Batch(x.reshape(len(x), *self.space.shape))  # type: ignore[union-attr]

    @torch.no_grad()
    def decode(self, codes: Batch) -> Batch:
        """The mean item of each code; of whole numbers the likeliest."""
        return self.items(self.likelihood.mean(self.heard(codes)))

    def heard(self, codes: Batch) -> Tensor:
        """What the decoder says of codes, with their context."""
        return self.through(self.decoder, codes.tensor.float(), self.said(codes))

    def code_space(self) -> Space:
        """Vectors of `codes` numbers."""
        return Reals((self.codes,))


def default_net(shape: tuple[int, ...]) -> Net:
    """Convolutions for pictures: .08 bits a pixel better than the other on digits, in equal time. A plain network for anything else."""
    return Conv() if images(shape) else MLP(width=256, depth=2)


def images(shape: tuple[int, ...]) -> bool:
    """Whether items are pictures that are worth convolving."""
    return pictures(shape) and min(shape[1:]) >= LEAST_SIDE
