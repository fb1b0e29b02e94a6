"""sample: new raw items, given what is given."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol, runtime_checkable

import torch

from ilk import registry
from ilk.distribution import Converses, Defers, Denoises, How, NextToken, Truncates
from ilk.errors import UsageError
from ilk.memory import enough, held
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Row
from ilk.verbs.condition import BLOCK, LEAST, PROBE

MOST, CELLS = 10**9, 250_000


@runtime_checkable
class Spells(Protocol):
    """A codec that can say what each of its tokens stands for; None: never on its own for a whole text."""

    def pieces(self) -> Sequence[str | None]: ...


@runtime_checkable
class Reads(Protocol):
    """A How that has to know what the tokens stand for."""

    def bound(self, tokens: Sequence[str | None]) -> How: ...


@dataclass(frozen=True)
class GivenMet:
    """One comparison and how it was met: the share of draws that obeys, and the effective sample size of an estimate."""

    given: str
    met: str
    share: float
    ess: float | None


@dataclass(frozen=True, eq=False)
class Sampled:
    """New items and how they were made; `cost` is how many draws each took."""

    items: Any
    n: int
    seed: int
    how: str
    given: tuple[GivenMet, ...]
    cost: float = 1.0


def sample(model: Model, n: int, seed: int = 0, how: How | None = None) -> Sampled:
    """n raw items. Item i is the same whatever n is; the same seed gives the same items.

    >>> import ilk, numpy as np
    >>> model = ilk.fit(np.linspace(0, 1, 100)[:, None], ilk.GMM(components=1))
    >>> sample(model, 3, seed=1).items.shape
    (3, 1)
    """
    if not 0 <= n <= MOST:
        raise UsageError(f"n is {n}", remedy=f"0 to {MOST} items", code="OPTION", param="n")
    made = drawn(model, n, Rng(seed).child("sample"), bound(model, how))
    return Sampled(made, n, seed, named(how), parts(model), model.met.met.cost)


def parts(model: Model) -> tuple[GivenMet, ...]:
    """All that is given, and how each was met."""
    met = model.met
    return tuple(GivenMet(text, sort, met.met.obeys if sort == "rejected" else 1.0, met.met.ess) for text, sort in met.parts)


def bound(model: Model, how: How | None) -> How | None:
    """The way of drawing over this model's tokens; UsageError if it does not draw from such a model."""
    drawn_by = model.body.through if isinstance(model.body, Defers) else model.body
    if how is not None and not isinstance(drawn_by, NextToken | Denoises | Truncates | Converses):
        raise UsageError(f"{type(how).__name__} does not draw from {registry.name_of('families', model.body.family)}", code="HOW", param="how", remedy="leave it out")
    if not isinstance(how, Reads):
        return how
    if not isinstance(model.codec, Spells):
        raise UsageError(f"{type(how).__name__} draws texts, and this is a model of {registry.name_of('modalities', model.modality)}", code="HOW", param="how",
                         remedy="leave it out")
    return how.bound(model.codec.pieces())


def drawn(model: Model, n: int, rng: Rng, how: How | None) -> Any:
    """n raw items that obey what is given, by a way of drawing that is `bound`."""
    met, have, tried = model.met, 0, 0
    found: list[Any] = []
    most = _most(model)
    block = min(most, max(1, ceil(n * met.met.cost))) if met.tilt else BLOCK if met.picky else min(most, max(1, n))
    for items in met.draws(rng, block, how):
        if not found and len(items):
            enough(3 * held(items) // len(items) * n, f"{n} items")
        found.append(items)
        have, tried = have + len(items), tried + block
        if have >= n:
            break
        if how is not None and tried >= PROBE and have * PROBE < LEAST * tried:
            asked = " and ".join(said for said, sort in met.parts if sort in ("rejected", "estimate"))
            raise UsageError(f"{have} of {tried} draws by {type(how).__name__} obey {asked}", code="TOO_RARE", param="how",
                             remedy="ask for less, or leave the way of drawing out")
    return model.modality.take(model.modality.join(found), torch.arange(n))


def _most(model: Model) -> int:
    """How many items are drawn at once: rows of few parts cost little, and the fewer blocks the faster."""
    space = model.codec.space
    return max(BLOCK, CELLS // len(space.parts)) if isinstance(space, Row) else BLOCK


def named(how: How | None) -> str:
    """The registered name of a way to draw."""
    if how is None:
        return "default"
    return registry.name_of("decoding" if type(how).__module__.startswith("ilk.decoding") else "samplers", how)
