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
from ilk.dataset import encoded
from ilk.distribution import Conditions, Converses, Encodes, How, Met, Posterior, Samples, Translates
from ilk.errors import UsageError, nearest
from ilk.given import About, Avoid, Evidence, Given, Keep, Label, Lean, Like, Prompt, Towards, tests_of
from ilk.grammar import written
from ilk.modality import Codec, Lowered
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import Test, Value
from ilk.space import Reals
from ilk.verbs._steer import Steered, steers
from ilk.verbs._tilt import FIRST, Tilt, measured, reference

BLOCK, PROBE, LEAST = 2000, 20_000, 30


def given(model: Model, asked: str | Mapping[str, Value] | Given) -> Model:
    """Another model: p(x | given). UsageError if it can't be honoured, is contradictory or too rare to reject for.

    >>> import ilk, polars as pl
    >>> data = ilk.read(pl.DataFrame({"a": [0, 1] * 50, "b": ["x", "y"] * 50}))
    >>> model = ilk.fit(data, ilk.GMM(components=2))
    >>> model.given("a == 1").met.met.sort
    'exact'
    """
    meant = model.modality.asked(asked)
    if isinstance(model.body, Converses) and isinstance(asked, str) and meant == Keep({"prefix": asked}):
        meant = Prompt(asked)
    more = replace(model, givens=(*model.givens, meant))
    more.met  # noqa: B018  worked out at once, so that an impossible one is refused here
    return more


class Around:
    """A family with codes around one item: its code and fresh noise, mixed as `vary` mixes them. It has no density."""

    def __init__(self, model: Model, like: Like) -> None:
        self.met, self.body, self.strength = Met("guided"), model.body, like.strength
        self.code = model.body.encode(flat(model, reference(model, like), Rng(0).child("code"))).tensor.double()  # type: ignore[attr-defined]

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items near it."""
        noise = rng.child("near").normal(n, *self.code.shape[1:])
        made: Batch = self.body.decode(Batch(self.strength * self.code + sqrt(1 - self.strength**2) * noise))  # type: ignore[attr-defined]
        return made


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
    never: tuple[tuple[Test, ...], ...] = ()  # rules that must not hold
    tilt: Tilt | None = None                  # soft givens

    def draws(self, rng: Rng, block: int = BLOCK, how: How | None = None) -> Iterator[Any]:
        """Blocks of raw items that obey and are leant as is asked, without end; item i of the stream depends on nothing but i."""
        start = 0
        while True:
            here = rng.at(start)
            batch = self.posterior.sample(block, here.child("code"), how)
            items = self.codec.decode(self.model.lift.decode(batch), here.child("raw"))
            if self.picky:
                fine = self.obeys(items)
                fine &= self.tilt.keeps(items, here.child("keep").uniform(block)) if self.tilt else True
                items = self.model.modality.take(items, fine.nonzero()[:, 0])
            yield items
            start += block

    @property
    def picky(self) -> bool:
        """Whether some draws are not kept."""
        return bool(self.rest or self.never or self.tilt)

    def obeys(self, items: Any) -> Tensor:
        """Which raw items obey what is left to rejection, (B,)."""
        fine = self.model.modality.obeys(items, self.rest) if self.rest else torch.ones(len(items), dtype=torch.bool)
        for tests in self.never:
            fine &= ~self.model.modality.obeys(items, tests)
        return fine


def condition(model: Model) -> Conditioned:
    """The model's givens, met in the best way its family knows: exactly, by guidance, by rejection, and by choosing among more draws."""
    if not isinstance(model.body, Samples):
        raise _mute(model)
    soft, near = _soft(model)
    base: Any = _about(model)
    if near is not None:
        base = Around(model, near)
    tests = model.modality.checked([t for g in model.givens for t in tests_of(g)])
    never = tuple(model.modality.checked(tests_of(g.what)) for g in model.givens if isinstance(g, Avoid) and tests_of(g.what))
    plain = base if isinstance(base, Posterior) else Plain(base)
    _consistent(tests)
    found = _lowered(model, base, plain, tests) if tests else Conditioned(model, model.codec, plain, base, (), plain.met)
    avoided = ((written(g), "rejected") for g in model.givens if isinstance(g, Avoid) and tests_of(g.what))
    found = replace(found, never=never, parts=(*_leant(model, found), *found.parts, *avoided))
    found = _rejecting(found) if found.rest or never else found
    return _tilted(found, soft) if soft else found


def _leant(model: Model, found: Conditioned) -> Iterator[tuple[str, str]]:
    """What is leant towards inside the family, and how."""
    for g in model.givens:
        if isinstance(_what(g), Label | Prompt) and _weighed(g):
            yield written(g), "guided"
        if isinstance(g, Like) and isinstance(found.scorer, Around):
            yield written(g), "guided"


def _what(given: Given) -> Given:
    """What is asked or avoided."""
    return given.what if isinstance(given, Avoid) else given


def _weighed(given: Given) -> bool:
    return isinstance(given, Avoid) or (isinstance(given, Label | Prompt) and given.weight is not None)


