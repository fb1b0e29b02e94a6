"""Changing an attribute: closed forms of the linear Gaussian case, what classifiers that chose nothing see, and what is refused."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.batch import Batch
from ilk.errors import UsageError
from ilk.verbs._factors import Factors

DEEP = torch.tensor([[1.0, 0.3, 0.0, 0.2], [0.0, 1.0, -0.4, 0.0], [0.2, 0.0, 0.5, 0.1], [0.0, 0.1, 0.0, 2.0]], dtype=torch.double)   # root of the noise's covariance
EFFECT = torch.tensor([[3.0, 0.0, 1.0, 0.0], [1.0, 3.0, 0.0, 2.0]], dtype=torch.double)   # of each of two attributes


def codes(n: int, seed: int, alike: float = 0.5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Linear Gaussian codes of two attributes, the second one that of the first as often as `alike` says."""
    rng = ilk.Rng(seed)
    one = rng.child("one").integers(n, 2)
    two = one.where(rng.child("alike").uniform(n) < alike, 1 - one)
    return one.double()[:, None] * EFFECT[0] + two.double()[:, None] * EFFECT[1] + rng.child("noise").normal(n, 4) @ DEEP.T + 5, one, two


def test_the_effect_is_that_of_the_attribute_alone_where_two_go_together() -> None:
    """The plain difference of means would hold .7 of the other's effect, too."""
    z, one, two = codes(8000, 1, 0.85)
    learned = Factors.learned(z, one, [two])
    white = torch.linalg.solve_triangular(DEEP_ROOT, EFFECT.T, upper=False).T
    axis = white[1] / white[1].norm()
    wanted = DEEP_ROOT @ (white[0] - (white[0] @ axis) * axis)   # what is left of the effect at right angles to the other, in the noise's metric
    new = codes(400, 2)
    step = learned.moved(new[0][new[1] == 0], 1, 1.0) - new[0][new[1] == 0]
    assert float((step.mean(0) - wanted).norm() / wanted.norm()) < 0.12   # .03 to .07 over three seeds
    naive = z[one == 1].mean(0) - z[one == 0].mean(0)
    assert float((naive - EFFECT[0]).norm() / EFFECT[0].norm()) > 0.5


DEEP_ROOT = torch.linalg.cholesky(DEEP @ DEEP.T)


def test_a_linear_classifier_of_what_is_kept_sees_nothing_whatever_the_strength() -> None:
    z, one, two = codes(3000, 3, 0.8)
    learned = Factors.learned(z, one, [two])
    axes = learned.fixed
    for strength in (0.5, 1.0, 7.0):
        moved = learned.moved(z[:200], 1, strength)
        before, after = (torch.linalg.solve_triangular(learned.root, x.T, upper=False).T @ axes for x in (z[:200], moved))
        assert float((before - after).abs().max()) < 1e-9
    assert bool((learned.moved(z[:50], 1, 0.0) == z[:50]).all())


def test_classes_are_bayes() -> None:
    """Fisher's discriminant with the true covariance is the best there is: no other threshold on it does better."""
    z, one, _ = codes(6000, 4)
    learned = Factors.learned(z, one, [])
    new, truth, _ = codes(4000, 5)
    spread = torch.linalg.inv(DEEP @ DEEP.T + torch.outer(EFFECT[1], EFFECT[1]) / 4)
    line = spread @ EFFECT[0]
    best = ((new - 5 - EFFECT[1] / 2 - EFFECT[0] / 2) @ line > 0).long()
    assert float((learned.classes(new) == truth).double().mean()) > float((best == truth).double().mean()) - 0.01


class Linear:
    """A body whose codes are its items, turned."""

    about: dict[str, Any] = {}

    def __init__(self, width: int) -> None:
        self.space = ilk.Reals((width,))
        self.turn = torch.linalg.qr(ilk.Rng(0).normal(width, width))[0]

    def encode(self, batch: Batch) -> Batch:
        return Batch(batch.tensor.double() @ self.turn)

    def decode(self, codes: Batch) -> Batch:
        return Batch(codes.tensor @ self.turn.T)

    def code_space(self) -> ilk.Reals:
        return self.space


def linear(z: torch.Tensor) -> ilk.Model:
    return replace(ilk.fit(z.numpy(), ilk.GMM(components=1)), body=Linear(z.shape[1]))  # type: ignore[arg-type]


