"""CycleGAN: items of one domain become items of another and come back, learned from two heaps that nobody paired."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.func import functional_call

from ilk.batch import Batch, Source
from ilk.distribution import AnyNet, Family, Net, Neural, Phase, Plan, Port
from ilk.families._adversary import pictures, refuses
from ilk.families._domains import NAMES, Pairs, Pool
from ilk.nets._pair import halvings
from ilk.nets.grid import Grid, halved
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Space

LOOK, CHUNK, CHANNELS, DEEP = 20_000, 256, 64, 3


class Cyclegan(Neural["CycleGAN"]):
    """A translator into each domain, and a critic of each."""

    center: Tensor
    scale: Tensor

    def build_net(self) -> None:
        """Four networks, and the scale of either domain, one for both of pictures, which lie in -1..1: other numbers begin as near to the other domain as moving and
        stretching brings them."""
        self.shape: tuple[int, ...] = getattr(self.space, "shape", ()) or (1,)
        unit = (self.shape[0], 1, 1) if pictures(self.shape) else self.shape
        self.register_buffer("center", torch.zeros(2, *unit))
        self.register_buffer("scale", torch.ones(2, *unit))
        net: Net = self.family.net or (Grid(width=32) if pictures(self.shape) else MLP(width=128, depth=3))
        self.into = nn.ModuleList([self._translator(net) for _ in NAMES])
        self.critics = nn.ModuleList([net(Port("encode", self.shape, self._judged())) for _ in NAMES])

    def _translator(self, net: Net) -> nn.Module:
        """Pictures by way of a grid of half their sides, each channel normalised there, so that what is shown never drowns in how bright it is (Ulyanov et al. 2016)."""
        if not pictures(self.shape):
            return net(Port("decode", self.shape, self.shape))
        middle = (CHANNELS, *halved(self.shape[1:], 1))
        return nn.Sequential(net(Port("encode", self.shape, middle)), nn.InstanceNorm2d(CHANNELS), net(Port("decode", middle, self.shape)))

    def _judged(self) -> tuple[int, ...]:
        """One score an item; of pictures one a patch, no patch being told of another (Isola et al. 2017, section 3.2.2)."""
        return (1, *halved(self.shape[1:], min(DEEP, halvings(self.shape)))) if pictures(self.shape) else (1,)

    def prepare(self, data: Source) -> None:
        """The scales, from at most 20,000 items of each domain."""
        few = data.take(torch.arange(min(len(data), LOOK))).parts
        x = torch.stack([few[name].tensor.double().reshape(-1, *self.shape) for name in NAMES])
        if pictures(self.shape):
            low, high = x.amin((0, 1, 3, 4)), x.amax((0, 1, 3, 4))
            center, spread = torch.stack([low + high] * 2) / 2, torch.stack([high - low] * 2) / 2
        else:
            center, spread = x.mean(1), x.std(1, correction=0)
        self.center.copy_(center.reshape(self.center.shape))
        self.scale.copy_(spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread)).reshape(self.scale.shape))

    def plan(self, items: int) -> Plan:
        """Many small steps; weights averaged."""
        small, most = (8, 4000) if pictures(self.shape) else (64, 8000)
        batch = int(min(small, max(4, items // 8)))
        return Plan(steps=int(min(max(1500, 30 * items // batch), most)), batch=batch, rate=1e-3, weight_decay=0.0, ema=0.99)

    def phases(self) -> Sequence[Phase]:
        """The critics' turn, then the translators'. Gradients are remembered for as short a time as in the paper."""
        return [Phase("critics", self.critics.parameters, self.critic_loss, rows="coupled", betas=(0.5, 0.99)),
                Phase("translators", self.into.parameters, self.translator_loss, betas=(0.5, 0.99))]

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The training loop over items of both domains, without held-out ones: no loss says how good translations are. The pools live as long as it."""
        self.pools = nn.ModuleList([Pool(self.family.pool, self.shape) for _ in NAMES])
        try:
            super().fit(Pairs(data), run)
        finally:
            del self.pools

    def critic_loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Squares: real items shall score 1, translated ones 0, (B,) (Zhu et al. 2017, section 4)."""
        x, total = [self.standard(batch.parts[name].tensor, d) for d, name in enumerate(NAMES)], torch.zeros(())
        for to, critic in enumerate(self.critics):
            with torch.no_grad():
                made = self.pools[to](self.through(to, x[1 - to]), rng.child(to))
            total = total + _squares(_scores(critic, x[to]) - 1) + _squares(_scores(critic, made))
        return total

    def translator_loss(self, batch: Batch, rng: Rng) -> Tensor:
        """To score 1, to come back (equations 1 and 2), and to leave alone what is of the domain already (section 5.2), (B,)."""
        f, total = self.family, torch.zeros(())
        x = [self.standard(batch.parts[name].tensor, d) for d, name in enumerate(NAMES)]
        for to, critic in enumerate(self.critics):
            made = self.through(to, x[1 - to])
            score = functional_call(critic, {k: p.detach() for k, p in critic.named_parameters()}, (made.to(_kind(critic)),)).float()
            total = total + _squares(score - 1) + f.cycle * _apart(self.through(1 - to, made), x[1 - to])
            if f.identity:
                total = total + f.identity * _apart(self.through(to, self.standard(batch.parts[NAMES[to]].tensor, 1 - to)), x[to])
        return total

    def through(self, to: int, x: Tensor) -> Tensor:
        """Standardised items into a domain, float32: pictures are painted anew (not squashed, which let them get stuck at black), other numbers moved."""
        net = self.into[to]
        y: Tensor = net(x.to(_kind(net))).float()
        return y if pictures(self.shape) else x + y

    @torch.no_grad()
    def translate(self, batch: Batch, to: int) -> Batch:
        """Items of the other domain as items of this one; nothing is drawn."""
        x = batch.tensor.reshape(len(batch), *self.shape)
        made = torch.cat([self.through(to, self.standard(part, 1 - to)) for part in x.split(CHUNK)]).double()
        made = made.clamp(-1, 1) if pictures(self.shape) else made
        return Batch((made * self.scale[to] + self.center[to]).reshape(batch.tensor.shape))

    def standard(self, x: Tensor, domain: int) -> Tensor:
        """Items by the scale of a domain, float32."""
        return ((x.reshape(len(x), *self.shape) - self.center[domain]) / self.scale[domain]).float()


def _kind(net: nn.Module) -> torch.dtype:
    """What a network computes in."""
    return next((p.dtype for p in net.parameters()), torch.float32)


def _scores(critic: nn.Module, x: Tensor) -> Tensor:
    score: Tensor = critic(x.to(_kind(critic)))
    return score.float()


def _squares(x: Tensor) -> Tensor:
    """Their mean in every item, (B,)."""
    return x.flatten(1).square().mean(1)


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of every item, (B,)."""
    return (one - other).flatten(1).abs().mean(1)


