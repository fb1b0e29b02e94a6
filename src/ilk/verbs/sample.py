"""sample: new raw items, given what is given."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ilk import registry
from ilk.distribution import Denoises, How, NextToken
from ilk.errors import UsageError
from ilk.memory import enough, held
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.condition import BLOCK

MOST = 10**9


@dataclass(frozen=True)
class GivenMet:
    """One comparison and how it was met: the share of draws that obeys, and the effective sample size of an estimate."""

    given: str
    met: str
    share: float
    ess: float | None


@dataclass(frozen=True, eq=False)
class Sampled:
    """New items and how they were made."""

    items: Any
    n: int
    seed: int
    how: str
    given: tuple[GivenMet, ...]


def sample(model: Model, n: int, seed: int = 0, how: How | None = None) -> Sampled:
    """n raw items. Item i is the same whatever n is; the same seed gives the same items.

    >>> import ilk, numpy as np
    >>> model = ilk.fit(np.linspace(0, 1, 100)[:, None], ilk.GMM(components=1))
    >>> sample(model, 3, seed=1).items.shape
    (3, 1)
    """
    if not 0 <= n <= MOST:
        raise UsageError(f"n is {n}", remedy=f"0 to {MOST} items", code="OPTION", param="n")
    if how is not None and not isinstance(model.body, NextToken | Denoises):
        raise UsageError(f"{type(how).__name__} does not draw from {registry.name_of('families', model.body.family)}", code="HOW", param="how", remedy="leave it out")
    met, have = model.met, 0
    found: list[Any] = []
    block = BLOCK if met.rest else min(BLOCK, max(1, n))
    for items in met.draws(Rng(seed).child("sample"), block, how):
        if not found and len(items):
            enough(3 * held(items) // len(items) * n, f"{n} items")
        found.append(items)
        have += len(items)
        if have >= n:
            break
    made = model.modality.take(model.modality.join(found), torch.arange(n))
    said = tuple(GivenMet(text, sort, met.met.obeys if sort == "rejected" else 1.0, met.met.ess) for text, sort in met.parts)
    return Sampled(made, n, seed, _named(how), said)


def _named(how: How | None) -> str:
    """The registered name of a way to draw."""
    if how is None:
        return "default"
    return registry.name_of("decoding" if type(how).__module__.startswith("ilk.decoding") else "samplers", how)
