"""Every family of the registry on every standard space it takes: a new one is covered as soon as its file is there."""
from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Annotated, Any, ClassVar

import pytest
import torch
from annotated_types import Interval
from torch import Tensor

from ilk import registry
from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How, Met
from ilk.errors import ModelError
from ilk.given import Evidence, Weigh
from ilk.lift import carried
from ilk.rng import Rng, choose
from ilk.run import Run
from ilk.space import Discrete, Space
from ilk.store import State
from ilk.testing import CHECKS, SPACES, check_family
from ilk.testing._context import check_told
from ilk.testing._fitted import Fitted, taken
from ilk.testing._learning import check_options
from ilk.testing.family import Check, check_refusals

from .conftest import OWN, fitted, recipe

OPENED = {"pretrained", "tuned"}   # learn nothing from items: what they open is checked as a backend; tests/unit/test_pretrained.py and test_tune.py check what they add
FAMILIES = sorted(set(registry.names("families")) - OPENED)
CASES = [(family, space, check) for family in FAMILIES for space in (*taken(recipe(family)), *OWN.get(family, {})) for check in CHECKS]


SEARCHED = [(family, space) for family in ("vae", "gan") for space in ("number", "pair", "bits")] + [("vae", "numbers")]   # codes are searched: seconds each


def _case(family: str, space: str, check: Check) -> Any:
    marks = [pytest.mark.slow] if check.__name__ == "check_conditions" and (family, space) in SEARCHED else []
    return pytest.param(family, space, check, id=f"{family}-{space}-{check.__name__}", marks=marks)


@pytest.mark.parametrize(("family", "space", "check"), [_case(*c) for c in CASES])
def test_contract(family: str, space: str, check: Check) -> None:
    check(fitted(family, space))


@pytest.mark.parametrize("family", FAMILIES)
def test_options_and_refusals(family: str) -> None:
    check_options(recipe(family))
    check_refusals(recipe(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_takes_some_standard_space(family: str) -> None:
    own = OWN.get(family, {}).values()
    assert taken(recipe(family)) or any(carried(space, recipe(family)) for space in own), \
        f"{family} takes none of {', '.join(SPACES)}: add a space to ilk.testing, or one of its own to OWN"


# Checks must be able to fail: a family that is right passes, and each way of being wrong is seen.


class Tables(Distribution["Table"]):
    """A full table of a small record; wrong in the way that the recipe says."""

    def __init__(self, family: Table, space: Space, rng: Rng, about: Any) -> None:
        super().__init__(family, space, rng, about)
        assert isinstance(space, Discrete)
        self.sizes = space.each
        self.every = torch.cartesian_prod(*[torch.arange(s) for s in self.sizes])
        self.law = torch.full((len(self.every),), -log(len(self.every)), dtype=torch.double)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        if self.family.wrong == 9:
            torch.rand(1)
        count = torch.ones_like(self.law)
        for part in data.chunks(100):
            count += torch.bincount(self._place(part.tensor), minlength=len(count))
            if self.family.wrong != 10:
                run.tick(self.state)
        self.law = (count / count.sum()).log()

    def _place(self, x: Tensor) -> Tensor:
        out = torch.zeros(len(x), dtype=torch.long)
        for column, size in zip(x.T, self.sizes, strict=True):
            out = out * size + column
        return out

    def state(self) -> State:
        return State({"law": self.law})

    def restore(self, state: State) -> None:
        if self.family.wrong != 8 and ("law" not in state.tensors or state.tensors["law"].shape != self.law.shape):
            raise ModelError("another table")
        self.law = state.tensors.get("law", self.law) + (1e-9 if self.family.wrong == 7 else 0.0)

    def log_prob(self, batch: Batch) -> Tensor:
        return self.law[self._place(batch.tensor)] + (0.01 if self.family.wrong == 1 else 0.0)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        if self.family.wrong == 2:
            return Batch(self.every[choose(self.law, rng.child(n).uniform(n))])
        law = self.law * 0.5 if self.family.wrong == 3 else self.law
        return Batch(self.every[choose(law, rng.uniform(n))] + (9 if self.family.wrong == 4 else 0))

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        return Told(self, evidence.tables) if isinstance(evidence, Weigh) else None


class Told:
    """The table with weights, or (wrong 5, 6) something near it."""

    def __init__(self, whole: Tables, tables: Any) -> None:
        self.whole, self.wrong = whole, whole.family.wrong
        weight = torch.stack([t.double()[whole.every[:, i]] for i, t in tables.items()]).sum(0)
        law = whole.law + weight
        self.met = Met("exact", float(law.logsumexp(0)) + (0.01 if self.wrong == 6 else 0.0))
        self.law = law - law.logsumexp(0)
        self.made = torch.zeros_like(law).where(weight > -torch.inf, -torch.inf) if self.wrong == 5 else law

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        return Batch(self.whole.every[choose(self.made, rng.uniform(n))])

    def log_prob(self, batch: Batch) -> Tensor:
        return self.law[self.whole._place(batch.tensor)]


@dataclass(frozen=True, kw_only=True)
class Table(Family):
    """A family made to be wrong."""

    distribution: ClassVar[type[Distribution[Any]]] = Tables
    wrong: Annotated[int, Interval(ge=0, le=20)] = 0

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        return None if isinstance(space, Discrete) and space.shape else "takes a record"


WRONG = {1: "sums to", 2: "against the first", 3: "chi-square", 4: "outside the space", 5: "p\\(x\\)/p\\(kept\\)", 6: "log_mass", 7: "restore", 8: "ModelError",
         9: "global generator of torch", 10: "never calls run.tick"}


def test_a_right_family_passes() -> None:
    check_family(Table())


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_family_is_seen(wrong: int) -> None:
    with pytest.raises(AssertionError, match=WRONG[wrong]):
        check_family(Table(wrong=wrong), SPACES["record"])


def test_a_family_without_a_fitting_space_is_told_so() -> None:
    with pytest.raises(AssertionError, match="takes"):
        Fitted.of(Table(), SPACES["sequence"])


@pytest.mark.parametrize(("place", "wrong", "said"), [
    ("_sequence_given.Told._said", lambda told, batch: batch, "chi-square"),
    ("_sequence_given.Told._contexts", lambda told, n, rng, how: told.whole.beside.draw(n, rng), "chi-square"),
    ("_sequence.Sequences.by_label", lambda body, batch, first, end: torch.stack(
        [body.log_prob_from(replace(batch, context=said), first, end) - log(2) for said, _ in body.beside.every(len(batch))]), "weighs")])
def test_a_label_told_wrong_is_seen(monkeypatch: pytest.MonkeyPatch, place: str, wrong: Any, said: str) -> None:
    monkeypatch.setattr(f"ilk.families.{place}", wrong)
    with pytest.raises(AssertionError, match=said):
        check_told(Fitted.of(recipe("rnn"), SPACES["sequence"]))
