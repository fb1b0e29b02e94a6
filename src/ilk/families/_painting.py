"""Text-to-image pipelines of Stable Diffusion's shape (Rombach et al. 2022) as distributions: networks of others, our samplers, guidance and edits."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated, Any, ClassVar, Literal, NoReturn

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ilk.batch import Batch, Source, stack
from ilk.distribution import Distribution, Family, How, Met, Unfinished
from ilk.errors import UsageError
from ilk.families._denoising import Denoising, Said
from ilk.families._denoising_given import Box, Told, box_of
from ilk.families._denoising_walk import Terms
from ilk.given import About, Evidence, Lean
from ilk.nets._noise import ANSWERS, Path
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Many, Reals, Space
from ilk.store import State

FEW, CELL, FAR, BEND = 4, 2 / 256, 1000.0, 7   # pictures at once; width of a level of a pixel; the highest noise; of Karras et al. 2022


class Tokens:
    """Captions as the tokens of somebody's tokenizer, which knows every text."""

    words = ()

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.most = tokenizer, int(tokenizer.model_max_length)
        self.fill = int(tokenizer.pad_token_id)

    @property
    def space(self) -> Many:
        """Sequences of tokens."""
        return Many(Discrete(len(self.tokenizer)), self.most)

    def tells(self, text: str) -> bool:
        """All but an empty one."""
        return bool(text.strip())

    def batch(self, texts: list[str]) -> Batch:
        """Captions as tokens, from the one that begins to the one that ends."""
        rows = self.tokenizer(list(texts), padding=False, truncation=True, max_length=self.most)["input_ids"]
        return Batch(Batch(torch.tensor([i for row in rows for i in row], dtype=torch.long)), length=torch.tensor([len(row) for row in rows]))


class Spoken(nn.Module):
    """What a text encoder makes of captions; one that is not told is the empty one."""

    sizes, readers = None, ()

    def __init__(self, encoder: nn.Module, tokens: Tokens) -> None:
        super().__init__()
        self.encoder, self.tokens = encoder, tokens

    def said(self, context: Mapping[str, Batch], n: int, keep: Tensor | None = None) -> Said:
        """Vectors of n captions, (n, places, width); equal ones are read once."""
        told = context["caption"] if "caption" in context else self.tokens.batch([""]).take(torch.zeros(n, dtype=torch.long))
        codes = told.padded(self.tokens.fill)
        codes = torch.cat([codes, torch.full((n, self.tokens.most - codes.shape[1]), self.tokens.fill)], 1)
        rows, place = codes.unique(dim=0, return_inverse=True)
        return (self.encoder(rows)[0][place],)


@dataclass(frozen=True, kw_only=True, eq=False)
class Painter(Family):
    """The networks of a pipeline, the noise level of each of its steps, and what its UNet answers. It is opened, not fitted."""

    guidance: Annotated[float, Interval(ge=0, le=100)] = 7.5
    predict: Literal["eps", "v", "x0"] = "eps"
    unet: Any
    vae: Any
    encoder: Any
    tokens: Any
    sigmas: Any
    drop: ClassVar[float] = 0.1   # the empty caption was learned too

    def refuses(self, space: Space) -> str | None:
        """Everything: it is made for one space."""
        return "is opened with the weights of others and can't be fitted here"


