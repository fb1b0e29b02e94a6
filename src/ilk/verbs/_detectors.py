"""What tells the well-known failures of generative models: each detector looks at a model beside real items and names at most one finding.

A detector that does not apply returns None; one that applies returns its findings, none where all is well.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.batch import Batch, Memory
from ilk.dataset import Dataset
from ilk.decoding.ancestral import Ancestral
from ilk.distribution import Counted, Encodes, HasLogProb, How, Infers, NextToken, Samples
from ilk.errors import UsageError
from ilk.families import _collapse as collapse
from ilk.families import _vae_units as units
from ilk.families._adversary import Adversarial
from ilk.families.hierarchical_vae import HierarchicalVae
from ilk.families.latent import Coded
from ilk.families.vae import Vae
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Discrete, Many, Maybe, Reals, Row, Space
from ilk.verbs.condition import flat
from ilk.verbs.fit import stages
from ilk.verbs.sample import sample
from ilk.verbs.score import affordable, score

MOST, FEW, PICTURES, WHOLE = 1000, 100, 256, 500   # items looked at, fewer than which nothing is said of modes; made pictures or sequences; tokens of a text without end
ROSE, NATS, GAP = 0.2, 0.1, 1.0                     # rise of the held-out loss as a share of all it moved, and in nats; gap in standard deviations
SURE, LEAST, AGAIN, GRAM = 0.7, 0.05, 0.2, 8        # surprise at its own items over that at real ones, where those surprise so much; repeated stretches of so many
BLURRED = 0.5                                       # fine detail over that of real pictures


@dataclass(frozen=True)
class Finding:
    """One failure: its name, the number that tells it beside the threshold it crossed, what that means, and what may help."""

    name: str
    evidence: float
    threshold: float
    says: str
    remedy: str


@dataclass(frozen=True, eq=False)
class Case:
    """A model, real items that it did not learn from, those it learned from if known, and how new ones are drawn."""

    model: Model
    data: Dataset[Any]
    rng: Rng
    how: How | None = None

    @cached_property
    def held(self) -> Batch:
        """Held-out items as the distribution sees them, with what is known beside them."""
        return self._seen("test")

    @cached_property
    def learned(self) -> Batch | None:
        """Items learned from, if the data have any."""
        return self._seen("train") if len(self.data.splits.get("train", ())) else None

    def _seen(self, split: str) -> Batch:
        index = self.data.some(split, MOST, self.rng.child(split))
        items = self.data.modality.take(self.data.items, index)
        return replace(flat(self.model, items, self.rng.child("code", split)), context=self.model.told(self.data, index))

    @cached_property
    def made_items(self) -> Any:
        """New raw items."""
        whole = getattr(self.model.modality, "per", "") == "whole"
        space = self.model.body.space
        n = 4 if whole else PICTURES if pictures(space) or isinstance(space, Many) else MOST
        return sample(self.model, n, self.rng.seed, Ancestral(most=WHOLE) if whole and self.how is None else self.how).items

    @cached_property
    def made(self) -> Batch:
        """New items as the distribution sees them."""
        return flat(self.model, self.made_items, self.rng.child("code", "made"))

    @property
    def samples(self) -> bool:
        """Whether there are new items."""
        return isinstance(self.model.body, Samples)


def posterior_collapse(case: Case) -> Iterator[Finding] | None:
    """Codes that say nothing (Bowman et al. 2016): few are active, and all together hold next to no nats (Burda et al. 2016, section 4.2)."""
    body, batch = case.model.body, case.held
    if isinstance(body, Coded):
        body, batch = body.code, replace(batch, context={})
    if not isinstance(body, Vae | HierarchicalVae):
        return None
    return _unused(body, batch, case.rng)


def _unused(body: Vae | HierarchicalVae, batch: Batch, rng: Rng) -> Iterator[Finding]:
    if isinstance(body, Vae):
        found = body.units(Memory(batch))
        share, nats = float(found.active.double().mean()), float(found.kl.sum())
    else:
        levels = body.kl(batch, rng).mean(0)
        share, nats = float((levels > units.NIL).double().mean()), float(levels.sum())
    if share < units.FEW and nats < units.NIL:
        yield Finding("posterior collapse", share, units.FEW, f"{share:.0%} of the codes are active, {nats:.2g} nats an item: they say nothing of the items",
                      "free_bits=0.1, warm_up=0.3 or a smaller beta" if isinstance(body, Vae) else "a larger `free`, or fewer levels")


def mode_collapse(case: Case) -> Iterator[Finding] | None:
    """Kinds of items that are not made (Richardson & Weiss 2018), or few items made again and again."""
    if not case.samples or len(case.held) < FEW:
        return None
    real, made = (numbers(case.model.body.space, b) for b in (case.held, case.made))
    if real is None or made is None or not real.shape[1]:
        return None
    center, spread = real.mean(0), real.std(0, correction=0)
    scale = spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread))
    return _lost((real - center) / scale, (made - center) / scale, case.rng)


def _lost(real: Tensor, made: Tensor, rng: Rng) -> Iterator[Finding]:
    remedy = "for a gan more steps, pack=4 or penalty='gradient'; else a larger model or more components"
    if (gone := collapse.lost(real, made, rng.child("clusters"))) > collapse.LOST:
        yield Finding("mode collapse", gone, collapse.LOST, f"next to nothing is made like {gone:.0%} of the real items", remedy)
    if (near := collapse.closeness(real, made)) < collapse.NARROW:
        yield Finding("mode collapse", near, collapse.NARROW, f"made items are {near:.2g} times as far from one another as real ones", remedy)


def vanishing_gradient(case: Case) -> Iterator[Finding] | None:
    """A critic that tells every item and has no slope that a generator could follow (Arjovsky & Bottou 2017)."""
    if not isinstance(case.model.body, Adversarial):
        return None
    return _flat(case.model.body, case.held, case.rng)


def _flat(body: Adversarial, held: Batch, rng: Rng) -> Iterator[Finding]:
    loss, slope = body.lesson(Memory(held), rng)
    if body.vanishes and loss < collapse.WON and slope < collapse.FLAT:
        yield Finding("vanishing gradient", slope, collapse.FLAT, f"the critic tells every item (its loss is {loss:.2g} of that of no opinion) and its slope is {slope:.2g}",
                      "loss='non_saturating' with penalty='r1', or loss='wasserstein' with penalty='gradient'")


def over_fitting(case: Case) -> Iterator[Finding] | None:
    """A loss on held-out items that rose in training, or items learned from that are far likelier than others."""
    history = stages(case.model.card.get("history", ()))
    comparable = case.learned is not None and not isinstance(case.model.body, Counted)
    if not history and not comparable:
        return None
    return _over(case, history, comparable)


def _over(case: Case, history: Sequence[Sequence[Sequence[float]]], comparable: bool) -> Iterator[Finding]:
    for points in history:
        losses = [loss for _, loss in points]
        rise, moved = losses[-1] - min(losses), max(losses) - min(losses)
        if rise > NATS and rise > ROSE * moved:
            best = points[losses.index(min(losses))][0]
            yield Finding("over-fitting", rise / moved, ROSE, f"the held-out loss rose by {rise:.3g} nats after step {best:.0f}; the weights of that step were kept",
                          f"--steps {best:.0f} does as well; dropout, weight decay, a smaller model or more items do better")
            return
    gap = _gap(case) if comparable else None
    if gap is not None and gap > GAP:
        yield Finding("over-fitting", gap, GAP, f"items learned from are {gap:.2g} standard deviations likelier than held-out ones (unless those are of another kind)",
                      "a smaller model, more smoothing, or more items")


def _gap(case: Case) -> float | None:
    """How much likelier items learned from are, in standard deviations of held-out scores; None without scores or within four standard errors."""
    data, model = case.data, case.model
    found = []
    for split in ("train", "test"):
        items = data.modality.take(data.items, data.some(split, affordable(model, data.index(split)[:MOST]), case.rng.child("gap", split)))
        try:
            found.append(score(model, items).nats)
        except UsageError:
            return None
    train, test = found
    if min(len(train), len(test)) < 10 or not bool(torch.isfinite(train).all() & torch.isfinite(test).all()):
        return None
    gap, error = float(train.mean() - test.mean()), float((train.var() / len(train) + test.var() / len(test)).sqrt())
    return gap / float(test.std()) if gap > 4 * error else None


def exposure_bias(case: Case) -> Iterator[Finding] | None:
    """Left to itself a model of next tokens is far surer than it is of real items (Ranzato et al. 2016; Braverman et al. 2020), or goes round in circles."""
    if not isinstance(case.model.body, NextToken) or not isinstance(case.model.body, HasLogProb) or not isinstance(case.model.body.space, Many):
        return None
    return _adrift(case, case.model.body)


def _adrift(case: Case, body: HasLogProb) -> Iterator[Finding]:
    real, own = (-float(body.log_prob(b).sum()) / (int(lengths(b).sum()) + len(b)) for b in (case.held, case.made))
    if real > LEAST and own < SURE * real:
        yield Finding("exposure bias", own / real, SURE, f"its own items surprise it by {own:.3g} nats a token, real ones by {real:.3g}",
                      "dropout, fewer steps or more items; drawing at a temperature above 1")
    there, here = (repeated(b) for b in (case.held, case.made))
    if here - there > AGAIN:
        yield Finding("repetition", here, there + AGAIN, f"{here:.0%} of stretches of {GRAM} tokens were there before in the same item, {there:.0%} in real ones",
                      "draw by ilk.TopP(p=0.9) or ilk.Ancestral() instead of the likeliest token; train longer")


def blur(case: Case) -> Iterator[Finding] | None:
    """Pictures without the fine detail of real ones: as they are decoded where there are codes, else as they are made."""
    if not pictures(case.model.body.space) or not len(case.held):
        return None
    return _soft(case)


def _soft(case: Case) -> Iterator[Finding]:
    body, real = case.model.body, case.held.cut(0, PICTURES)
    coded = isinstance(body, Encodes) and (isinstance(body, Infers) or not case.samples)
    if not coded and not case.samples:
        return
    shown = decoded(body, real) if coded else case.made
    share = detail(shown.tensor) / max(1e-12, detail(real.tensor))
    if share < BLURRED:
        yield Finding("blur", share, BLURRED, f"{'decoded' if coded else 'made'} pictures have {share:.0%} of the fine detail of real ones",
                      "more codes, a smaller beta, perceptual=1, or a prior over discrete codes (latent of vqvae); or diffusion")


@torch.no_grad()
def decoded(body: Any, batch: Batch) -> Batch:
    """Items by way of their codes."""
    codes = body.encode(batch)
    found: Batch = body.decode(replace(codes, context=batch.context) if batch.context else codes)
    return found


def pictures(space: Space) -> bool:
    """Whether items are arrays of channels, rows and columns."""
    shape = getattr(space, "shape", ())
    return len(shape) == 3 and min(shape[1:]) >= 4


def detail(x: Tensor) -> float:
    """The mean square of what a pixel differs by from its four neighbours' mean, of pictures (n, channels, rows, columns)."""
    y = x.double()
    inside = y[..., 1:-1, 1:-1]
    around = (y[..., :-2, 1:-1] + y[..., 2:, 1:-1] + y[..., 1:-1, :-2] + y[..., 1:-1, 2:]) / 4
    return float((inside - around).square().mean())


