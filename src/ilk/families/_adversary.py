"""What adversarial families share: a critic of packs of items, the two phases of the game, and a look at what came of it."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from ilk.batch import Batch, Source
from ilk.distribution import How, Met, Net, Neural, Phase, Port
from ilk.errors import UsageError
from ilk.families import _collapse as collapse
from ilk.families._games import GAMES, STRENGTH, penalty, steepness
from ilk.families._searched import Search, Searched, searched
from ilk.given import About, Evidence
from ilk.nets._context import Context
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.samplers.truncation import Truncation
from ilk.space import Reals, Space

LOOK, CHUNK, FEATURES, JUDGED = 20_000, 256, 128, 2000


class Critic(nn.Module):
    """Scores of packs, (B,): features by a network, and their product with what is known beside the items (Miyato & Koyama 2018, equation 3)."""

    def __init__(self, net: Net, takes: tuple[int, ...], about: int, spectral: bool) -> None:
        super().__init__()
        self.body = net(Port("score", takes, (FEATURES,)))
        self.head = nn.Linear(FEATURES, 1)
        self.beside = nn.Linear(about, FEATURES, bias=False) if about else None
        if spectral:
            for layer in [m for m in self.modules() if isinstance(m, nn.Linear | nn.Conv2d)]:
                spectral_norm(layer)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """In float32; the layers may compute in another format."""
        kind = self.head.weight.dtype
        h = leaky_relu(self.body(x.to(kind)), 0.2)
        score: Tensor = self.head(h)[:, 0]
        if self.beside is not None and about is not None:
            score = score + (h * self.beside(about.to(kind))).sum(1)
        return score.float()


class Adversarial(Neural[Any]):
    """A generator that learns to be taken for the data by a critic that learns to tell them apart (Goodfellow et al. 2014)."""

    center: Tensor
    scale: Tensor

    def build_net(self) -> None:
        """The two networks, the context, and the scales of the data: pictures lie in -1..1, other numbers have spread 1."""
        f = self.family
        self.shape: tuple[int, ...] = getattr(self.space, "shape", ()) or (1,)
        self.context = Context(self.about)
        self.register_buffer("center", torch.zeros(self.unit))
        self.register_buffer("scale", torch.ones(self.unit))
        self.generator = self.build_generator()
        self.critic = Critic(self.critic_net(), (f.pack * self.shape[0], *self.shape[1:]), f.pack * self.context.width, f.spectral)

    @abstractmethod
    def build_generator(self) -> nn.Module:
        """The network that makes items."""

    @abstractmethod
    def critic_net(self) -> Net:
        """The recipe of the network that judges them."""

    @abstractmethod
    def made(self, n: int, rng: Rng, about: Tensor | None, psi: float = 1.0) -> Tensor:
        """n standardised items of codes drawn by the rng, float32; `psi` below 1 draws them nearer to the middle."""

    @property
    def unit(self) -> tuple[int, ...]:
        """What has one scale: a channel of pictures, else every number."""
        return (self.shape[0], 1, 1) if pictures(self.shape) else self.shape

    def prepare(self, data: Source) -> None:
        """Scales, and how common every label is, from at most 20,000 items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        x = few.tensor.double().reshape(len(few), *self.shape)
        if pictures(self.shape):
            low, high = x.amin((0, 2, 3)), x.amax((0, 2, 3))
            center, spread = (low + high) / 2, (high - low) / 2
        else:
            center, spread = x.mean(0), x.std(0, correction=0)
        self.center.copy_(center.reshape(self.unit))
        self.scale.copy_(spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread)).reshape(self.unit))
        self.context.prepare(few.context)

    def phases(self) -> Sequence[Phase]:
        """The critic's turns, and the generator's after every so many of them. No memory of old gradients: the game has no valley to roll into."""
        return [Phase("critic", self.critic.parameters, self.critic_loss, rows="coupled", betas=(0.0, 0.99)),
                Phase("generator", self.generator.parameters, self.generator_loss, every=self.family.turns, rows="coupled", betas=(0.0, 0.99))]

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The training loop without held-out items, since neither loss says how good samples are; then what went wrong, if something did."""
        super().fit(data, run)
        for text in self.troubles(data, run.rng.child("judge")):
            run.emit(Noted(text))

    def critic_loss(self, batch: Batch, rng: Rng) -> Tensor:
        """What the critic wants, (B,), and the penalty on its slope."""
        f, game, about = self.family, GAMES[self.family.loss], self._beside(batch)
        with torch.no_grad():
            made = self.packed(self.made(len(batch), rng, about))
        real = self.packed(self.standard(batch.tensor))
        about = None if about is None else self.packed(about)
        loss = game.real(self.critic(real, about)) + game.made(self.critic(made, about))
        return loss if f.penalty == "none" else loss + self._penalty(real, made, about, rng.child("penalty"))

    def _penalty(self, real: Tensor, made: Tensor, about: Tensor | None, rng: Rng) -> Tensor:
        """The penalty on some of the items, so much stronger, (B,): its mean is what that on all would have, sooner (Karras et al. 2020, section 4.1)."""
        f, some = self.family, -(-len(real) // self.family.lazy)
        strength = (STRENGTH[f.penalty] if f.strength is None else f.strength) * len(real) / some
        said = None if about is None else about[:some]
        values = penalty(f.penalty, lambda x: self.critic(x, said), real[:some], made[:some], rng)
        return torch.cat([strength * values, values.new_zeros(len(real) - some)])

    def generator_loss(self, batch: Batch, rng: Rng) -> Tensor:
        """What the generator wants, (B,); the critic's weights get no gradient."""
        about = self._beside(batch)
        made = self.packed(self.made(len(batch), rng, about))
        still = {k: p.detach() for k, p in self.critic.named_parameters()}
        score: Tensor = functional_call(self.critic, still, (made, None if about is None else self.packed(about)))
        return GAMES[self.family.loss].fool(score)

    def packed(self, x: Tensor) -> Tensor:
        """Every item with the next ones of the batch, along its first axis (Lin et al. 2018, PacGAN)."""
        return torch.cat([x.roll(-i, 0) for i in range(self.family.pack)], 1)

    def standard(self, x: Tensor) -> Tensor:
        """Items as the networks know them, float32."""
        return ((x.reshape(len(x), *self.shape) - self.center) / self.scale).float()

    def _beside(self, batch: Batch) -> Tensor | None:
        return self.context(batch.context) if self.about else None

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Labels by their shares in training, then items."""
        return self.draw(n, rng, self.unsaid(n, rng), how)

    def unsaid(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        """The context of n items when nobody says it: labels by their shares."""
        return self.context.draw(n, rng) if self.about else {}

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        if not isinstance(how, Truncation | None):
            raise UsageError(f"{type(how).__name__} does not draw codes", code="HOW", param="how", remedy="Truncation does")
        return self.truncated(n, rng, context, 1.0 if how is None else how.psi)

    @torch.no_grad()
    def truncated(self, n: int, rng: Rng, context: Mapping[str, Batch], psi: float) -> Batch:
        """Items given their context, of codes drawn nearer to the middle."""
        made = [self.made(len(part), rng.at(i), self._beside(part), psi) for i, part in _parts(n, context)]
        x = torch.cat(made).double() * self.scale + self.center
        return Batch(x.reshape(n, *getattr(self.space, "shape", ())))

    def given(self, evidence: Evidence, rng: Rng) -> Labelled | Searched | None:
        """p(x | label), met exactly; a known part, by searching codes that have it."""
        return Labelled(self, evidence.context) if isinstance(evidence, About) else searched(self.search(), evidence, self.space, self.unsaid)

    def search(self) -> Search | None:
        """How codes are searched for a known part of an item, if they can be."""
        return None

    @torch.no_grad()
    def belief(self, data: Source, rng: Rng) -> tuple[float, float]:
        """How sure the critic is that real items, and that made ones, are real: means of sigmoid(score). Both are near .5 where it can't tell."""
        real, made, about = self._judged(data, rng)
        about = None if about is None else self.packed(about)
        first, second = (float(self.critic(self.packed(x), about).sigmoid().mean()) for x in (real, made))
        return first, second

    def _judged(self, data: Source, rng: Rng) -> tuple[Tensor, Tensor, Tensor | None]:
        """Some real items, as many made ones of the same contexts, and those contexts."""
        batch = data.take(rng.child("which").shuffle(len(data))[:JUDGED])
        about = self._beside(batch)
        made = torch.cat([self.made(len(part), rng.at(i), self._beside(part)) for i, part in _parts(len(batch), batch.context)])
        return self.standard(batch.tensor), made, about

    def troubles(self, data: Source, rng: Rng) -> Iterator[str]:
        """What is wrong with the fit, and the remedy: real items that nothing is made like, copies, a critic that teaches nothing."""
        with torch.no_grad():
            real, made, about = self._judged(data, rng)
        flat = real.flatten(1).double(), made.flatten(1).double()
        remedy = "more steps, pack=4 or penalty='gradient' may help"
        if (gone := collapse.lost(*flat, rng.child("clusters"))) > collapse.LOST:
            yield f"mode collapse: nothing is made like {gone:.0%} of the training items; {remedy}"
        if (near := collapse.closeness(*flat)) < collapse.NARROW:
            yield f"mode collapse: made items are {near:.2g} times as far from one another as training items are; {remedy}"
        loss, slope = self._lesson(real, made, about)
        if self.vanishes and loss < collapse.WON and slope < collapse.FLAT:
            yield "vanishing gradients: the critic tells every item and has no slope to follow; penalty='r1' or loss='wasserstein' with penalty='gradient' may help"

    @property
    def vanishes(self) -> bool:
        """Whether the loss of this game gives no gradient once the critic is sure."""
        return GAMES[self.family.loss].vanishes

    def lesson(self, data: Source, rng: Rng) -> tuple[float, float]:
        """What the critic teaches: its loss as a share of that of no opinion, and the slope of the generator's loss at made items (median)."""
        with torch.no_grad():
            judged = self._judged(data, rng)
        return self._lesson(*judged)

    def _lesson(self, real: Tensor, made: Tensor, about: Tensor | None) -> tuple[float, float]:
        game, real, made = GAMES[self.family.loss], self.packed(real[:CHUNK]), self.packed(made[:CHUNK])
        about = None if about is None else self.packed(about[:CHUNK])
        with torch.no_grad():
            loss = game.real(self.critic(real, about)).mean() + game.made(self.critic(made, about)).mean()
        nothing = game.real(torch.zeros(1)) + game.made(torch.zeros(1))
        slope = steepness(lambda x: game.fool(self.critic(x, about)), made).detach().sqrt().median()
        return float(loss / nothing), float(slope)


class Labelled:
    """An adversarial model with its label known."""

    def __init__(self, whole: Adversarial, context: Mapping[str, Batch]) -> None:
        self.whole, self.context, self.met = whole, context, Met("exact")

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items of this label."""
        return self.whole.draw(n, rng, self._said(n, rng), how)

    def _said(self, n: int, rng: Rng) -> dict[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def given(self, evidence: Evidence, rng: Rng) -> Searched | None:
        """A known part, too."""
        return searched(self.whole.search(), evidence, self.whole.space, self._said)


def _parts(n: int, context: Mapping[str, Batch]) -> Iterator[tuple[int, Batch]]:
    """The contexts of n items, CHUNK at a time, each with the place of its first item."""
    every = Batch(torch.zeros(n), context=context)
    return ((i, every.cut(i, i + CHUNK)) for i in range(0, max(1, n), CHUNK))


def pictures(shape: tuple[int, ...]) -> bool:
    """Whether items are images: channels, height and width of at least 4."""
    return len(shape) == 3 and min(shape[1:]) >= 4


def refuses(space: Space) -> str | None:
    """Anything but Reals."""
    return None if isinstance(space, Reals) and prod(space.shape) >= 1 else "takes Reals"