class Latents(Denoising):
    """The denoiser of latents: x = data + sigma * noise at any level between the pipeline's own steps."""

    def build_net(self) -> None:
        """The pipeline's networks."""
        f = self.family
        self.shape, self.fold = getattr(self.space, "shape", ()), 1
        self.context = Spoken(f.encoder, f.tokens)   # type: ignore[assignment]
        self.net, self.answer = f.unet, ANSWERS[f.predict]
        self.register_buffer("center", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        low, high = float(f.sigmas[0]), float(f.sigmas[-1])
        self.path = Path(_between(low, high), _between(low, high), low, high)

    def _ask(self, x: Tensor, sigma: Tensor, told: Said | None) -> Tensor:
        """The UNet, whose time is a step, also between two of them; ilk's v is the negative of that of Salimans & Ho 2022."""
        kind = next(self.net.parameters()).dtype
        out: Tensor = self.net(x.to(kind), self.step(sigma), encoder_hidden_states=None if told is None else told[0].to(kind)).sample.to(x.dtype)
        return -out if self.family.predict == "v" else out

    def step(self, sigma: Tensor) -> Tensor:
        """The step of a noise level, by the logs of the levels."""
        known, asked = self.family.sigmas.log(), sigma.double().log()
        above = torch.searchsorted(known, asked).clamp(1, len(known) - 1)
        part = (asked - known[above - 1]) / (known[above] - known[above - 1])
        step: Tensor = above - 1 + part.clamp(0, 1)
        return step.float()


def _between(low: float, high: float) -> Callable[[Tensor], Tensor]:
    return lambda time: torch.pow(low ** (1 / BEND) + time * (high ** (1 / BEND) - low ** (1 / BEND)), BEND)


class Painted(Distribution[Painter]):
    """Pictures in [-1, 1] that a VAE decodes from latents."""

    def __init__(self, family: Painter, space: Reals, latents: Reals) -> None:
        super().__init__(family, space, Rng(0), {"caption": family.tokens.space})
        self.vocabulary, self.vae = family.tokens, family.vae
        self.through = Latents(family, latents, Rng(0), self.about)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> NoReturn:
        """UsageError."""
        raise UsageError("a pipeline of others can't be fitted here", code="CAPABILITY")

    def state(self) -> NoReturn:
        """UsageError: the weights stay where they are."""
        raise UsageError("a pipeline of others stays in its own folder, and is not saved anew", code="CAPABILITY", remedy="open it from there")

    def restore(self, state: State) -> NoReturn:
        """UsageError."""
        raise UsageError("a pipeline of others is opened from its own folder", code="CAPABILITY")

    @torch.no_grad()
    def latents(self, x: Tensor) -> Tensor:
        """The means of the latents of pictures, standardised as the pipeline does it."""
        kind = next(self.vae.parameters()).dtype
        found = torch.cat([self.vae.encode(part.to(kind)).latent_dist.mean for part in x.split(FEW)]).double()
        z: Tensor = (found - (self.vae.config.shift_factor or 0.0)) * self.vae.config.scaling_factor
        return z

    @torch.no_grad()
    def shown(self, latents: Batch) -> Batch:
        """Pictures of latents."""
        kind = next(self.vae.parameters()).dtype
        raw = latents.tensor / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        return Batch(torch.cat([self.vae.decode(part.to(kind)).sample for part in raw.split(FEW)]).double().clamp(-1, 1))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Pictures of nothing in particular."""
        return Painting(self, {}).sample(n, rng, how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, level by level."""
        return Painting(self, {}).unfold(n, rng, how, since)

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Pictures, each with its own caption."""
        parts = [self.shown(self.through.draw(min(FEW, n - i), rng.at(i), {k: b.cut(i, i + FEW) for k, b in context.items()}, how)) for i in range(0, max(1, n), FEW)]
        return stack(parts)

    def given(self, evidence: Evidence, rng: Rng) -> Painting | None:
        """Captions, several with weights, and pixels or ranges of them."""
        if isinstance(evidence, About):
            return Painting(self, evidence.context)
        if isinstance(evidence, Lean):
            return Painting(self, evidence.context, None, evidence.terms)
        return Painting(self, {}).given(evidence, rng)

    def encode(self, batch: Batch) -> Batch:
        """The noise that leads to each picture, by the probability-flow equation."""
        return self.through.encode(Batch(self.latents(batch.tensor)))

    def decode(self, codes: Batch) -> Batch:
        """The picture that noise leads to."""
        return self.shown(self.through.decode(codes))

    def code_space(self) -> Space:
        """That of the latents."""
        return self.through.space

    def held(self, box: Box) -> Box:
        """What known pixels say of latents: those whose whole patch is known are those of the picture, the unknown being grey."""
        low, high = box.low.clamp_min(-1), box.high.clamp_max(1)
        known = high - low < 2 * CELL
        z = self.latents(((low + high) / 2).where(known, torch.zeros(()))[None])[0]
        open_ = max_pool2d((~known).any(0, keepdim=True).double()[None], tuple(a // b for a, b in zip(known.shape[1:], z.shape[1:], strict=True)))[0] > 0
        return Box(z.where(~open_, -inf), z.where(~open_, inf))


class Painting:
    """Such pictures with something known: captions are met exactly, pixels by guidance, and they are put in at last."""

    def __init__(self, whole: Painted, context: Mapping[str, Batch], box: Box | None = None, leans: Terms = ()) -> None:
        self.whole, self.context, self.box, self.leans = whole, context, box, leans
        self.met = Met("exact" if box is None and not leans else "guided")
        self.known = Told(whole.through, context, None if box is None else whole.held(box), leans)

    def given(self, evidence: Evidence, rng: Rng) -> Painting | None:
        """Pixels, too."""
        box = box_of(evidence, getattr(self.whole.space, "shape", ()))
        return None if box is None or self.box is not None else Painting(self.whole, self.context, box, self.leans)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Pictures; known pixels are exactly as they were."""
        return stack([self._done(self.known.sample(min(FEW, n - i), rng.at(i), how)) for i in range(0, max(1, n), FEW)])

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, level by level."""
        for state in self.known.unfold(n, rng, how, None if since is None else since.inside):
            yield Unfinished(replace(self._done(state.items), context=state.items.context), state.step, state.of, inside=state)

    def _done(self, latents: Batch) -> Batch:
        made = self.whole.shown(latents)
        return made if self.box is None else self.box.clamped(made)


def noise_levels(alphas: Tensor) -> Tensor:
    """The sigma of every step, lowest first, from the share of data's variance that is left there (`alphas_cumprod` of diffusers); pure noise has none."""
    sigmas = ((1 - alphas.double()) / alphas.double()).sqrt()
    return sigmas[sigmas <= FAR]