def lengths(batch: Batch) -> Tensor:
    """Of sequences, (n,)."""
    return batch.length if batch.length is not None else torch.zeros(0, dtype=torch.long)


def repeated(batch: Batch) -> float:
    """The share of stretches of GRAM tokens that the same item had before."""
    again = many = 0
    inner: Any = batch.x
    for item in torch.split(inner.tensor, lengths(batch).tolist()):
        if len(item) >= GRAM:
            grams = list(map(tuple, item.unfold(0, GRAM, 1).tolist()))
            again, many = again + len(grams) - len(set(grams)), many + len(grams)
    return again / many if many else 0.0


def numbers(space: Space, batch: Batch) -> Tensor | None:
    """Items as rows of numbers, (n, d) float64: categories as indicators; None for sequences."""
    if isinstance(space, Row):
        parts = [numbers(part, batch.parts[name]) for name, part in space.parts.items()]
        return None if any(p is None for p in parts) else torch.cat([p for p in parts if p is not None], 1)
    if isinstance(space, Maybe):
        seen = batch.seen if batch.seen is not None else torch.ones(len(batch), dtype=torch.bool)
        inside = numbers(space.of, replace(batch, seen=None))
        return None if inside is None else torch.cat([inside.where(seen[:, None], torch.zeros_like(inside)), seen[:, None].double()], 1)
    if isinstance(space, Reals):
        return batch.tensor.double().reshape(len(batch), -1)
    if isinstance(space, Discrete):
        flat_ = batch.tensor.reshape(len(batch), -1)
        ordered = flat_.shape[1] > 64 or max(space.each) > 64
        return flat_.double() if ordered else torch.cat([one_hot(column, k).double() for column, k in zip(flat_.T, space.each, strict=True)], 1)
    return None


DETECTORS: Mapping[str, Any] = {"posterior collapse": posterior_collapse, "mode collapse": mode_collapse, "vanishing gradient": vanishing_gradient,
                                "over-fitting": over_fitting, "exposure bias": exposure_bias, "blur": blur}
