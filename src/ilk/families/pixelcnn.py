"""Gated PixelCNN: pictures pixel by pixel, each from all above it and left of it; exact masses of any number of levels."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Family, How, Neural, Phase, Plan, Unfinished, end
from ilk.families._pixelcnn_given import Told
from ilk.given import Evidence
from ilk.nets._context import Context
from ilk.nets._logistic import drawn, log_mass
from ilk.nets._pixels import Draw, Pixels, started
from ilk.recipe import Tried
from ilk.rng import Rng, choose
from ilk.space import Discrete, Space

LOOK, NUMBERS, FEW = 20_000, 200_000, 16  # items looked at first; numbers worked on at once; levels that are told one by one
DILATIONS = (1, 2, 4)


class PixelCnn(Neural["PixelCNN"]):
    """p(x) = prod over pixels, from the top left, and channels of p(x_i | those before it)."""

    def __init__(self, family: PixelCNN, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        if not isinstance(space, Discrete):
            raise TypeError("a PixelCNN takes Discrete")
        self.shape, self.levels = space.shape, space.each[0]
        self.picture = (*(1,) * (3 - len(space.shape)), *space.shape)
        self.order = torch.arange(prod(self.shape)).reshape(self.picture).permute(1, 2, 0).flatten()
        self.mixed = family.output == "logistic" or (family.output == "auto" and self.levels > FEW)
        super().__init__(family, space, rng, about)

    def build_net(self) -> None:
        """Both stacks and a head for each channel."""
        f, self.context = self.family, Context(self.about)
        side = max(self.picture[1:])
        dilations = [d if d * f.reach < side else 1 for d in (DILATIONS[i % len(DILATIONS)] for i in range(f.layers))]
        self.net = Pixels(self.picture[0], self.levels, 3 * f.parts if self.mixed else self.levels, (f.width, dilations, f.reach), self.context.width)

    def prepare(self, data: Source) -> None:
        """Heads begin with how often each level comes, or with mixtures spread over all."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        self.context.prepare(few.context)
        x = few.tensor.reshape(-1, *self.picture)
        counts = [torch.bincount(x[:, c].flatten(), minlength=self.levels).double() + 0.5 for c in range(x.shape[1])]
        started(self.net, None if self.mixed else [(n / n.sum()).log().float() for n in counts], self.family.parts)

    def phases(self) -> Sequence[Phase]:
        """The negative log-likelihood of numbers."""
        return [Phase("pixelcnn", self.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """So many passes in small batches, of about 12,500 numbers; weights averaged."""
        batch = int(min(64, max(16, 12_500 // prod(self.shape)), max(8, items // 50)))
        steps = int(min(max(300, self.family.epochs * max(1, items // batch)), 100_000))
        return Plan(steps=steps, batch=batch, rate=4e-3, weight_decay=1e-3, ema=0.995, evaluate_every=max(50, steps // 12), low_precision=True)

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats per number of each item, (B,)."""
        return -self.laws(batch).mean(1)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The same, some items at a time."""
        return torch.cat([-self.laws(part).mean(1) for part in self._parts(batch)])

    def _parts(self, batch: Batch) -> list[Batch]:
        many = max(1, NUMBERS // max(1, prod(self.shape)))
        return [batch.cut(i, i + many) for i in range(0, len(batch), many)]

    def laws(self, batch: Batch) -> Tensor:
        """Log p of every number given those before it, in the order of the model, (B, numbers)."""
        x = batch.tensor.reshape(-1, *self.picture)
        told, value = self.net(x, self._about(batch)), x.permute(0, 2, 3, 1)
        found = log_mass(told, value, self.levels) if self.mixed else told.float().log_softmax(-1).gather(-1, value[..., None])[..., 0]
        return found.flatten(1)

    def _about(self, batch: Batch) -> Tensor | None:
        return self.context(batch.context).to(self.net.down.weight.dtype) if self.about else None

    @torch.no_grad()
    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass, (B,) float64; items without labels by the sum over labels, each at its share."""
        if self.about and not batch.context:
            return torch.stack([self.log_prob(replace(batch, context=said)) + share for said, share in self.context.every(len(batch))]).logsumexp(0)
        return torch.cat([torch.zeros(0, dtype=torch.float64), *(self.laws(part).double().sum(1) for part in self._parts(batch))])

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Pixel by pixel; labels by their shares."""
        return self.draw(n, rng, self.context.draw(n, rng) if self.about else {})

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items, each given its own context."""
        return self.filled(torch.zeros(n, 0, dtype=torch.long), rng, context)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """Row by row; what is to come is 0."""
        if since is not None:
            return self.grown(self.there(since), rng, since.items.context)
        return self.grown(torch.zeros(n, 0, dtype=torch.long), rng, self.context.draw(n, rng) if self.about else {}, first=True)

    def filled(self, start: Tensor, rng: Rng, context: Mapping[str, Batch]) -> Batch:
        """Items whose first numbers, in the order of the model, are these (n, known)."""
        return replace(end(self.grown(start, rng, context, first=True)).items, context={})

    def there(self, since: Unfinished) -> Tensor:
        """The numbers of the rows that are there, in the order of the model."""
        return since.items.tensor.flatten(1)[:, self.order[:since.step * prod(self.picture) // self.picture[1]]]

    def grown(self, start: Tensor, rng: Rng, context: Mapping[str, Batch], first: bool = False) -> Iterator[Unfinished]:
        """Items with these first numbers as their other rows come; `first`: the state before, too."""
        x = torch.zeros(len(start), prod(self.shape), dtype=torch.long)
        x[:, self.order[:start.shape[1]]] = start
        many = max(1, NUMBERS // max(1, prod(self.shape)))
        parts = [(i, Batch(x.reshape(-1, *self.shape), context=context).cut(i, i + many)) for i in range(0, max(1, len(x)), many)]
        return Unfinished.together([self._rows(part, start.shape[1], rng.at(i), first) for i, part in parts])

    @torch.no_grad()
    def _rows(self, part: Batch, known: int, rng: Rng, first: bool) -> Iterator[Unfinished]:
        row = prod(self.picture) // self.picture[1]
        if first:
            yield Unfinished(part, known // row, self.picture[1])
        walk = self.net.rows(part.tensor.reshape(-1, *self.picture), known, self._about(part), self._draws(rng, len(part))) if len(part) else iter(())
        for step, x in enumerate(walk, 1):
            if step * row > known:
                yield Unfinished(Batch(x.reshape(-1, *self.shape).clone(), context=part.context), step, self.picture[1])

    def _draws(self, rng: Rng, n: int) -> Draw:
        """What draws a value by an item's own noise: two numbers each for every channel, a row's at a time."""
        channels, _, columns = self.picture
        held: dict[int, Tensor] = {}

        def draw(told: Tensor, place: int, channel: int) -> Tensor:
            row, column = divmod(place, columns)
            if row not in held:
                held.clear()
                held[row] = rng.child("row", row).uniform(n, columns, channels, 2)
            u = held[row][:, column, channel]
            return drawn(told, u, self.levels) if self.mixed else choose(told, u[:, 0])

        return draw

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """Exact for a context, and for the first numbers of the picture, or few choices of them; nothing else is met."""
        return Told(self, {}, {}, torch.zeros(1, 0, dtype=torch.long)).given(evidence, rng)


@dataclass(frozen=True, kw_only=True)
class PixelCNN(Family):
    """Gated PixelCNN (van den Oord et al. 2016): `layers` layers of `width` channels, each looking `reach` steps up, left and right.

    `output` is how a value is told: a number for every level (`categorical`), or a mixture of `parts` logistics cut into cells (`logistic`,
    Salimans et al. 2017); auto takes the mixture for more than 16 levels. `epochs` are passes over the data when no budget is set.

    >>> model = PixelCNN(layers=1, width=8).build(Discrete(2, (2, 2)), Rng(0))
    >>> every = torch.cartesian_prod(*[torch.arange(2)] * 4).reshape(16, 2, 2)
    >>> round(float(model.log_prob(Batch(every)).exp().sum()), 5)
    1.0
    """

    distribution = PixelCnn
    width: Annotated[int, Interval(ge=1, le=4096), Tried(32, 64)] = 32
    layers: Annotated[int, Interval(ge=1, le=128), Tried(4, 6, 10)] = 6
    reach: Annotated[int, Interval(ge=1, le=16)] = 1
    output: Literal["auto", "categorical", "logistic"] = "auto"
    parts: Annotated[int, Interval(ge=1, le=100)] = 10
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 10

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but a picture of one size of number: rows and columns, channels before them, or a row alone."""
        fits = isinstance(space, Discrete) and 1 <= len(space.shape) <= 3 and prod(space.shape) > 0 and len(set(space.each)) == 1 and 2 <= space.each[0] <= 65_536
        return None if fits else "takes pictures of whole numbers of one size, 2 to 65,536"

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
