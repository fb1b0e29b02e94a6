"""A cascade: a law of small pictures, and one of large pictures given a small one; any nesting, and larger pictures of smaller ones."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ilk.batch import Batch, Source
from ilk.distribution import AnyFamily, Denoises, Distribution, Draws, Family, How, Met, Samples, Unfinished, end
from ilk.errors import ModelError, UsageError
from ilk.families._stages import Fresh, Stages, View, under
from ilk.families.diffusion import Diffusion
from ilk.given import About, Evidence
from ilk.lift import Lift, carried
from ilk.nets._context import Partly
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Reals, Space
from ilk.store import State

LOW, BLUR, LOOK = "low", "low_noise", 20_000


class Seen(nn.Module):
    """What is counted rather than learned: how common labels are, and the spread of each channel of small pictures."""

    spread: Tensor

    def __init__(self, about: Mapping[str, Space], channels: int) -> None:
        super().__init__()
        self.context = Partly(about)
        self.register_buffer("spread", torch.ones(channels, 1, 1))

    def look(self, few: Batch, small: Tensor) -> None:
        """From some items and the small pictures of them."""
        self.context.prepare(few.context)
        self.spread.copy_(small.double().std((0, 2, 3), correction=0).reshape(self.spread.shape))


class Levels(Distribution["Cascade"]):
    """p(small) p(large | small): what is small is drawn first, blurred a little, then made large."""

    low: Any
    high: Any
    space: Reals

    def __init__(self, family: Cascade, space: Reals, parts: tuple[Distribution[Any], Lift, Distribution[Any]], about: Mapping[str, Space]) -> None:
        super().__init__(family, space, Rng(0), about)
        self.low, self.lift, self.high = parts
        self.small = family.shrunk(space)
        self.seen = Seen(about, space.shape[0])
        self.stages = Stages({"low": self.low, "high": self.high}, {"low": family.share, "high": 1 - family.share})

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """First the small pictures, then the large ones given small ones with noise of any strength up to `noise`, of which they are told."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        self.seen.look(few, self.smaller(few.tensor))

        def learn(name: str, stage: Run) -> None:
            kind, see = (View, self._lows) if name == "low" else (Fresh, self._pairs)
            rng = stage.rng.child("seen")
            part = self.low if name == "low" else self.high
            part.fit(kind(data, see, rng.child("train")), stage, None if valid is None else kind(valid, see, rng.child("valid")))

        self.stages.fit(run, learn)

    def smaller(self, x: Tensor) -> Tensor:
        """The mean of every factor x factor pixels."""
        return avg_pool2d(x, self.family.factor)

    def _lows(self, items: Batch, rng: Rng) -> Batch:
        return self.lift.encode(Batch(self.smaller(items.tensor), context=items.context, weight=items.weight), rng.child("lift"))

    def _pairs(self, items: Batch, rng: Rng) -> Batch:
        strength = self.family.noise * rng.child("strength").uniform(len(items))
        return replace(items, context={**items.context, **self._blurred(self.smaller(items.tensor), strength, rng)})

    def _blurred(self, small: Tensor, strength: Tensor, rng: Rng) -> dict[str, Batch]:
        """Small pictures with noise of so many of their standard deviations, and how many (Ho et al. 2022, section 4.2)."""
        noise = rng.child("blur").normal(*small.shape) * self.seen.spread
        return {LOW: Batch(small + strength.reshape(-1, 1, 1, 1) * noise), BLUR: Batch(strength)}

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Labels by their shares in training, then items level by level."""
        return self.draw(n, rng, self._said(n, rng), how)

    def _said(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        """What n items are told when nobody says it: nothing where both parts have learned to do without."""
        untold = self.seen.context.sizes is None and all(getattr(part.family, "drop", 0) for part in (self.low, self.high))
        return {} if untold else self.seen.context.draw(n, rng.child("said"))

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return end(self.levels(n, rng, context, how)).items

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The items at every level, the smallest first, in the size of the largest."""
        return self.levels(n, rng, self._said(n, rng) if since is None else since.items.context, how, since)

    def levels(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same of items with a context each, or what comes after one of the levels."""
        if since is None:
            yield Unfinished(Batch(torch.zeros(n, *self.space.shape, dtype=torch.double), context=context), 0, self.depth)
        small = None if since is None else since.way.get("small")
        if since is None or since.step < self.depth - 1:
            for state in self._small(n, rng.child("low"), context, how, None if since is None else since.inside):
                small = self.lift.decode(state.items).tensor
                large = small.repeat_interleave(self.family.factor, 2).repeat_interleave(self.family.factor, 3)
                yield Unfinished(Batch(large, context=context), state.step, self.depth, {"small": small}, inside=state)
        if small is not None:
            made = self._large(self._blurred(small, torch.full((n,), self.family.blur, dtype=torch.double), rng), context, rng.child("high"), how)
            yield Unfinished(replace(made, context=context), self.depth, self.depth)

    @property
    def depth(self) -> int:
        """How many levels there are."""
        return 1 + (self.low.depth if isinstance(self.low, Levels) else 1)

    def _small(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None, since: Unfinished | None) -> Iterator[Unfinished]:
        if isinstance(self.low, Levels):
            return (state for state in self.low.levels(n, rng, context, how, since) if state.step)
        way = how if isinstance(self.low, Denoises) else None
        return iter([Unfinished(self.low.draw(n, rng, context, way) if self.about else self.low.sample(n, rng, way), 1, 1)])

    def _large(self, low: Mapping[str, Batch], context: Mapping[str, Batch], rng: Rng, how: How | None) -> Batch:
        found: Batch = self.high.draw(len(low[LOW]), rng, {**context, **low}, how if isinstance(self.high, Denoises) else None)
        return found

    def upscale(self, small: Batch, rng: Rng, how: How | None = None) -> Batch:
        """A large picture of each small one, taken as it is; what is not said of it is not told."""
        if tuple(small.tensor.shape[1:]) != self.small.shape:
            raise UsageError(f"this cascade enlarges pictures {self.family.factor} times, to {' x '.join(map(str, self.space.shape[1:]))}", code="SHAPE",
                             remedy=f"pictures of {' x '.join(map(str, self.small.shape[1:]))}")
        if self.about and not small.context and not getattr(self.high.family, "drop", 0):
            raise UsageError(f"this cascade has to be told {', '.join(self.about)} of a picture", code="GIVEN", param="given",
                             remedy="say it (--label, --prompt), or fit a high with drop above 0")
        still = torch.zeros(len(small), dtype=torch.double)
        return self._large({LOW: Batch(small.tensor), BLUR: Batch(still)}, small.context, rng.child("high"), how)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """A context, met as well as both parts can."""
        if not isinstance(evidence, About) or not self.about:
            return None
        low, high = (part.given(evidence, rng) for part in (self.low, self.high))
        return None if low is None or high is None else Told(self, evidence.context, low.met)

    def state(self) -> State:
        """That of both parts, and what was counted."""
        parts = self.stages.state()
        return State({**parts.tensors, **{f"seen/{k}": v for k, v in self.seen.state_dict().items()}}, parts.facts)

    def restore(self, state: State) -> None:
        """Takes it back; ModelError if it does not fit."""
        try:
            self.seen.load_state_dict(under(state.tensors, "seen"))
        except RuntimeError as why:
            raise ModelError(f"the weights do not fit the recipe: {str(why).splitlines()[-1].strip()}", code="WEIGHTS_SHAPE") from None
        self.stages.restore(state)


class Told:
    """Items of every level given a context."""

    def __init__(self, whole: Levels, context: Mapping[str, Batch], met: Met) -> None:
        self.whole, self.context, self.met = whole, context, met

    def _said(self, n: int) -> dict[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items of this context."""
        return self.whole.draw(n, rng, self._said(n), how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, level by level."""
        return self.whole.levels(n, rng, self._said(n), how, since)

    def upscale(self, small: Batch, rng: Rng, how: How | None = None) -> Batch:
        """A large picture of this context for each small one."""
        return self.whole.upscale(replace(small, context=self._said(len(small))), rng, how)


@dataclass(frozen=True, kw_only=True)
class Cascade(Family):
    """Small pictures by `low`, large ones given a small one by `high` (Ho et al. 2022), sides `factor` times as long.

    `low` learns with `share` of the budget the means of factor x factor pixels. `high` learns from such a mean with noise of up to `noise` of
    its standard deviations, and how much it is; what `low` makes gets `blur` of them, so that `high` takes its faults for noise. Any family
    is a `low`, a cascade too; any that learns from a picture beside the items is a `high`. There is no density.

    >>> from ilk.space import Reals
    >>> Cascade(factor=2).build(Reals((1, 8, 8)), Rng(0)).sample(3, Rng(1)).tensor.shape
    torch.Size([3, 1, 8, 8])
    """

    distribution = Levels
    low: AnyFamily = Diffusion()
    high: AnyFamily = Diffusion(guidance=1.0)
    factor: Annotated[int, Interval(ge=2, le=64)] = 4
    noise: Annotated[float, Interval(ge=0, le=10)] = 0.5
    blur: Annotated[float, Interval(ge=0, le=10)] = 0.1
    share: Annotated[float, Interval(gt=0, lt=1)] = 0.3

    def shrunk(self, space: Reals) -> Reals:
        """The space of small pictures."""
        return Reals((space.shape[0], *(n // self.factor for n in space.shape[1:])))

    def beside(self, space: Reals) -> dict[str, Space]:
        """What large pictures are told of small ones."""
        return {LOW: self.shrunk(space), BLUR: Reals()}

    def refuses(self, space: Space) -> str | None:
        """Anything but pictures whose sides can be divided; what either part refuses."""
        if self.blur > self.noise:
            return f"can't blur by {self.blur} what it learns with noise of up to {self.noise}"
        if not isinstance(space, Reals) or len(space.shape) != 3 or any(n % self.factor or n < 2 * self.factor for n in space.shape[1:]):
            return f"takes pictures (channels, height, width) as Reals, of sides that are {self.factor} times 2, 3, 4, ... pixels"
        if carried(self.shrunk(space), self.low) is None:
            return f"needs a low for {self.shrunk(space)}, which {type(self.low).__name__} {self.low.refuses(self.shrunk(space))}"
        why = self.high.refuses(space) or self.high.refuses_context(self.beside(space))
        return f"needs a high that learns large pictures from small ones, and {type(self.high).__name__} {why}" if why else None

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """What either part refuses."""
        if taken := about.keys() & {LOW, BLUR}:
            return f"keeps the name {min(taken)} for itself"
        return self.low.refuses_context(about) or self.high.refuses_context(about)

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Levels:
        """Both parts over their spaces."""
        if (why := self.refuses(space)) or not isinstance(space, Reals) or (lift := carried(self.shrunk(space), self.low)) is None:
            raise UsageError(f"Cascade {why}; got {space}", code="SPACE")
        if about and (why := self.refuses_context(about)):
            raise UsageError(f"Cascade {why}", code="CONTEXT")
        low = self.low.build(lift.space, rng.child("low"), about)
        high = self.high.build(space, rng.child("high"), {**(about or {}), **self.beside(space)})
        for part, able in ((low, isinstance(low, Samples) and (not about or isinstance(low, Draws))), (high, isinstance(high, Draws))):
            if not able:
                raise UsageError(f"{type(part.family).__name__} can't be sampled, so it is no level of a cascade", code="CAPABILITY")
        return Levels(self, space, (low, lift, high), about or {})