def _soft(model: Model) -> tuple[list[Given], Like | None]:
    """What is left to choosing among draws; and the one item to be like, if the family has codes and nothing else is asked."""
    soft = [g for g in model.givens if isinstance(_what(g), Towards | Like)]
    codes = model.body.code_space() if isinstance(model.body, Encodes) else None
    if len(model.givens) == 1 and isinstance(model.givens[0], Like) and isinstance(codes, Reals):
        return [], model.givens[0]
    return soft, None


def _tilted(found: Conditioned, soft: Sequence[Given]) -> Conditioned:
    """Soft givens met by steering where that is cheaper, else by keeping draws by their weight."""
    tilt = measured(found.model, soft, found.draws(Rng(0).child("probe"), FIRST))
    if steers(found, tilt):
        steered = Steered(found, tilt)
        return replace(found, posterior=steered, scorer=steered, met=steered.met, parts=(*found.parts, *((p.said, "guided") for p in tilt.pulls)))
    met = replace(found.met, sort="estimate" if found.met.sort == "exact" else found.met.sort, ess=tilt.ess, cost=found.met.cost / tilt.share)
    return replace(found, tilt=tilt, met=met, parts=(*found.parts, *((p.said, "estimate") for p in tilt.pulls)))


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
    """The body, or what it is once its labels and captions are given."""
    labels = list(dict.fromkeys(g.value for g in model.givens if isinstance(g, Label) and g.weight is None))
    if len(labels) > 1:
        raise UsageError(f"contradictory labels: {', '.join(map(str, labels))}", code="CONTRADICTION", param="given",
                         remedy="a label is one; with weights several are leant towards: Label(1, weight=1)")
    texts = [g.text for g in model.givens if isinstance(g, Prompt) and g.weight is None]
    told = {**(_label(model, labels[0]) if labels else {}), **(_caption(model, " ".join(texts)) if texts else {})}
    terms = tuple(_term(model, g) for g in model.givens if _weighed(g) and isinstance(_what(g), Label | Prompt))
    if not told and not terms:
        return model.body
    evidence = Lean(told, terms) if terms else About(told)
    found = model.body.given(evidence, Rng(0).child("given")) if isinstance(model.body, Conditions) else None
    if found is None:
        what = "several weighed labels or prompts" if terms else f"a {' or a '.join(told)}"
        raise UsageError(f"{type(model.body).__name__} can't be given {what}", code="GIVEN", param="given",
                         remedy="families that denoise can, if they were fitted with drop above 0" if terms else None)
    return found


def _term(model: Model, given: Given) -> tuple[Mapping[str, Batch], float]:
    """A weighed or avoided label or prompt, and its weight."""
    what = _what(given)
    told = _label(model, what.value) if isinstance(what, Label) else _caption(model, what.text) if isinstance(what, Prompt) else {}
    weight = what.weight if isinstance(what, Label | Prompt) and what.weight is not None else 1.0
    return told, -given.strength * weight if isinstance(given, Avoid) else weight


def _label(model: Model, value: int | str) -> Mapping[str, Batch]:
    if "label" not in model.body.about:
        raise UsageError("this model was fitted without labels", remedy="fit a family that learns from them, such as vae", code="GIVEN", param="given")
    if value not in model.labels:
        raise UsageError(f"no label {value!r}", remedy=nearest(str(value), model.labels), code="GIVEN", param="given")
    return {"label": Batch(torch.tensor([model.labels.index(value)]))}


def _caption(model: Model, text: str) -> Mapping[str, Batch]:
    """What is prompted."""
    if model.vocabulary is None:
        raise UsageError("this model was fitted without captions",
                         remedy="fit pictures that have captions, or texts that have a source (docs: image, text)", code="GIVEN", param="given")
    if not model.vocabulary.tells(text):
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
        return Conditioned(model, model.codec, plain, base, every, Met("rejected"), parts=tuple((str(t), "rejected") for t in every))
    met = replace(found.met, log_mass=found.met.log_mass + whole.log_volume)
    if not isfinite(met.log_mass):
        raise UsageError(f"impossible under this model, or contradictory: {' and '.join(map(str, tests))}", code="IMPOSSIBLE", param="given")
    rest = (*whole.rest, *left)
    parts = tuple((str(t), met.sort) for t in tests if t not in whole.rest) + tuple((str(t), "rejected") for t in rest)
    return Conditioned(model, whole.codec, found, found, rest, met, met.log_mass, parts)


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
        asked = " and ".join((*map(str, c.rest), *(f"not ({' and '.join(map(str, tests))})" for tests in c.never)))
        raise UsageError(f"{kept} of {tried} draws obey {asked}: too rare to reject for, or contradictory", code="TOO_RARE",
                         param="given", remedy="ask for less, or use a family that meets it by itself (ilk list families --full)")
    share = kept / tried
    error = sqrt((1 - share) / kept)
    return replace(c, met=Met("rejected", c.met.log_mass + log(share), sqrt(c.met.log_mass_error**2 + error**2), c.met.ess, share, 1 / share))


def flat(model: Model, items: Any, rng: Rng) -> Batch:
    """Raw items as the distribution sees them."""
    return encoded(model.codec, model.lift, items, rng)


def never(total: Tensor, obeys: Tensor) -> Tensor:
    """-inf where an item does not obey."""
    return total.where(obeys, torch.tensor(-torch.inf, dtype=total.dtype))
