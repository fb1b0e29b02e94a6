"""The mutual information gap: 1 for a code a factor, near 0 for none, and of a model through its codes."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.batch import Batch
from ilk.errors import DataError, UsageError
from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space
from ilk.verbs.disentanglement import mig


def test_the_gap_of_mutual_information() -> None:
    """1 for a code a factor, 0 where two codes say the same or a rotation mixes all, low for noise; one code may hold two factors."""
    factors = torch.cartesian_prod(*[torch.arange(5)] * 3)
    tidy = factors.double()
    assert mig(tidy[:, [2, 0, 1]] * torch.tensor([3.0, -1.0, 0.1]), factors) == pytest.approx(1)
    assert mig(torch.cat([tidy, tidy], 1), factors) == pytest.approx(0, abs=1e-12)
    turned, _ = torch.linalg.qr(Rng(1).normal(3, 3))
    assert mig(tidy @ turned, factors) < 0.5 and mig(Rng(2).normal(125, 3).repeat(20, 1)[Rng(3).shuffle(2500)], factors.repeat(20, 1)) < 0.05
    assert mig(torch.cat([tidy[:, :1], tidy[:, 1:2] + 5 * tidy[:, 2:]], 1), factors, bins=25) == pytest.approx(1, abs=1e-9)


class Copies:
    """A body whose codes are the items, one number left out if asked, the first two turned into each other by an angle."""

    about: dict[str, Space] = {}

    def __init__(self, angle: float = 0.0, whole: bool = False) -> None:
        self.turn, self.whole = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), whole

    def encode(self, batch: Batch) -> Batch:
        x = batch.tensor.double()
        return Batch(x.long() if self.whole else torch.cat([x[:, :2] @ self.turn, x[:, 2:]], 1))

    def decode(self, codes: Batch) -> Batch:
        return codes

    def code_space(self) -> Space:
        return Discrete(5, (3,)) if self.whole else Reals((3,))


@pytest.fixture(scope="module")
def items() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(0, 5, (4000, 3)).astype(float)


@pytest.fixture(scope="module")
def model(items: np.ndarray[Any, Any]) -> ilk.Model:
    return ilk.fit(items, ilk.GMM(components=1))


def factors(items: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"number": items[:, 2] * -7.5, "word": [f"v{int(v)}" for v in items[:, 0]], "flag": items[:, 1] > 2}


def test_codes_that_are_the_factors_have_one_and_shuffled_ones_none(model: ilk.Model, items: np.ndarray[Any, Any]) -> None:
    """Independent factors copied to codes: 1 but for what 4,000 items agree by chance; another order of the items: about 0."""
    for body in (Copies(), Copies(whole=True)):
        copied: Any = replace(model, body=body)  # type: ignore[arg-type]
        found = ilk.disentanglement(copied, items, factors(items))
        assert found.n == 4000 and set(found.parts) == {"number", "word", "flag"}
        assert all(gap > 0.99 for gap in found.parts.values()) and found.shuffled < 0.01
        assert found.value == pytest.approx(np.mean(list(found.parts.values())))
        mixed = ilk.disentanglement(copied, items, factors(items[np.random.default_rng(1).permutation(4000)]))
        assert 0 <= mixed.value < 0.01


def test_a_turn_spreads_two_factors_over_two_codes(model: ilk.Model, items: np.ndarray[Any, Any]) -> None:
    turned: Any = replace(model, body=Copies(angle=0.6))  # type: ignore[arg-type]
    found = ilk.disentanglement(turned, items, factors(items))
    assert found.parts["number"] > 0.99 and max(found.parts["word"], found.parts["flag"]) < 0.6


def test_labels_and_columns_are_factors_too() -> None:
    g = np.random.default_rng(5)
    label = torch.from_numpy(g.integers(0, 2, 600))
    x = np.stack([label.numpy() * 6.0 + g.normal(0, 0.3, 600), g.normal(0, 1, 600)], 1)
    data = replace(ilk.read(x), labels=ilk.Labels(label, ("low", "high")), splits={"test": torch.arange(600)})
    model = ilk.fit(x, ilk.Flow(layers=1, width=8), budget=ilk.Steps(5))
    found = ilk.disentanglement(model, data)
    assert set(found.parts) == {"label"} and found.value > found.shuffled + 0.05
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": ["u", "v"] * 300})
    table = ilk.fit(frame, ilk.VAE(codes=2, net=ilk.MLP(width=8)), budget=ilk.Steps(5))
    assert set(ilk.disentanglement(table, frame, ["a", "c"]).parts) == {"a", "c"}
    with pytest.raises(UsageError, match="no column 'z'"):
        ilk.disentanglement(table, frame, ["z"])
    with pytest.raises(UsageError, match="without labels"):
        ilk.disentanglement(model, x)
    with pytest.raises(UsageError, match="3 values for 600"):
        ilk.disentanglement(model, x, {"f": [1, 2, 3]})
    with pytest.raises(UsageError, match="one value only"):
        ilk.disentanglement(model, x, {"f": [1] * 600})
    with pytest.raises(DataError, match="say nothing"):
        ilk.disentanglement(model, x[:5], {"f": [1] * 5})
    with pytest.raises(UsageError, match="lacks Encodes"):
        ilk.disentanglement(ilk.fit(x, ilk.GMM(components=1)), x, {"f": label})
