"""given: what is known, carried down to the distribution; what it can't take is left to rejection, and the answer says so."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, log, sqrt
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.batch import Batch
from ilk.captions import words_of
from ilk.dataset import encoded
from ilk.distribution import Conditions, Encodes, How, Met, Posterior, Samples, Translates
from ilk.errors import UsageError, nearest
from ilk.given import About, Evidence, Given, Label, Prompt, Test, Value, tests_of
from ilk.modality import Codec, Lowered
from ilk.model import Model
from ilk.rng import Rng

BLOCK, PROBE, LEAST = 2000, 20_000, 30


def given(model: Model, asked: str | Mapping[str, Value] | Given) -> Model:
    """Another model: p(x | given). UsageError if it can't be honoured, is contradictory or too rare to reject for.

    >>> import ilk, polars as pl
    >>> data = ilk.read(pl.DataFrame({"a": [0, 1] * 50, "b": ["x", "y"] * 50}))
    >>> model = ilk.fit(data, ilk.GMM(components=2))
    >>> model.given("a == 1").met.met.sort
    'exact'
    """
    more = replace(model, givens=(*model.givens, model.modality.asked(asked)))
    more.met  # noqa: B018  worked out at once, so that an impossible one is refused here
    return more


class Plain:
    """A distribution with nothing given, as a Posterior."""

    def __init__(self, body: Any) -> None:
        self.met, self.body = Met("exact"), body

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """As the distribution does."""
        made: Batch = self.body.sample(n, rng, how)
        return made


@dataclass(frozen=True, eq=False)
class Conditioned:
    """A model with its givens worked out."""

    model: Model
    codec: Codec[Any]
    posterior: Posterior
    scorer: Any                     # what log_prob, log_prob_bound or log_prob_estimate is asked of
    rest: tuple[Test, ...]
    met: Met                        # log_mass in raw units: nats of all that is given
    kept_mass: float = 0.0          # of which the posterior and the codec account for
    parts: tuple[tuple[str, str], ...] = ()   # each comparison, and how it was met

    def draws(self, rng: Rng, block: int = BLOCK, how: How | None = None) -> Iterator[Any]:
        """Blocks of raw items that obey, without end; item i of the stream depends on nothing but i."""
        start = 0
        while True:
            here = rng.at(start)
            batch = self.posterior.sample(block, here.child("code"), how)
            items = self.codec.decode(self.model.lift.decode(batch), here.child("raw"))
            if self.rest:
                items = self.model.modality.take(items, self.model.modality.obeys(items, self.rest).nonzero()[:, 0])
            yield items
            start += block


def condition(model: Model) -> Conditioned:
    """The model's givens, met in the best way its family knows: exactly, else by rejection."""
    if not isinstance(model.body, Samples):
        raise _mute(model)
    if soft := [g for g in model.givens if not isinstance(g, Label | Prompt) and not tests_of(g)]:
        raise UsageError(f"{type(model.body).__name__} can't honour {type(soft[0]).__name__}", code="GIVEN", param="given",
                         remedy="ask for columns, a rule, a prefix or a label")
    base: Any = _about(model)
    tests = model.modality.checked([t for g in model.givens for t in tests_of(g)])
    plain = base if isinstance(base, Posterior) else Plain(base)
    if not tests:
        return Conditioned(model, model.codec, plain, base, (), plain.met)
    _consistent(tests)
    return _lowered(model, base, plain, tests)


def _mute(model: Model) -> UsageError:
    """Why a model that lacks Samples makes nothing."""
    name = registry.name_of("families", model.body.family)
    if isinstance(model.body, Translates):
        return UsageError(f"{name} makes items only of items of another domain (it lacks Samples)", code="CAPABILITY", remedy="ilk translate MODEL ITEMS --to LABEL")
    if not isinstance(model.body, Encodes):
        return UsageError(f"{name} can't be conditioned or sampled: it lacks Samples", code="CAPABILITY")
    return UsageError(f"{name} maps items to codes and back, and does not know which codes are likely: it can't make, score or condition items (it lacks Samples)",
                      code="CAPABILITY", remedy=f"fit a law of its codes, ilk.Latent(code=ilk.{type(model.body.family).__name__}(), prior=ilk.GMM()), or a vae")


def _about(model: Model) -> Any:
    """The body, or what it is once its label and its caption are given."""
    told = {**_label(model), **_caption(model)}
    if not told:
        return model.body
    found = model.body.given(About(told), Rng(0).child("given")) if isinstance(model.body, Conditions) else None
    if found is None:
        raise UsageError(f"{type(model.body).__name__} can't be given a {' or a '.join(told)}", code="GIVEN", param="given")
    return found


