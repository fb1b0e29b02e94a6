"""A package from outside, installed for real: it is found by its entry points and held to the same contracts."""
from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ilk
from ilk import registry
from ilk.errors import DataError
from ilk.metric import Case
from ilk.rules import parse
from ilk.testing import check_chain, check_family, check_flips, check_law, check_metric, check_modality, check_noise, check_saving, check_total

NAMES = {"families": "laplace", "modalities": "dice", "metrics": "pip_gap"}
THROWS = [(a, b) for a in range(1, 7) for b in range(1, 7)]


def _installed() -> bool:
    try:
        return bool(version("ilk-plugin-example"))
    except PackageNotFoundError:
        return False


needs_plugin = pytest.mark.skipif(not _installed(), reason="ilk-plugin-example is not installed: pip install --no-deps tests/plugin")


def thrown(at: Path, n: int = 300) -> Path:
    """Throws of dice that lean on each other."""
    g = np.random.Generator(np.random.Philox(key=1))
    first = g.integers(1, 7, n)
    second = np.where(g.random(n) < 0.4, first, g.integers(1, 7, n))
    at.write_text("".join(f"{a} {b}\n" for a, b in zip(first, second, strict=True)))
    return at


def test_ci_has_the_plugin() -> None:
    """Where CI=true nothing here may be skipped."""
    assert _installed() or os.environ.get("CI", "").lower() not in ("true", "1"), "CI must run: pip install --no-deps tests/plugin"


@needs_plugin
@pytest.mark.parametrize("axis", NAMES)
def test_the_registry_lists_it_by_its_entry_point(axis: str) -> None:
    name = NAMES[axis]
    assert name in registry.names(axis) and name in {e.name for e in entry_points(group=f"ilk.{axis}")}
    kind = registry.get(axis, name)
    assert kind.__module__ == f"ilk_plugin_example.{name}" and registry.name_of(axis, kind()) == name
    assert registry.class_name(axis, name) == kind.__name__ and registry.summary(axis, name).endswith(".") | registry.summary(axis, name).endswith('".')


@needs_plugin
def test_ilk_offers_it_like_its_own() -> None:
    laplace: Any = registry.get("families", "laplace")
    assert getattr(ilk, laplace.__name__) is laplace and "Laplace" in dir(ilk)


@needs_plugin
def test_family() -> None:
    check_family(registry.get("families", "laplace")())


@needs_plugin
def test_modality(tmp_path: Path) -> None:
    dice: Any = registry.get("modalities", "dice")()
    rules = [parse(r) for r in ("first > 2", "first in [1, 6] and second != 3", "second == 4")]
    data = check_modality(dice, thrown(tmp_path / "a.dice"), tmp_path / "b.dice", rules)
    assert ilk.read(tmp_path / "a.dice").items == data.items
    (tmp_path / "bad.dice").write_text("3 5\n7 1\n")
    with pytest.raises(DataError, match="line 2"):
        ilk.read(tmp_path / "bad.dice")


@needs_plugin
def test_metric() -> None:
    metric = registry.get("metrics", "pip_gap")()
    found = check_metric(metric, [Case(made=THROWS, test=THROWS), Case(made=[(1, 1)] * 36, test=THROWS)])
    assert [r.value for r in found] == [0.0, pytest.approx(35 / 36)]


@needs_plugin
def test_a_model_of_the_family(tmp_path: Path) -> None:
    g = np.random.Generator(np.random.Philox(key=2))
    model = ilk.fit(g.laplace(1, 2, (500, 2)), registry.get("families", "laplace")())
    assert repr(model) == "<ilk laplace of array>"
    check_noise(model)
    again = check_saving(model, g.laplace(1, 2, (20, 2)), tmp_path)
    check_flips(model, tmp_path, 20, ("ilk.json", "model.safetensors"))
    assert type(again.body.family) is registry.get("families", "laplace")
    assert model.given({"0": 1.5}).met.met.sort == "exact" and set(model.given({"0": 1.5}).sample(9)[:, 0]) == {1.5}


@needs_plugin
def test_models_of_the_modality(tmp_path: Path) -> None:
    model = ilk.fit(thrown(tmp_path / "a.dice"), ilk.MADE(width=16), run=ilk.Run(budget=ilk.Steps(60)))
    assert repr(model) == "<ilk made of dice>"
    check_total(model, THROWS)
    given: list[Any] = ["first > 2 and second != 3", {"second": 4}]
    for asked in given:
        check_chain(model, THROWS, asked)
        check_law(model, THROWS, asked, 5000)
    check_noise(model)
    check_saving(model, THROWS, tmp_path)
    figures = ilk.evaluate(model, ilk.read(tmp_path / "a.dice").items)
    assert 0 <= figures["pip_gap"].value < 0.3 and -4 < figures["nats"].value < 0
