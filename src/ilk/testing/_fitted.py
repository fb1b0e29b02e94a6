"""A family fitted to planted data of a space, seen from outside through the lift that carries it there."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..batch import Batch, Memory
from ..distribution import Conditions, Distribution, Family, HasLogProb, Posterior, Samples
from ..lift import Known, Lift, carried
from ..rng import Rng
from ..run import Run, Steps
from ..space import Discrete, Maybe, Reals, Space
from ._same import untouched
from ._spaces import SPACES, hidden, planted

ITEMS, HELD, STEPS = 400, 80, 40
PLANTED = Rng(11).child("planted")
LABEL: Mapping[str, Space] = {"label": Discrete(2)}
BESIDE: Mapping[str, Space] = {"kind": Maybe(Discrete(3)), "size": Reals((2,)), "label": Discrete(2)}


def taken(recipe: Family) -> dict[str, Space]:
    """The standard spaces that a family takes, natively or through a lift."""
    return {name: space for name, space in SPACES.items() if carried(space, recipe) is not None}


@dataclass(frozen=True, eq=False)
class Fitted:
    """One family on one space, fitted once. `items` and `held` are of the outer space, `data` and `valid` of the lifted one."""

    recipe: Family
    space: Space
    lift: Lift
    body: Distribution[Any]
    items: Batch
    held: Batch
    data: Memory
    valid: Memory

    @classmethod
    def of(cls, recipe: Family, space: Space, steps: int = STEPS) -> Fitted:
        """Built and fitted with a small budget; the global generators must not be touched."""
        lift = carried(space, recipe)
        if lift is None:
            raise AssertionError(f"{type(recipe).__name__} takes {space} neither as it is nor through a lift: {recipe.refuses(space)}")
        items, held = planted(space, ITEMS, PLANTED.child("train")), planted(space, HELD, PLANTED.child("valid"))
        data, valid = (beside(lift.encode(b, PLANTED.child("lift", i)), recipe.needs) for i, b in enumerate((items, held)))
        with untouched("build"):
            body = recipe.build(lift.space, Rng(1).child("build"), recipe.needs)
        with untouched("fit"):
            body.fit(data, Run(seed=1, budget=Steps(steps)), valid)
        return cls(recipe, space, lift, body, items, held, data, valid)

    @property
    def name(self) -> str:
        """Family and space, for messages."""
        return f"{type(self.recipe).__name__} on {self.space}"

    @cached_property
    def exact(self) -> bool:
        """Whether it has an exact density on the outer space."""
        return isinstance(self.body, HasLogProb) and self.lift.keeps == "bijection"

    def again(self, seed: int = 99) -> Distribution[Any]:
        """Another build of the recipe, not fitted."""
        return self.recipe.build(self.lift.space, Rng(seed).child("elsewhere"), self.recipe.needs)

    def draw(self, source: Samples | Posterior, n: int, rng: Rng) -> Batch:
        """Items of the outer space."""
        return self.lift.decode(source.sample(n, rng))

    def log_prob(self, source: Any, items: Batch) -> Tensor:
        """Exact nats of items of the outer space, (n,) float64, in pieces."""
        out = []
        for i in range(0, len(items), 50_000):
            part = self.lift.encode(items.cut(i, i + 50_000), Rng(0))
            out.append(source.log_prob(part).double() + self.lift.log_volume(part))
        return torch.cat(out) if out else torch.zeros(0, dtype=torch.double)

    def given(self, known: Known, rng: Rng) -> Posterior | None:
        """The posterior once something is known of the outer parts; None if the lift or the family can't say."""
        evidence = self.lift.evidence(known)
        return None if evidence is None or not isinstance(self.body, Conditions) else self.body.given(evidence, rng)

    def beside(self, about: Mapping[str, Space]) -> Memory:
        """The training items, each with a context of these spaces that leans on what the item leans on."""
        return beside(self.data.batch, about, hidden(len(self.data), PLANTED.child("train")))


def beside(items: Batch, about: Mapping[str, Space], latent: Tensor | None = None) -> Memory:
    """Items, each with a planted context of these spaces."""
    rng = Rng(5).child("beside")
    return Memory(replace(items, context={name: planted(space, len(items), rng.child(name), latent) for name, space in about.items()}))