def _label(model: Model) -> Mapping[str, Batch]:
    labels = [g for g in model.givens if isinstance(g, Label)]
    if not labels:
        return {}
    value = labels[-1].value
    if len({g.value for g in labels}) > 1:
        raise UsageError(f"contradictory labels: {', '.join(str(g.value) for g in labels)}", code="CONTRADICTION", param="given")
    if "label" not in model.body.about:
        raise UsageError("this model was fitted without labels", remedy="fit a family that learns from them, such as vae", code="GIVEN", param="given")
    if value not in model.labels:
        raise UsageError(f"no label {value!r}", remedy=nearest(str(value), model.labels), code="GIVEN", param="given")
    return {"label": Batch(torch.tensor([model.labels.index(value)]))}


def _caption(model: Model) -> Mapping[str, Batch]:
    """What is prompted, several prompts being one."""
    text = " ".join(g.text for g in model.givens if isinstance(g, Prompt))
    if not any(isinstance(g, Prompt) for g in model.givens):
        return {}
    if model.vocabulary is None:
        raise UsageError("this model was fitted without captions",
                         remedy="fit pictures that have captions, or texts that have a source (docs: image, text)", code="GIVEN", param="given")
    if not words_of(text) or not set(words_of(text)) & set(model.words):
        raise UsageError(f"none of the words of {text[:100]!r} are in the captions that the model knows", code="GIVEN", param="given",
                         remedy=f"words such as {', '.join(model.words[:12])}")
    return {"caption": model.vocabulary.batch([text])}


def _consistent(tests: Sequence[Test]) -> None:
    """UsageError for two values kept in one place."""
    kept: dict[str, Any] = {}
    for t in tests:
        if t.sign == "==" and kept.setdefault(t.part, t.value) != t.value:
            raise UsageError(f"contradictory: `{t.part}` can't be both {kept[t.part]!r} and {t.value!r}", code="CONTRADICTION", param="given")


def _lowered(model: Model, base: Any, plain: Posterior, tests: tuple[Test, ...]) -> Conditioned:
    whole = model.codec.given(tests)
    found = _posterior(model, base, whole)
    if found is None and whole.known:
        tests, whole, found = _most(model, base, tests)
    left = tuple(t for t in model.modality.checked([t for g in model.givens for t in tests_of(g)]) if t not in tests)
    if found is None:
        every = (*tests, *left)
        c = Conditioned(model, model.codec, plain, base, every, Met("rejected"), parts=tuple((str(t), "rejected") for t in every))
        return _rejecting(c)
    met = replace(found.met, log_mass=found.met.log_mass + whole.log_volume)
    if not isfinite(met.log_mass):
        raise UsageError(f"impossible under this model, or contradictory: {' and '.join(map(str, tests))}", code="IMPOSSIBLE", param="given")
    rest = (*whole.rest, *left)
    parts = tuple((str(t), met.sort) for t in tests if t not in whole.rest) + tuple((str(t), "rejected") for t in rest)
    done = Conditioned(model, whole.codec, found, found, rest, met, met.log_mass, parts)
    return _rejecting(done) if rest else done


def _posterior(model: Model, base: Any, lowered: Lowered[Any]) -> Posterior | None:
    evidence: Evidence | None = model.lift.evidence(lowered.known) if lowered.known else None
    if evidence is None or not isinstance(base, Conditions):
        return None
    return base.given(evidence, Rng(0).child("given"))


def _most(model: Model, base: Any, tests: tuple[Test, ...]) -> tuple[tuple[Test, ...], Lowered[Any], Posterior | None]:
    """As many parts as the family takes together, greedily in the order they were asked; the others go to rejection."""
    taken: tuple[Test, ...] = ()
    best: tuple[Lowered[Any], Posterior | None] = (Lowered(model.codec), None)
    for part in dict.fromkeys(t.part for t in tests):
        more = (*taken, *(t for t in tests if t.part == part))
        lowered = model.codec.given(more)
        found = _posterior(model, base, lowered)
        if found is not None:
            taken, best = more, (lowered, found)
    return (taken, *best) if taken else (tests, *best)


def _rejecting(c: Conditioned) -> Conditioned:
    """Measures the share that obeys what is left; UsageError if it is too small to serve."""
    tried = kept = 0
    for items in c.draws(Rng(0).child("probe")):
        tried, kept = tried + BLOCK, kept + len(items)
        if tried >= PROBE or kept >= PROBE // 4:
            break
    if kept < LEAST:
        raise UsageError(f"{kept} of {tried} draws obey {' and '.join(map(str, c.rest))}: too rare to reject for, or contradictory", code="TOO_RARE",
                         param="given", remedy="ask for less, or use a family that meets it exactly (made, gmm)")
    share = kept / tried
    error = sqrt((1 - share) / kept)
    return replace(c, met=Met("rejected", c.met.log_mass + log(share), sqrt(c.met.log_mass_error**2 + error**2), c.met.ess, share))


def flat(model: Model, items: Any, rng: Rng) -> Batch:
    """Raw items as the distribution sees them."""
    return encoded(model.codec, model.lift, items, rng)


def never(total: Tensor, obeys: Tensor) -> Tensor:
    """-inf where an item does not obey."""
    return total.where(obeys, torch.tensor(-torch.inf, dtype=total.dtype))
