"""Vector-quantised autoencoder: items as a few entries of a book, for a prior over whole numbers to learn."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import AnyNet, Family, Neural, Phase, Plan, Port
from ilk.families._books import Averages, Book, Lattice
from ilk.families._likelihood_of import Sort, likelihood, refuses
from ilk.nets.grid import Grid, halved
from ilk.nets.mlp import MLP
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.space import Discrete, Space

CHUNK, LOOK = 512, 20_000


class Vqvae(Neural["VQVAE"]):
    """An encoder to places of a grid, the nearest entry of a book at each, a decoder (van den Oord et al. 2017, eq. 1 to 3).

    q(codes | x) is certain, so log p(x) >= log p(x | codes) + log p(codes) for any prior over codes: it samples and scores with one.
    """

    def build_net(self) -> None:
        """Encoder, book and decoder; pictures have a grid of codes, other items a row of them."""
        f, self.likelihood = self.family, likelihood(self.family.likelihood, self.space)
        takes = self.likelihood.inputs
        picture = len(takes) == 3
        self.grid = halved(takes[1:], f.halvings) if picture else (f.slots,)
        self.book: Book = Lattice(f.book) if f.quantiser == "fsq" else Averages(f.book, f.width, f.decay)
        net = f.net or (Grid() if picture else MLP(width=256, depth=2))
        self.encoder = net(Port("encode", takes, (self.book.width, *self.grid)))
        self.decoder = net(Port("decode", (self.book.width, *self.grid), self.likelihood.outputs))

    def prepare(self, data: Source) -> None:
        """Scales of numbers, from at most 20,000 items."""
        self.likelihood.prepare(self._raw(data.take(torch.arange(min(len(data), LOOK)))))

    def phases(self) -> Sequence[Phase]:
        """Reconstruction and commitment; the book learns by averages meanwhile."""
        return [Phase("vqvae", self.parameters, self._loss, rows="coupled")]

    def plan(self, items: int) -> Plan:
        """Enough passes for small data. Weights are not averaged, since the book belongs to the latest ones."""
        batch = int(min(128, max(32, items // 20)))
        steps = int(min(max(1500, 30 * max(1, items // batch)), 10_000))
        return Plan(steps=steps, batch=batch, rate=1e-3, weight_decay=1e-4, evaluate_every=max(50, steps // 30))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        x = self._raw(batch)
        v = self._vectors(x)
        flat = v.detach().reshape(-1, self.book.width)
        if self.training:
            self.book.begin(flat, rng)
        passed, index, off = self.book(v)
        if self.training:
            self.book.learn(flat, index.flatten())
        loss: Tensor = self.family.commitment * off.double().sum(1) - self.likelihood.log_prob(self._said(passed), x)
        return loss

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats that the codes leave."""
        return -self.log_likelihood(batch, self.encode(batch))

    def _raw(self, batch: Batch) -> Tensor:
        """Items with an axis at least."""
        return batch.tensor.reshape(len(batch), *self.likelihood.shape)

    def _vectors(self, x: Tensor) -> Tensor:
        """What the encoder says of each place, (B, places, width)."""
        kind = next(self.encoder.parameters()).dtype
        return self.book.bound(self.encoder(self.likelihood.shown(x).to(kind)).float().flatten(2).mT)

    def _said(self, vectors: Tensor) -> Tensor:
        """What the decoder says, given the vector of each place."""
        kind = next(self.parameters()).dtype
        out: Tensor = self.decoder(vectors.mT.reshape(len(vectors), -1, *self.grid).to(kind))
        return out.float()

    def _items(self, x: Tensor) -> Batch:
        return Batch(x.reshape(len(x), *self.space.shape))  # type: ignore[union-attr]

    def _of(self, codes: Batch) -> Tensor:
        return self._said(self.book.entries[codes.tensor.flatten(1)])

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The entry nearest to each place."""
        found = [self.book.nearest(self._vectors(x)) for x in self._raw(batch).split(CHUNK)]
        return Batch(torch.cat(found).reshape(len(batch), *self.grid))

    @torch.no_grad()
    def decode(self, codes: Batch) -> Batch:
        """The expected item."""
        return self._items(torch.cat([self.likelihood.mean(self._of(Batch(c))) for c in codes.tensor.split(CHUNK)]))

    def code_space(self) -> Space:
        """A whole number below the size of the book for each place."""
        return Discrete(self.book.size, self.grid)

    def infer(self, batch: Batch, rng: Rng) -> tuple[Batch, Tensor]:
        """The one code of each item, which is certain."""
        return self.encode(batch), torch.zeros(len(batch), dtype=torch.float64)

    @torch.no_grad()
    def log_likelihood(self, batch: Batch, codes: Batch) -> Tensor:
        """log p(x | codes) in nats, (B,)."""
        pairs = zip(self._raw(batch).split(CHUNK), codes.tensor.split(CHUNK), strict=True)
        return torch.cat([self.likelihood.log_prob(self._of(Batch(c)), x) for x, c in pairs])

    @torch.no_grad()
    def emit(self, codes: Batch, rng: Rng) -> Batch:
        """Items of p(x | codes), its noise included."""
        return self._items(self.likelihood.sample(self._of(codes), rng.child("x")))

    def perplexity(self, batch: Batch) -> float:
        """How many entries are in use: exp of the entropy of their shares over some items; at most the size of the book."""
        share = torch.bincount(self.encode(batch).tensor.flatten(), minlength=self.book.size).double()
        share = share / share.sum()
        return float(torch.special.entr(share).sum().exp())

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The training loop; says at the end how much of the book is used."""
        super().fit(data, run, valid)
        used = self.perplexity(data.take(torch.arange(min(len(data), LOOK))))
        run.emit(Noted(f"code perplexity {used:.1f} of {self.book.size}"))


@dataclass(frozen=True, kw_only=True)
class VQVAE(Family):
    """Vector-quantised autoencoder: each item as whole numbers below `book`, a grid of them for pictures, `slots` for other items.

    It makes no items by itself: it is the code of a prior. The sides of a picture are halved `halvings` times. `quantiser`: a book of
    vectors of `width` numbers that follows the encoder with `decay`, held to it by `commitment` ("vq"), or the fixed lattice of finite scalar
    quantisation, of at most `book` entries ("fsq").
    `likelihood`: Gaussian for reals and Bernoulli for bits; "logistics" (mixtures of them) for the levels of pictures, "categorical" for whole numbers without an order.

    >>> model = VQVAE(book=16, slots=3, net=MLP(width=16)).build(Discrete(2, (6,)), Rng(0))
    >>> model.encode(Batch(torch.zeros(4, 6, dtype=torch.long))).tensor.shape
    torch.Size([4, 3])
    """

    distribution = Vqvae
    book: Annotated[int, Interval(ge=2, le=65_536), Tried(32, 64, 256)] = 64
    width: Annotated[int, Interval(ge=1, le=1024)] = 8
    slots: Annotated[int, Interval(ge=1, le=1024)] = 8
    halvings: Annotated[int, Interval(ge=0, le=8)] = 2
    quantiser: Literal["vq", "fsq"] = "vq"
    decay: Annotated[float, Interval(ge=0, lt=1)] = 0.98
    commitment: Annotated[float, Interval(ge=0, le=1000)] = 1.0
    likelihood: Sort = "auto"
    net: AnyNet = None

    def refuses(self, space: Space) -> str | None:
        """Anything but arrays of numbers that the likelihood is of."""
        return refuses(self.likelihood, space)

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """Everything: labels are for the prior."""
        return f"learns nothing from {', '.join(about)} beside the items: a prior over its codes can"