def test_the_verb_flips_the_one_and_leaves_the_other() -> None:
    z, one, two = codes(4000, 6, 0.8)
    model, items = linear(z), codes(600, 7, 0.8)
    mine = items[0][items[1] == 0]
    data = replace(ilk.read(z.numpy()), labels=ilk.Labels(one, ("no", "yes")))
    made = ilk.attribute(model, mine.numpy(), to="yes", examples=data, keep={"two": two})
    assert made.way == "direction" and made.flipped is not None
    assert made.flipped > 0.7 and made.others["two"] < 0.15   # .81 and .09: the classes overlap
    assert "flipped" in repr(made) and "two" in repr(made)
    free = ilk.attribute(model, mine.numpy(), to=one.numpy() == 1, examples=z.numpy())
    judged = ilk.attribute(model, mine.numpy(), to="yes", examples=data, keep={"two": two}, strength=0.0)
    assert np.allclose(judged.items, mine.numpy()) and judged.moved < 1e-9 and judged.others["two"] == 0.0 == judged.flipped
    assert free.others == {} and free.moved > made.moved / 2


def test_rules_choose_examples_and_what_is_kept() -> None:
    x = ilk.Rng(3).normal(1500, 3)
    made = ilk.attribute(linear(x), x[:100].numpy(), to="`0` > 0", examples=x.numpy(), keep=["`1` > 0"], strength=2.0)
    assert (made.items[:, 0] > 0).mean() > 0.95
    assert list(made.others) == ["`1` > 0"] and made.others["`1` > 0"] < 0.15
    same = ilk.attribute(linear(x), x[:100].numpy(), to=ilk.Where("`0` > 0"), examples=x.numpy(), keep=["`1` > 0"], strength=2.0)
    assert bool((same.items == made.items).all())


def test_a_model_that_was_told_labels_decodes_with_another(told: tuple[ilk.Model, Any]) -> None:
    """The noise of an item stays, its class goes: two clusters that differ in one place."""
    model, data = told
    items = data.items[:40]   # all "low"
    made = ilk.attribute(model, replace(data, items=items, labels=ilk.Labels(torch.zeros(40).long(), data.labels.names), splits={}), to="high", examples=data)
    assert made.way == "label" and made.flipped is not None and made.flipped > 0.95
    assert np.abs(made.items[:, 0] - items[:, 0] - 4).mean() < 0.6 and np.abs(made.items[:, 1] - items[:, 1]).mean() < 0.4
    guessed = ilk.attribute(model, items, to=ilk.Label("high"))
    assert guessed.flipped is None and np.abs(guessed.items - made.items).mean() < 1e-6   # the old label is plain to see
    assert "not measured" in repr(guessed)


@pytest.fixture(scope="module")
def told() -> tuple[ilk.Model, Any]:
    x = ilk.Rng(1).normal(800, 2).float().numpy()
    x[400:, 0] += 4
    data = replace(ilk.read(x), labels=ilk.Labels(torch.arange(2).repeat_interleave(400), ("low", "high")))
    return ilk.fit(data, ilk.Flow(layers=2, width=32), budget=ilk.Steps(150), seed=1), data


def test_what_can_not_be_changed(told: tuple[ilk.Model, Any]) -> None:
    model, data = told
    x = ilk.Rng(3).normal(300, 3)
    plain = linear(x)
    for code, do in {
        "EXAMPLES": [lambda: ilk.attribute(plain, x[:3].numpy(), to="`0` > 0"), lambda: ilk.attribute(plain, x[:3].numpy(), to="`0` > 9", examples=x.numpy()),
                     lambda: ilk.attribute(plain, x[:3].numpy(), to=np.ones(5, dtype=bool), examples=x.numpy())],
        "OPTION": [lambda: ilk.attribute(plain, x[:3].numpy(), to="`0` > 0", examples=x.numpy(), strength=-1),
                   lambda: ilk.attribute(model, data.items[:3], to="hi gh", examples=data),
                   lambda: ilk.attribute(plain, x[:3].numpy(), to="`0` > 0", examples=x.numpy(), keep=["`0` > 0"])],
        "ITEMS": [lambda: ilk.attribute(plain, x[:0].numpy(), to="`0` > 0", examples=x.numpy())],
        "RULE": [lambda: ilk.attribute(plain, x[:3].numpy(), to="`0` >", examples=x.numpy())],
        "CAPABILITY": [lambda: ilk.attribute(ilk.fit(x.numpy(), ilk.GMM(components=1)), x[:3].numpy(), to="`0` > 0", examples=x.numpy())]}.items():
        for one in do:
            with pytest.raises(UsageError) as why:
                one()
            assert why.value.code == code and (why.value.remedy or "^" in why.value.message)
