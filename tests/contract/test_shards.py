"""Expectation-maximisation over shards that add their sums each round is that on the whole: every family that learns from sums."""
from __future__ import annotations

from typing import Any

import pytest
import torch

from ilk import registry
from ilk.batch import Batch
from ilk.distribution import HasLogProb, HasStatistics
from ilk.families.chow_liu import ChowLiu
from ilk.families.gmm import GMM
from ilk.families.hmm import HMM
from ilk.families.mixture import Mixture
from ilk.rng import Rng
from ilk.space import Many, Reals
from ilk.testing._fitted import Fitted, taken
from ilk.testing._spaces import SPACES, planted

from .conftest import recipe

ROUNDS, CUTS = 6, (0, 3, 90, 91, 250, 400)
FOUND = [(name, space) for name in registry.names("families") if issubclass(registry.get("families", name).distribution, HasStatistics) for space in taken(recipe(name))]
MORE: dict[str, tuple[Any, Any]] = {
    "mixture of gmm": (Mixture(each=GMM(components=2), components=2), SPACES["row"]), "mixture of hmm": (Mixture(each=HMM(states=2), components=2), SPACES["sequence"]),
    "mixture of mixtures": (Mixture(each=Mixture(each=ChowLiu(smoothing=1.0), components=2), components=2), SPACES["bits"]),
    "hmm of numbers": (HMM(states=3), Many(Reals((2,)), 5))}
KNOWN = {"chow_liu", "gmm", "hmm", "mixture", "ngram"}


def rounds(f: Fitted, cuts: tuple[int, ...]) -> Any:
    """What some rounds over shards learn, from where the fit began: each shard sees its items and the law of now alone."""
    body: Any = f.again()
    body.restore(f.body.state())
    shards = [f.data.batch.cut(a, b) for a, b in zip(cuts, cuts[1:], strict=False)]
    for _ in range(ROUNDS):
        sums = None
        for shard in shards:
            own = body.statistics(shard)
            sums = own if sums is None else body.add(sums, own)
        body.absorb(sums)
    return body


def require_same_rounds(f: Fitted) -> None:
    whole, parts = rounds(f, (0, len(f.data))), rounds(f, CUTS)
    for name, tensor in whole.state().tensors.items():
        scale = max(1.0, float(tensor.double().abs().max())) if tensor.numel() else 1.0
        assert torch.allclose(tensor.double(), parts.state().tensors[name].double(), atol=1e-9 * scale, rtol=0), name
    if isinstance(f.body, HasLogProb):
        assert torch.allclose(whole.log_prob(f.data.batch), parts.log_prob(f.data.batch), atol=1e-9)


def test_all_families_that_learn_from_sums_are_tried() -> None:
    assert {name for name, _ in FOUND} >= KNOWN


@pytest.mark.parametrize(("name", "space"), FOUND)
def test_shards_learn_what_the_whole_learns(name: str, space: str) -> None:
    require_same_rounds(Fitted.of(recipe(name), SPACES[space], steps=2))


@pytest.mark.parametrize("name", MORE)
def test_so_do_families_inside_families(name: str) -> None:
    require_same_rounds(Fitted.of(*MORE[name], steps=2))


@pytest.mark.parametrize(("name", "space"), [(n, s) for n, s in FOUND if n != "ngram"])
def test_an_item_of_weight_two_is_two_items(name: str, space: str) -> None:
    """What a mixture relies on: weights count as items do."""
    f = Fitted.of(recipe(name), SPACES[space], steps=2)
    body: Any = f.body
    some = planted(SPACES[space], 40, Rng(5))
    once = f.lift.encode(some, Rng(0))
    weight = torch.tensor([2.0, 1.0, 0.0, 1.0] * 10).double()
    many = once.take(torch.arange(40).repeat_interleave(weight.long()))
    weighed, told = body.statistics(Batch(once.x, once.seen, once.length, weight=weight)), body.statistics(many)
    assert weighed.tensors.keys() == told.tensors.keys()
    for key, tensor in told.tensors.items():
        assert torch.allclose(weighed.tensors[key].double(), tensor.double(), atol=1e-9, rtol=1e-9), key
