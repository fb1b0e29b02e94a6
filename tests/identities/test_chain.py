"""The chain rule: with exact factors a chain is exact, its givens too; held to counting and to enumeration."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory, Source
from ilk.distribution import Distribution, Family, HasBound, HasLogProb, How
from ilk.errors import UsageError
from ilk.families.chain import Chain
from ilk.families.vae import VAE
from ilk.given import Parts, Presence, Weigh
from ilk.nets._context import Context
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Reals, Row, Space
from ilk.store import State
from ilk.testing import SPACES
from ilk.testing._fitted import Fitted
from ilk.testing.family import CHECKS


class Counts(Distribution["Counted"]):
    """p(value | joint label), by counting."""

    def __init__(self, family: Counted, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        assert isinstance(space, Discrete)
        self.context = Context(about)
        self.count = torch.ones(prod(self.context.sizes or ()) if about else 1, space.each[0], dtype=torch.double)

    def _place(self, context: Mapping[str, Batch], n: int) -> Tensor:
        return self.context._place(context) if self.about else torch.zeros(n, dtype=torch.long)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        for part in data.chunks(50):
            place = self._place(part.context, len(part)) * self.count.shape[1] + part.tensor.flatten()
            self.count += torch.bincount(place, minlength=self.count.numel()).reshape(self.count.shape)
        run.tick(self.state)

    def state(self) -> State:
        return State({"count": self.count})

    def restore(self, state: State) -> None:
        if "count" not in state.tensors or state.tensors["count"].shape != self.count.shape:
            raise ilk.errors.ModelError("other counts")
        self.count = state.tensors["count"]

    def law(self, context: Mapping[str, Batch], n: int) -> Tensor:
        count = self.count[self._place(context, n)]
        return (count / count.sum(1, keepdim=True)).log()

    def log_prob(self, batch: Batch) -> Tensor:
        return self.law(batch.context, len(batch)).gather(1, batch.tensor.reshape(-1, 1))[:, 0]

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        return self.draw(n, rng, {})

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        return Batch(rng.pick(self.law(context, n), n).reshape(n, *self.space.shape))  # type: ignore[union-attr]


@dataclass(frozen=True, kw_only=True)
class Counted(Family):
    """A table of counts: exact, and learns from labels."""

    distribution: ClassVar[type[Distribution[Any]]] = Counts

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        return None if isinstance(space, Discrete) and prod(space.shape) == 1 else "takes one Discrete"

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        return None if Context(about).sizes is not None else "learns from labels"


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return Fitted.of(Chain(each=Counted()), SPACES["categories"])


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_an_exact_chain_keeps_the_contract(fitted: Fitted, check: Any) -> None:
    assert fitted.exact
    check(fitted)


def test_log_prob_is_the_product_of_conditional_frequencies(fitted: Fitted) -> None:
    items = fitted.items
    a, b = items.parts["a"], items.parts["b"]
    assert a.seen is not None
    code = a.tensor.where(a.seen, torch.tensor(3))
    first = (torch.bincount(code, minlength=4) + 1.0) / (len(code) + 4)
    pair = torch.bincount(code * 2 + b.tensor, minlength=8).reshape(4, 2) + 1.0
    want = first[code].log() + (pair / pair.sum(1, keepdim=True))[code, b.tensor].log()
    got = fitted.body.prefix(items, 2)  # type: ignore[attr-defined]
    assert torch.allclose(got, want.double(), atol=1e-6)  # counts are of floats here


def test_a_given_in_the_middle_is_exact_by_enumeration(fitted: Fitted) -> None:
    said = Parts({"b": Weigh({0: torch.tensor([0.0, -torch.inf])}), "c": Presence(-torch.inf, 0.0)})
    found = fitted.body.given(said, Rng(0))  # type: ignore[attr-defined]
    assert found.met.sort == "exact"
    c_missing = Batch(torch.zeros(4, dtype=torch.long), torch.zeros(4, dtype=torch.bool))
    a = Batch(torch.tensor([0, 1, 2, 0]), torch.tensor([True, True, True, False]))
    every = Batch({"a": a, "b": Batch(torch.zeros(4, dtype=torch.long)), "c": c_missing})
    nats = fitted.body.log_prob(every)  # type: ignore[attr-defined]
    assert abs(found.met.log_mass - float(nats.logsumexp(0))) < 1e-9
    assert torch.allclose(found.log_prob(every), nats - nats.logsumexp(0))
    made = found.sample(4000, Rng(1))
    share = torch.bincount(made.parts["a"].tensor.where(made.parts["a"].seen, torch.tensor(3)), minlength=4) / 4000
    assert float((share - found.log_prob(every).exp()).abs().max()) < 0.03


def test_too_many_values_are_left_to_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.families.chain.ENUMERABLE", 15)
    wide = Row({"x": Discrete(4), "y": Discrete(4), "z": Discrete(2)})
    body = Chain(each=Counted()).build(wide, Rng(0))
    said = Parts({"z": Weigh({0: torch.tensor([0.0, -torch.inf])})})
    assert body.given(said, Rng(0)) is None  # type: ignore[attr-defined]


def test_sorts_follow_the_factors() -> None:
    mixed = Row({"k": Discrete(3), "v": Reals((2,))})
    bound = Chain(each=VAE(codes=2, net=MLP(width=16))).build(mixed, Rng(0))
    assert isinstance(bound, HasBound) and not isinstance(bound, HasLogProb)
    with pytest.raises(UsageError, match="'y' given the parts before it"):
        Chain(each=ilk.GMM()).build(Row({"x": Reals(), "y": Reals()}), Rng(0))
    with pytest.raises(UsageError, match="takes rows"):
        Chain().build(Reals((3,)), Rng(0))


def test_a_chain_learns_how_parts_lean_on_each_other() -> None:
    space = Row({"k": Discrete(2), "v": Reals()})
    k = (Rng(0).uniform(2000) < 0.3).long()
    data = Memory(Batch({"k": Batch(k), "v": Batch(k * 6.0 - 3.0 + 0.3 * Rng(1).normal(2000))}))
    body = Chain(each=VAE(codes=2, net=MLP(width=32))).build(space, Rng(0))
    body.fit(data, Run(budget=Steps(800), rate=5e-3))
    made = body.sample(1000, Rng(2))
    v, made_k = made.parts["v"].tensor, made.parts["k"].tensor
    assert abs(float(made_k.double().mean()) - 0.3) < 0.08
    assert float(((v > 0) == (made_k == 1)).double().mean()) > 0.97


def test_a_saved_chain_is_the_same(tmp_path: Any) -> None:
    import polars as pl
    frame = pl.DataFrame({"k": ["x", "y"] * 100, "v": [1.0, 2.5] * 100})
    model = ilk.fit(frame, Chain(each=VAE(codes=2, net=MLP(width=16))), budget=ilk.Steps(40))
    again = ilk.load(model.save(tmp_path / "m.ilk"))
    assert again.body.family == model.body.family
    assert again.sample(5).equals(model.sample(5))
