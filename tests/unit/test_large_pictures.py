"""What figures of large pictures cost: a bound of some items with one draw, trees that see some of the pixels."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.dataset import Dataset
from ilk.metric import Case, Reading, measured
from ilk.metrics import c2st
from ilk.metrics._likelihood import scored
from ilk.metrics.nats import Nats
from ilk.rng import Rng
from ilk.verbs.score import affordable

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def denoiser() -> Any:
    x = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (60, 8, 8, 1)).astype(np.uint8)
    return ilk.fit(x, ilk.Diffusion(levels=2), budget=ilk.Steps(2))


@pytest.mark.parametrize(("shape", "many"), [((300, 8, 8, 1), 256), ((300, 64, 64, 3), (1 << 20) // 12_288), ((300, 256, 256, 3), 64), ((20, 64, 64, 3), 20)])
def test_large_items_are_judged_by_fewer(denoiser: Any, shape: tuple[int, ...], many: int) -> None:
    assert affordable(denoiser, np.zeros(shape, dtype=np.uint8)) == many


@pytest.mark.slow
def test_several_draws_of_a_bound_are_a_bound(denoiser: Any) -> None:
    """The log of a mean of noisy bounds lies above their mean, by many nats in many dimensions: their mean is taken."""
    x = np.random.Generator(np.random.Philox(key=2)).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    one = [scored(denoiser, x, Rng(i)).mean for i in range(8)]  # type: ignore[union-attr]
    of_many = ilk.score(denoiser, x, draws=16).mean
    assert abs(of_many - np.mean(one)) < 4 * np.std(one) + 1
    found = measured(Nats(), Case(model=denoiser, test=x), Rng(3))
    assert isinstance(found, Reading) and abs(found.value - np.mean(one)) < 4 * np.std(one) + 1


def test_trees_see_some_of_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def classifier(x: Any, y: Any, categories: Any, rng: Rng) -> Any:
        seen.append((x.shape[1], len(categories)))
        return lambda held: np.stack([-held.mean(1), held.mean(1)], 1)

    monkeypatch.setattr(c2st, "classifier", classifier)
    dice = np.random.Generator(np.random.Philox(key=3))
    a, b = (dice.integers(low, 200 + low, (60, 32, 32, 3)).astype(np.uint8) for low in (0, 20))
    apart, same = (measured(c2st.C2ST(), Case(made=x, test=a), Rng(0)) for x in (b, a))
    assert isinstance(apart, Reading) and isinstance(same, Reading) and set(seen) == {(1024, 1024)}
    assert apart.value > 0.99 and abs(same.value - 0.5) < 0.2 and "1024 of 3072 columns" in apart.convention


def test_a_report_takes_data_without_a_validation_part(denoiser: Any, tmp_path: Path) -> None:
    x = np.random.Generator(np.random.Philox(key=4)).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)
    data = Dataset(denoiser.modality, x, {"train": torch.arange(40), "test": torch.arange(40, 50)})
    said = ilk.report(denoiser, tmp_path / "a.html", data)
    assert said.evaluation is not None and said.evaluation["nats"].n == 10
