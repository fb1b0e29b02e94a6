"""What diffusion, flow matching and score models share: a network that takes noise away, learned at many levels of it."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ilk.batch import Batch, Source
from ilk.distribution import How, Looks, Net, Neural, Phase, Plan, Port, Unfinished, end
from ilk.families._denoising_given import Leaning, Told, ToldContext, box_of
from ilk.families._denoising_walk import CHUNK, Terms, Walks, sampling
from ilk.families._pairing import paired
from ilk.given import About, Evidence, Lean
from ilk.nets._context import READ
from ilk.nets._noise import ANSWERS, clock, levels
from ilk.nets._pictured import Pictured
from ilk.nets.mlp import MLP
from ilk.nets.unet2d import UNet2D
from ilk.rng import Rng
from ilk.samplers._contract import Denoise
from ilk.samplers.heun import Heun
from ilk.space import Reals, Space

LOOK, FOLD, CODE_STEPS = 20_000, 14, 32
Said = tuple[Tensor, ...]   # the context as a vector; what was read, and where there are words


class Denoising(Neural[Any]):
    """D(x, sigma), the expected data given x = data + sigma * noise; pictures folded so that the network is shown 2 x 2 pixels as one."""

    known: ClassVar[type[ToldContext]] = ToldContext
    center: Tensor
    scale: Tensor

    def build_net(self) -> None:
        """The network, the scales of the data, and the context, of which any part may go untold."""
        self.shape: tuple[int, ...] = getattr(self.space, "shape", ()) or (1,)
        self.fold = 2 if pictures(self.shape) and min(self.shape[1:]) >= FOLD and self.shape[1] % 2 == 0 == self.shape[2] % 2 else 1
        self.context = Pictured(self.about, self.shape[1:] if pictures(self.shape) else (), self.family.reads)
        shown, gives = self._folded(self.shape[0] + self.context.channels), self._folded(self.shape[0])
        net = self.family.net or default_net(gives)
        self.net: nn.Module = net(Port("denoise", shown, gives, self.context.width, READ if self.context.readers else 0))
        unit = (self.shape[0], 1, 1) if pictures(self.shape) else self.shape
        self.register_buffer("center", torch.zeros(unit))
        self.register_buffer("scale", torch.ones(unit))
        self.path, self.answer = self.family.noise(), ANSWERS[self.family.predict]

    def _folded(self, channels: int) -> tuple[int, ...]:
        """The shape of what the network is shown, of so many channels of a picture."""
        return (channels * self.fold**2, *(n // self.fold for n in self.shape[1:])) if pictures(self.shape) else self.shape

    def prepare(self, data: Source) -> None:
        """Centre and scale, a channel's or a number's, from at most 20,000 items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        x = few.tensor.double().reshape(len(few), *self.shape)
        over = (0, 2, 3) if pictures(self.shape) else (0,)
        center, spread = x.mean(over).reshape(self.center.shape), x.std(over, correction=0).reshape(self.center.shape)
        self.center.copy_(center)
        self.scale.copy_(spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread)))
        self.context.prepare(few.context)

    def phases(self) -> Sequence[Phase]:
        """Squared error of the network's answer; kernels between hidden layers learn by Muon, twice as fast as by AdamW."""
        rows: Literal["independent", "coupled"] = "independent" if self.family.pairing == "independent" else "coupled"
        return [Phase("denoise", self._learning, self._loss, rows=rows, matrices=self._kernels)]

    def _learning(self) -> list[nn.Parameter]:
        return [*self.net.parameters(), *self.context.parameters()]

    def _kernels(self) -> list[nn.Parameter]:
        return [p for p in self.net.parameters() if p.ndim == 4][1:-1]

    def plan(self, items: int) -> Plan:
        """Many small steps; weights averaged over some hundreds of them."""
        batch = int(min(32 if pictures(self.shape) else 256, max(16, items // 16)))
        steps = int(min(max(600, 80 * items // batch), 2700) if pictures(self.shape) else min(max(600, 40 * items // batch), 8000))
        return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=0.01, ema=0.999, evaluate_every=max(100, steps // 10))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        x = self.standard(batch.tensor)
        shift = self.path.shift if pictures(self.shape) else 1.0
        sigma = (shift * self.path.learned(rng.child("level").uniform(len(x)))).float().clamp(self.path.least, self.path.most).to(x.device)
        noise = rng.child("noise").normal(*x.shape).float().to(x.device)
        if self.family.pairing == "optimal":
            noise = paired(x, noise)
        told = self._told(batch.context, len(x), self.context.kept(self.family.drop, len(x), rng.child("drop"))) if self.about else None
        s = sigma.reshape(-1, *[1] * (x.ndim - 1))
        noisy = x + s * noise
        answer = self._ask(self.answer.shown(s) * noisy, sigma, told)
        wanted = (x - self.answer.skip(s) * noisy) / self.answer.out(s)
        error: Tensor = (answer - wanted).square().flatten(1).mean(1)
        return error if self.family.min_snr is None else error * (sigma**-2).clamp_max(self.family.min_snr) * self.answer.out(sigma).square()

    def _ask(self, x: Tensor, sigma: Tensor, told: Said | None) -> Tensor:
        x, vector = self.context.beside(x, None if told is None else told[0])
        folded = pixel_unshuffle(x, self.fold) if self.fold > 1 else x
        if told is not None and vector is not None and self.context.readers and isinstance(self.net, Looks):
            out = self.net.look(folded, clock(sigma), vector, *told[1:])
        else:
            out = self.net(folded, clock(sigma), *([] if vector is None else [vector]))
        return pixel_shuffle(out, self.fold) if self.fold > 1 else out

    def standard(self, x: Tensor) -> Tensor:
        """Items as the network knows them: standard deviation about 1, float32."""
        return ((x.reshape(len(x), *self.shape) - self.center) / self.scale).float()

    def raw(self, x: Tensor) -> Tensor:
        """And back."""
        return (x.double() * self.scale + self.center).reshape(len(x), *getattr(self.space, "shape", ()))

    def _told(self, context: Mapping[str, Batch], n: int, keep: Tensor | None = None) -> Said | None:
        return self.context.said(context, n, keep) if self.about else None

    def denoise(self, x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        """D(x, sigma) of standardised x, (B, *shape) with sigma (B,); what the context lacks is not told."""
        told = self._told(context, len(x))
        s = sigma.reshape(-1, *[1] * (x.ndim - 1))
        return self.answer.skip(s) * x + self.answer.out(s) * self._ask(self.answer.shown(s) * x, sigma, told)

    def guided(self, context: Mapping[str, Batch], weight: float, leans: Terms = ()) -> Denoise:
        """The denoiser leaning towards its context: D without it + weight * the difference it makes (Ho & Salimans 2022).

        Further contexts add their own differences, each with its weight, which is below 0 for what is to be avoided (Liu et al. 2022).
        """
        terms = [(c, w) for c, w in ((context, weight), *leans) if c and w]
        def denoise(x: Tensor, sigma: float) -> Tensor:
            level = torch.full((len(x),), sigma)
            if not leans and (not context or weight == 1):
                return self.denoise(x, level, context)
            s = level.reshape(-1, *[1] * (x.ndim - 1))
            every = [self.context.said(c, len(x)) for c in (*(c for c, _ in terms), {})]
            told, many = tuple(torch.cat(parts) for parts in zip(*every, strict=True)), len(every)
            *asked, free = self._ask((self.answer.shown(s) * x).repeat(many, *[1] * (x.ndim - 1)), level.repeat(many), told).chunk(many)
            lean = sum((w * (one - free) for one, (_, w) in zip(asked, terms, strict=True)), start=free)
            return self.answer.skip(s) * x + self.answer.out(s) * lean
        return denoise

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Labels by their shares in training, then items from noise."""
        return self.draw(n, rng, self.said(n, rng), how)

    def said(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        """What n items are told when nobody says it: labels by their shares, nothing of captions and numbers."""
        return {} if not self.about or (self.context.sizes is None and self.family.drop) else self.context.draw(n, rng)

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return Walks(self, n, rng, sampling(how), context).last()

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The items at every noise level, noise and all, at the spread of data."""
        return Walks(self, n, rng, sampling(how), self.said(n, rng) if since is None else since.items.context).states(since)

    def expected(self, x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        """The expected items (B, *shape) of some in their own units with noise of sigma (B,) of the network's; `CHUNK` at a time."""
        pieces = range(0, max(1, len(x)), CHUNK)
        told = [{k: b.cut(i, i + CHUNK) for k, b in context.items()} for i in pieces]
        found = [self.denoise(self.standard(x[i:i + CHUNK]), sigma[i:i + CHUNK], one) for i, one in zip(pieces, told, strict=True)]
        return torch.cat(found).double() * self.scale + self.center

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The noise that the probability-flow equation leads each item to, without guidance: standard normal if the model is right."""
        sigmas = levels(self.path, CODE_STEPS)[::-1]
        sigmas[0] = self.path.least
        x = torch.cat([end(Heun().states(self.guided(part.context, 1.0), self.standard(part.tensor), sigmas, _none)) for part in _cut(batch)])
        return Batch((x / sigmas[-1]).double().reshape(len(batch), *getattr(self.space, "shape", ())))

    @torch.no_grad()
    def decode(self, codes: Batch) -> Batch:
        """The item that each noise leads to."""
        sigmas = levels(self.path, CODE_STEPS)
        made = []
        for part in _cut(codes):
            noise = part.tensor.reshape(len(part), *self.shape).float() * sigmas[0]
            made.append(self.raw(end(Heun().states(self.guided(part.context, 1.0), noise, sigmas, _none))))
        return Batch(torch.cat(made))

    def code_space(self) -> Space:
        """As many numbers as the items have."""
        return self.space

    def unsaid(self, batch: Batch) -> list[tuple[dict[str, Batch], float]] | None:
        """Every label with the log of its share where items come without any that the model has to know; None: they are scored as they are."""
        if not self.about or batch.context or (self.context.sizes is None and self.family.drop):
            return None
        return self.context.every(len(batch))

    def log_volume(self) -> float:
        """Nats by which a density of standardised items exceeds that of raw ones."""
        return float(self.scale.double().log().sum()) * (prod(self.shape) // self.scale.numel())

    def revise(self, batch: Batch, strength: float, rng: Rng, how: How | None = None) -> Batch:
        """Items from partway of the sampler's levels, with noise on them (Meng et al. 2022)."""
        return self.known(self, {}, None).revise(batch, strength, rng, how)

    def restored(self, batch: Batch, noise: Tensor) -> Batch:
        """The expected items without noise."""
        return self.known(self, {}, None).restored(batch, noise)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """A context, met exactly; ranges, numbers that are kept, and several contexts with weights, met by guidance."""
        if isinstance(evidence, About):
            return self.known(self, evidence.context, None)
        if isinstance(evidence, Lean):
            return Leaning(self, evidence.context, None, evidence.terms) if self.family.drop else None
        box = box_of(evidence, getattr(self.space, "shape", ()))
        return None if box is None else Told(self, {}, box)


def _cut(batch: Batch) -> list[Batch]:
    return [batch.cut(i, i + CHUNK) for i in range(0, max(1, len(batch)), CHUNK)]


def _none(step: int) -> Tensor:
    return torch.zeros(())


def pictures(shape: tuple[int, ...]) -> bool:
    """Whether items are images: channels, height and width of at least 4."""
    return len(shape) == 3 and min(shape[1:]) >= 4


def default_net(shape: tuple[int, ...]) -> Net:
    """A U-shaped network for pictures, halved until about 8 x 8; a plain one for anything else."""
    if not pictures(shape):
        return MLP(width=256, depth=4)
    side, multiples = min(shape[1:]), [1, 2]
    while side // 2 ** (len(multiples) - 1) > 10:
        multiples.append(multiples[-1] + (len(multiples) < 3))
    return UNet2D(width=32, multiples=tuple(multiples))


def refuses(space: Space) -> str | None:
    """Anything but Reals."""
    return None if isinstance(space, Reals) and prod(space.shape) >= 1 else "takes Reals"