@dataclass(frozen=True, kw_only=True)
class CycleGAN(Family):
    """Two translators between domains A and B, and two critics (Zhu et al. 2017, equation 3): a translation shall look like an item of its domain, and back again be
    the item it was, times `cycle`; an item that is of the domain already shall stay as it is, times `identity`.

    Items need a label of two values, their domain. Critics see translations out of a `pool` of earlier ones. It translates; there is no density, nor a way to make
    items from nothing.

    >>> from ilk.space import Reals
    >>> model = CycleGAN(net=MLP(width=16)).build(Reals((3,)), Rng(0), {"label": Discrete(2)})
    >>> model.translate(Batch(torch.zeros(2, 3)), to=1).tensor.shape
    torch.Size([2, 3])
    """

    distribution = Cyclegan
    needs: ClassVar[Mapping[str, Space]] = {"label": Discrete(len(NAMES))}
    cycle: Annotated[float, Interval(ge=0, le=1000)] = 10.0
    identity: Annotated[float, Interval(ge=0, le=1000)] = 0.0
    pool: Annotated[int, Interval(ge=0, le=10_000)] = 50
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals."""
        return refuses(space)

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """A label of two values and nothing else."""
        odd = [name for name, space in about.items() if cls.needs.get(name) != space]
        return f"learns from a label of two values, the domain of each item, not from {', '.join(odd)}" if odd else None
